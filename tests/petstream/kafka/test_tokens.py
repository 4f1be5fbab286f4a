"""Tokens for Kafka: from an OAuth server, used again while they are good, signed for Amazon MSK."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

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


AMAZON = KafkaAccess(
    "k:9098", security_protocol="SASL_SSL", sasl_mechanism="AWS_MSK_IAM", aws_region="eu-north-1"
)


async def test_a_token_for_amazon_is_a_presigned_url_by_the_rules_of_signature_version_4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signer itself, judged by arithmetic of our own."""
    tokens.tokens.cache_clear()
    secret = "an/example+of=a-secret"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of/a+role==")
    options = client_options(AMAZON)
    text = await options["sasl_oauth_token_provider"].token()

    assert options["sasl_mechanism"] == "OAUTHBEARER"
    assert not set(text) & set("+/=")
    url = urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    query = dict(parse_qsl(url.query, strict_parsing=True))
    assert (url.scheme, url.netloc, url.path) == ("https", "kafka.eu-north-1.amazonaws.com", "/")
    scope = f"{query['X-Amz-Date'][:8]}/eu-north-1/kafka-cluster/aws4_request"
    given = query.pop("X-Amz-Signature")
    assert query.pop("User-Agent").startswith("aws-msk-iam-sasl-signer-python/")
    assert query == {
        "Action": "kafka-cluster:Connect",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIDEXAMPLE/{scope}",
        "X-Amz-Date": query["X-Amz-Date"],
        "X-Amz-Expires": "900",
        "X-Amz-Security-Token": "of/a+role==",
        "X-Amz-SignedHeaders": "host",
    }
    assert given == _signature_v4(url.netloc, query, scope, secret)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ANOTHER")
    assert await tokens.tokens(AMAZON).token() == text, "it is good for a quarter of an hour"


async def test_a_token_for_amazon_is_signed_anew_before_its_quarter_of_an_hour_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        lasts_s = (await asyncio.to_thread(tokens.of_amazon, "eu-north-1")).lasts_s
        assert 600 < lasts_s <= 900, zone
    monkeypatch.undo()
    time.tzset()


def _signature_v4(host: str, query: dict[str, str], scope: str, secret: str) -> str:
    """Sign a GET of `/` whose body is empty and whose one header is the host."""
    pairs = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in query.items())
    canonical = (
        "GET\n/\n" + "&".join("=".join(pair) for pair in pairs) + f"\nhost:{host}\n\nhost\n"
        + hashlib.sha256(b"").hexdigest()
    )  # fmt: skip
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


async def test_without_amazons_signer_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens.tokens.cache_clear()
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer.MSKAuthTokenProvider", None)
    with pytest.raises(PetstreamError, match="pip install aws-msk-iam-sasl-signer-python"):
        await tokens.tokens(AMAZON).token()


async def test_where_no_credentials_of_aws_are_to_be_had_one_line_says_where_they_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokens.tokens.cache_clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(tokens.TokenError, match="AWS_ACCESS_KEY_ID"):
        await tokens.tokens(AMAZON).token()
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this")
    with pytest.raises(tokens.TokenError, match="ProfileNotFound"):
        await tokens.tokens(AMAZON).token()


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
