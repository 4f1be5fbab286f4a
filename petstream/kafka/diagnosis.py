"""Why Kafka refuses a connection, in words: the client only says that it could not connect.

Rule 1: what waiting won't mend (`for_good`) is kept apart from what a stopping broker does.
Rule 2: no text of the broker's is repeated: it may hold the user's name.
Rule 3: its version is asked first: one that is too old is told what it lacks.
Rule 4: where a broker sends us on to addresses that nobody here knows or reaches, those are named.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from petstream.errors import PetstreamError
from petstream.kafka.tokens import TokenError
from petstream.settings import KafkaAccess

_KNOCK_S: Final = 4.0
_MOST_BROKERS: Final = 9
_MEND: Final = ": start it, or mend PETSTREAM_KAFKA"
_ENTRY: Final = frozenset({
    "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username",
    "sasl_plain_password", "sasl_oauth_token_provider",
})  # fmt: skip
"""Those of a client's options that a single connection takes."""
_WRONG_NAME: Final = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
_OUT_OF_DATE: Final = (9, 10)  # not yet, and no longer
_UNKNOWN_AUTHORITY: Final = (2, 18, 19, 20, 21)  # its issuer, or that of one above, isn't ours

_HUNG_UP: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


_ADD_PARTITIONS_TO_TXN: Final = 24
_ITS_VERSION_IN_3_6: Final = 4
"""A broker tells no version of its own; this request got a new one in 3.6 (in 3.5 it had 3)."""
_TOO_OLD: Final = (
    "is older than 3.6, and lacks message.timestamp.before.max.ms, without which a record that was "
    "long under way could arrive behind newer ones: update Kafka"
)
_NO_KAFKA: Final = (
    "speaks none of the versions of Kafka's protocol that are spoken here: see docs/operating.md "
    "for what is supported, or mend PETSTREAM_KAFKA"
)


class Refusal(NamedTuple):
    """Why Kafka refuses us, or can't be reached.

    Attributes:
        message: why.
        for_good: waiting is no use.
        is_away: it doesn't refuse us: it isn't reached.
    """

    message: str
    for_good: bool = True
    is_away: bool = False

    def of(self, subject: str) -> Refusal:
        """Return it as a line about somebody."""
        return self._replace(message=f"{subject} {self.message}{_MEND if self.is_away else ''}")


class Broker(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.host}:{self.port}"


class _Knock(NamedTuple):
    """What came of knocking at a broker's door."""

    refusal: Refusal | None
    brokers: tuple[Broker, ...] = ()


def tls(access: KafkaAccess) -> ssl.SSLContext:
    """Return how certificates are checked, and which one we show.

    Raises:
        PetstreamError: a file of the settings can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=access.ssl_cafile)
    except OSError as error:
        raise PetstreamError(
            f"PETSTREAM_KAFKA_SSL_CAFILE: {access.ssl_cafile} isn't a PEM file of certificates "
            f"that can be read ({type(error).__name__})"
        ) from None
    if access.ssl_certfile is not None:
        try:
            # an empty password: for a key with one, OpenSSL would ask at the terminal
            context.load_cert_chain(access.ssl_certfile, access.ssl_keyfile, password="")
        except OSError as error:
            raise PetstreamError(
                f"PETSTREAM_KAFKA_SSL_CERTFILE: {access.ssl_certfile} and its key "
                f"({access.ssl_keyfile or 'in the same file'}) aren't a pair of PEM files "
                f"without a password ({type(error).__name__})"
            ) from None
    return context


async def refusal(access: KafkaAccess, options: dict[str, Any]) -> Refusal | None:
    """Return why Kafka refuses us or can't be reached, or None where it lets us in.

    Args:
        access: how to reach it.
        options: those of `petstream.kafka.client.client_options`.
    """
    away: list[Refusal] = []
    for address in access.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        knock = await _knock(Broker(host, int(port)), options)
        if knock.refusal is None:
            return await _sent_on(Broker(host, int(port)), knock.brokers, options)
        if not knock.refusal.is_away:
            return knock.refusal.of(f"Kafka at {host}:{port}")
        away.append(knock.refusal.of(f"Kafka at {host}:{port}"))
    return away[0]


def is_too_old(newest: Mapping[int, tuple[int, int]]) -> bool:
    """Tell whether a broker is older than 3.6, by the versions of requests that it knows.

    >>> is_too_old({24: (0, 3)}), is_too_old({24: (0, 4)})
    (True, False)
    """
    return newest.get(_ADD_PARTITIONS_TO_TXN, (0, 0))[1] < _ITS_VERSION_IN_3_6


async def _sent_on(
    entrance: Broker, brokers: Sequence[Broker], options: dict[str, Any]
) -> Refusal | None:
    """Return why nothing comes of it that a broker sends us on to where others listen."""
    elsewhere = [broker for broker in brokers if broker != entrance][:_MOST_BROKERS]
    knocks = await asyncio.gather(*(_knock(broker, options) for broker in elsewhere))
    refusals = [
        (broker, knock.refusal)
        for broker, knock in zip(elsewhere, knocks, strict=True)
        if knock.refusal is not None
    ]
    for broker, refusal in refusals:
        if not refusal.is_away:
            return refusal.of(f"Kafka at {entrance} sends us on to {broker}, which")
    if not refusals or len(refusals) < len(brokers):
        return None
    (broker, refusal), *_ = refusals
    advertised = (
        f"Kafka at {entrance} sends us on to {broker}, which {refusal.message}: mend "
        "advertised.listeners of the broker, or make that address known here"
    )
    return Refusal(advertised)


async def _knock(broker: Broker, options: dict[str, Any]) -> _Knock:
    """Connect as the client does; return why we're refused, or the brokers that there are."""
    entry = {name: value for name, value in options.items() if name in _ENTRY}
    try:
        async with asyncio.timeout(_KNOCK_S):
            connection = await create_conn(broker.host, broker.port, **entry)
            try:
                if is_too_old(connection._versions):  # noqa: SLF001  in public they are nowhere
                    return _Knock(Refusal(_TOO_OLD))
                metadata = await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except (KafkaError, OSError, TimeoutError) as error:
        return _Knock(_of(error, str(options["security_protocol"])))
    except (NotImplementedError, AssertionError, ValueError, struct.error):
        return _Knock(Refusal(_NO_KAFKA))
    return _Knock(None, tuple(Broker(entry[1], entry[2]) for entry in metadata.brokers))


