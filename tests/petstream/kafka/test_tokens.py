"""Tokens for Kafka: from an OAuth server, used again while they are good, signed for Amazon MSK."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest
from oauth_server import oauth_server

from petstream.errors import PetstreamError, UsageError
from petstream.kafka import tokens
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess, load


def access(url: str, secret: str, client: str = "petstream") -> KafkaAccess:
    return KafkaAccess(
        "k:9092", security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", oauth_url=url,
        sasl_username=client, sasl_password=secret,
    )  # fmt: skip


async def test_a_token_is_used_again_until_little_of_its_time_is_left() -> None:
    now = [0.0]
    given = iter((tokens.Token("first", 100), tokens.Token("second", 100)))
    provider = tokens.Tokens(lambda: next(given), clock=lambda: now[0])
    shown = []
    for now[0] in (0.0, 89.0, 91.0):
        shown.append(await provider.token())
    assert shown == ["first", "first", "second"]


async def test_a_client_asks_for_a_token_by_its_id_and_secret_and_no_message_holds_them() -> None:
    with oauth_server(client="petstream", secret="plain-secret", subject="x") as server:
        right = client_options(access(server.url, secret="plain-secret"))
        assert (await right["sasl_oauth_token_provider"].token()).endswith(".")
        assert right["sasl_mechanism"] == "OAUTHBEARER"
        assert "sasl_plain_password" not in right
        wrong = client_options(access(server.url, "a secret: ü"))["sasl_oauth_token_provider"]
        with pytest.raises(tokens.TokenError, match=r"no token \(401\)") as refused:
            await wrong.token()
    assert "secret:" not in str(refused.value)
    gone = client_options(access(server.url, "plain-secret", client="other"))[
        "sasl_oauth_token_provider"
    ]
    with pytest.raises(tokens.TokenError, match="gives no token"):
        await gone.token()


async def test_amazons_signer_gives_the_token_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    amazon = KafkaAccess(
        "k:9098", security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM", aws_region="eu-west-1"
    )
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(PetstreamError, match="pip install aws-msk-iam-sasl-signer-python"):
        await tokens.tokens(amazon).token()
    asked: list[str] = []

    def generate(region: str) -> tuple[str, float]:
        asked.append(region)
        return "signed", (time.time() + 900) * 1000

    signer = SimpleNamespace(MSKAuthTokenProvider=SimpleNamespace(generate_auth_token=generate))
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", signer)
    assert [await tokens.tokens(amazon).token() for _ in range(2)] == ["signed", "signed"]
    assert asked == ["eu-west-1"]


@pytest.mark.parametrize(
    ("mechanism", "lacking"),
    [
        ("OAUTHBEARER", ["SASL_USERNAME", "SASL_PASSWORD", "OAUTH_URL"]),
        ("AWS_MSK_IAM", ["AWS_REGION"]),
        ("PLAIN", ["SASL_USERNAME", "SASL_PASSWORD"]),
    ],
)
def test_what_a_mechanism_needs_is_named_where_it_lacks(mechanism: str, lacking: list[str]) -> None:
    values = {
        "PETSTREAM_SETTLED": "1",
        "PETSTREAM_KAFKA": "k:9092",
        "PETSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "PETSTREAM_KAFKA_SASL_MECHANISM": mechanism,
    }
    with pytest.raises(UsageError) as refused:
        load(values)
    names = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert names == [f"PETSTREAM_KAFKA_{name}" for name in lacking]


@pytest.mark.parametrize("url", ["ftp://x/", "https://me:secret@x/", "token"])
def test_the_address_of_an_oauth_server_is_a_web_address_without_a_login(url: str) -> None:
    values = {"PETSTREAM_SETTLED": "1", "PETSTREAM_KAFKA_OAUTH_URL": url}
    with pytest.raises(UsageError, match="PETSTREAM_KAFKA_OAUTH_URL: it must") as refused:
        load(values)
    assert "secret" not in str(refused.value)
