"""Tokens for Kafka's OAUTHBEARER: from an OAuth server, or signed for Amazon MSK.

Rule 1: a token is used again until a tenth of its time is left: one for all clients of a process.
Rule 2: no message holds the secret, or what the server said.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from petstream.errors import PetstreamError
from petstream.settings import KafkaAccess

OAUTHBEARER: Final = "OAUTHBEARER"
AWS_MSK_IAM: Final = "AWS_MSK_IAM"
MECHANISMS: Final = (OAUTHBEARER, AWS_MSK_IAM)
"""Those that take a token; the second is a name of ours for the first."""

_WITHIN_S: Final = 10.0
_LEFT: Final = 0.1
_USUAL_S: Final = 300.0
_MOST_BYTES: Final = 1 << 20
_SIGNER: Final = "aws_msk_iam_sasl_signer.MSKAuthTokenProvider"
"""A module in spite of its name; the package alone doesn't import it."""


class TokenError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka ships no types
    """There is no token to be had now."""


class Token(NamedTuple):
    """A token, and for how many seconds it is good."""

    text: str
    lasts_s: float


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """Gives clients the token that is good now (rule 1)."""

    def __init__(
        self, ask: Callable[[], Token], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask for a token when there is none; `ask` may block."""
        self._ask, self._clock = ask, clock
        self._token, self._until_s = "", 0.0

    async def token(self) -> str:
        """Return a token; raises `TokenError` where none is to be had."""
        if self._clock() >= self._until_s:
            began_s = self._clock()
            token = await asyncio.to_thread(self._ask)
            self._token, self._until_s = token.text, began_s + token.lasts_s * (1 - _LEFT)
        return self._token


@cache
def tokens(access: KafkaAccess) -> Tokens:
    """Return what gives the tokens for this Kafka; one for the process."""
    if access.sasl_mechanism == AWS_MSK_IAM:
        return Tokens(lambda: of_amazon(access.aws_region or ""))
    return Tokens(lambda: _of_server(access))


def _of_server(access: KafkaAccess) -> Token:
    """Ask an OAuth server, by the client credentials grant of RFC 6749."""
    form = {"grant_type": "client_credentials"}
    if access.oauth_scope is not None:
        form["scope"] = access.oauth_scope
    login = f"{quote(access.sasl_username or '', '')}:{quote(access.sasl_password or '', '')}"
    request = Request(  # noqa: S310  settings let only http and https in
        str(access.oauth_url),
        urlencode(form).encode(),
        {
            "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
            "Accept": "application/json",
        },
    )
    try:
        with urlopen(request, timeout=_WITHIN_S, context=ssl.create_default_context()) as answer:  # noqa: S310  as above
            said: dict[str, Any] = json.loads(answer.read(_MOST_BYTES))
            return Token(str(said["access_token"]), float(said.get("expires_in", _USUAL_S)))
    except (URLError, OSError, ValueError, KeyError, TypeError) as error:
        status: object = type(error).__name__
        if isinstance(error, HTTPError):
            status = error.code
            error.close()
        raise TokenError(
            f"isn't asked, as the server of PETSTREAM_KAFKA_OAUTH_URL gives no token ({status}): "
            "check it, and PETSTREAM_KAFKA_SASL_USERNAME and _PASSWORD, the client's id and secret"
        ) from None


def of_amazon(region: str) -> Token:
    """Sign a token with the AWS credentials of this machine."""
    try:
        signer = importlib.import_module(_SIGNER)
        amazons_error = importlib.import_module("botocore.exceptions").BotoCoreError
    except ModuleNotFoundError:
        raise PetstreamError(
            "AWS_MSK_IAM needs a package that isn't installed: "
            "pip install aws-msk-iam-sasl-signer-python"
        ) from None
    try:
        text, expires_ms = signer.generate_auth_token(region)
    except (amazons_error, AttributeError, ValueError, OSError) as error:
        # the signer's own word where there are no credentials is an AttributeError
        raise TokenError(
            f"isn't asked, as no AWS credentials sign a token ({type(error).__name__}): set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or a role of the machine"
        ) from None
    return Token(text, expires_ms / 1000 - time.time())