def _of(error: BaseException, protocol: str) -> Refusal:
    """Return what an error means; what aiokafka raises may hide it as its cause."""
    if isinstance(error, TokenError):
        return Refusal(str(error), for_good=False)
    message = in_words(error, protocol)
    cause = error.__cause__
    if message is None and cause is not None:
        message = in_words(cause, protocol)
    if message is not None:
        return Refusal(message)
    if isinstance(cause, EOFError) or isinstance(error, _HUNG_UP):
        message = "closes the connection at once: check PETSTREAM_KAFKA_SECURITY_PROTOCOL "
        message += f"(now {protocol}) and the port in PETSTREAM_KAFKA"
        return Refusal(message, for_good=False)
    why = f"can't be reached ({type(error).__name__})"
    if isinstance(error, socket.gaierror):
        why = "has a name that isn't known here"
    elif isinstance(error, TimeoutError):
        why = f"gives no answer within {_KNOCK_S:.0f} s"
    return Refusal(why, for_good=False, is_away=True)


def in_words(error: BaseException, protocol: str) -> str | None:
    """Return what a refusal is and how to mend it; None for what is no refusal."""
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (
                "refuses the password: check PETSTREAM_KAFKA_SASL_USERNAME, "
                "PETSTREAM_KAFKA_SASL_PASSWORD and PETSTREAM_KAFKA_SASL_MECHANISM"
            )
        case UnsupportedSaslMechanismError():
            return "doesn't know this mechanism: set another PETSTREAM_KAFKA_SASL_MECHANISM"
        case IllegalSaslStateError():
            return (
                "asks for no password: set PETSTREAM_KAFKA_SECURITY_PROTOCOL="
                f"{'SSL' if protocol == 'SASL_SSL' else 'PLAINTEXT'}, or mend PETSTREAM_KAFKA"
            )
        case ssl.SSLCertVerificationError():
            return _of_certificate(error)
        case ssl.SSLError():
            return (
                "doesn't speak TLS as we do "
                f"({(error.reason or 'unknown').lower().replace('_', ' ')}): check "
                "PETSTREAM_KAFKA_SECURITY_PROTOCOL, the port in PETSTREAM_KAFKA, and "
                "PETSTREAM_KAFKA_SSL_CERTFILE if it asks for a certificate"
            )
    return None


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_NAME:
        return (
            "shows a certificate for another name: use a name of the certificate in "
            "PETSTREAM_KAFKA and in the broker's advertised.listeners"
        )
    if error.verify_code in _OUT_OF_DATE:
        return "shows a certificate that isn't valid today: renew it, or set the clock"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return (
            f"shows a certificate of an authority we don't know ({error.verify_message}): set "
            "PETSTREAM_KAFKA_SSL_CAFILE to the PEM file of the authority that signed it"
        )
    return (
        f"shows a certificate that isn't as RFC 5280 wants it ({error.verify_message}): have its "
        "authority issue it anew; Python is strict about that from 3.13 on"
    )
