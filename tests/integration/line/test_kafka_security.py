"""A Kafka with TLS, passwords and rights: the whole line works, and a refusal is one clear line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from kafka_rights import rights_of_the_page
from oauth_server import oauth_server
from secured_kafka import KEEPER, PASSWORD, Authority, Secured, start

from console.embedded import servers
from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.app import consume
from consumers.registry import NAMES
from ingest.run import ingest
from lab.expectations import QUERIES, judge
from lab.simulator import expected, history, serve_ftp, write_export
from petstream import topics
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.admin import delete_topics
from petstream.kafka.client import answers, ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = [
    pytest.mark.servers,
    pytest.mark.leaves_sockets("aiokafka does, where it is not let in"),
]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "kafka-security.md"
FEED = history(seed=5, pets=40, days=1)
USER, FTP_PASSWORD = "apikey-Ab3dEf9h", "canary-password"
WITHIN_S = 45.0  # a one-shot command waits 60 s for a broker that is away: these don't wait


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A Kafka with every way in."""
    home = tmp_path_factory.mktemp("secured")
    try:
        yield start(home)
    finally:
        servers.down(home)


def access(secured: Secured, listener: str, **options: Any) -> KafkaAccess:
    """Return how to come in by a listener as somebody who may do everything, but for `options`."""
    protocols = {"password": "SASL_PLAINTEXT", "both": "SASL_SSL"}
    given: dict[str, Any] = {
        "bootstrap": secured.address(listener),
        "security_protocol": protocols.get(listener, "SSL"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": KEEPER,
        "sasl_password": PASSWORD,
        "ssl_cafile": str(secured.authority.file),
    }
    return KafkaAccess(**(given | options))


async def a_day(
    tmp_path: Path, prefix: str, ingester: KafkaAccess, consumer: KafkaAccess, database_url: str
) -> None:
    """Let one simulated day go through the whole line; see that the views are as the feed says."""
    home = tmp_path / "ftp"
    home.mkdir()
    write_export(home, FEED, 0)
    with serve_ftp(home, user=USER, password=FTP_PASSWORD) as server:
        ftp = FtpUrl(USER, FTP_PASSWORD, "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=ftp, data_dir=tmp_path / "data", topic_prefix=prefix, settle_s=0, pictures="off"
        )
        assert (await ingest(settings, ingester)).exit_status == 0
    await consume(
        NAMES, settings, kafka=consumer, database_url=database_url,
        drain=True, stopping=asyncio.Event(),
    )  # fmt: skip
    rows = await fetch_rows(database_url, QUERIES)
    assert not isinstance(rows, Unavailable)
    assert judge(expected(FEED, 0), rows).differences == ()


@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [("password", "SCRAM-SHA-512"), ("password", "PLAIN"), ("both", "SCRAM-SHA-256"),
     ("both", "PLAIN"), ("certificate", "none"), ("mutual", "none")],
)  # fmt: skip
async def test_a_day_goes_through_a_secured_kafka(  # noqa: PLR0913, PLR0917  a table of cases
    tmp_path: Path,
    secured: Secured,
    prefix: str,
    database_url: str,
    listener: str,
    mechanism: str,
) -> None:
    own = str(secured.authority.issue(KEEPER)) if listener == "mutual" else None
    way = access(secured, listener, sasl_mechanism=mechanism, ssl_certfile=own)
    await a_day(tmp_path, prefix, way, way, database_url)


async def test_a_token_of_an_oauth_server_lets_us_in_and_a_wrong_secret_is_one_line(
    secured: Secured, prefix: str
) -> None:
    with oauth_server(client="petstream", secret="canary-secret", subject=KEEPER) as server:
        by_token = access(
            secured, "token", security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER",
            sasl_username="petstream", sasl_password="canary-secret", oauth_url=server.url,
            oauth_scope="kafka",
        )  # fmt: skip
        await ensure_topics(by_token, prefix)
        await answers(by_token)
        assert server.asked == ["client_credentials kafka"], "one token for all clients"
        wrong = replace(by_token, sasl_password="canary-of-nobody")
        with pytest.raises(UnreachableError, match=r"gives no token \(401\)") as refused:
            await answers(wrong)
        assert "canary" not in str(refused.value)


def rights(who: str, prefix: str) -> list[tuple[str, str, str, bool]]:
    """Return what the page says that somebody may do: operation, kind, name, whether it begins."""
    return [
        (_CLIENTS_NAMES.get(operation, operation.upper()), kind, prefix + name, begins)
        for operation, kind, name, begins in rights_of_the_page(PAGE.read_text("utf-8"), who)
    ]


_CLIENTS_NAMES = {"DescribeConfigs": "DESCRIBE_CONFIGS"}


async def test_the_rights_that_the_page_names_are_enough_and_without_any_nothing_is_made(
    tmp_path: Path, secured: Secured, prefix: str, database_url: str
) -> None:
    for who in ("ingest", "consumers"):
        secured.add_user(f"{prefix}{who}", PASSWORD)
        secured.allow(f"{prefix}{who}", rights(who, prefix))
    way = {who: access(secured, "both", sasl_username=f"{prefix}{who}") for who in
           ("ingest", "consumers")}  # fmt: skip
    await a_day(tmp_path, prefix, way["ingest"], way["consumers"], database_url)
    secured.add_user(f"{prefix}nobody", PASSWORD)
    with pytest.raises(PetstreamError, match="can't be made: TopicAuthorizationFailedError"):
        await ensure_topics(access(secured, "both", sasl_username=f"{prefix}nobody"), prefix)


async def test_with_just_its_rights_nobody_forges_an_event_and_nobody_deletes_a_topic(
    secured: Secured, prefix: str
) -> None:
    """Consumers, who looks, and a site read what ingest writes; none of them writes it."""
    users = {}
    for number, who in enumerate(("ingest", "consumers", "status, doctor, audit", "a subscriber")):
        users[who] = f"{prefix}{number}"
        secured.add_user(users[who], PASSWORD)
        secured.allow(users[who], rights(who, prefix))
    way = {who: access(secured, "both", sasl_username=name) for who, name in users.items()}
    ingester = way.pop("ingest")
    await ensure_topics(ingester, prefix)
    truth = [topic.full_name(prefix) for topic in (topics.PETS, topics.ORGS, topics.EXPORTS)]
    event = ProducerRecord(truth[0], b"1", b"{}", ())
    await send_all(ingester, [event])
    for stranger in way.values():
        assert [record.key for record in await read_topic(stranger, truth[0])] == [b"1"]
        for name in truth:
            with pytest.raises(TopicAuthorizationFailedError):
                await send_all(stranger, [ProducerRecord(name, b"1", b"forged", ())])
    for user in (ingester, *way.values()):
        with pytest.raises(PetstreamError, match="refuses to delete"):
            await delete_topics(user, truth[:1])
    assert len(await read_topic(ingester, truth[0])) == 1


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a wrong password": ("both", {"sasl_password": "canary-wrong"}, "refuses the password"),
    "a wrong password, by PLAIN": (
        "password", {"sasl_password": "canary-wrong", "sasl_mechanism": "PLAIN"},
        "refuses the password",
    ),
    "an unknown user": ("password", {"sasl_username": "canary-nobody"}, "refuses the password"),
    "an unknown authority": ("both", {"ssl_cafile": None}, "an authority we don't know"),
    "a password where none is asked for": (
        "certificate", {"security_protocol": "SASL_SSL"}, "asks for no password",
    ),
    "no certificate of ours": ("mutual", {}, "PETSTREAM_KAFKA_SSL_CERTFILE"),
    "another name at the second step": ("elsewhere", {}, "certificate for another name"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_waiting_wont_mend_ends_even_who_would_wait_for_ever(
    secured: Secured, prefix: str, case: str
) -> None:
    listener, options, said = REFUSED[case]
    way = access(secured, listener, **options)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(PetstreamError, match=said) as raised:
            await ensure_topics(way, prefix, give_up_after_s=None)
        assert not isinstance(raised.value, UnreachableError)
        with pytest.raises(UnreachableError, match=said):
            await answers(way)
    assert "\n" not in str(raised.value)
    assert "canary" not in str(raised.value)


async def test_another_name_in_the_settings_is_said(secured: Secured, prefix: str) -> None:
    way = access(secured, "both", bootstrap=secured.address("both", "localhost"))
    with pytest.raises(PetstreamError, match="certificate for another name"):
        await ensure_topics(way, prefix, give_up_after_s=None)


@pytest.mark.parametrize(
    ("listener", "protocol"),
    [("password", "PLAINTEXT"), ("both", "PLAINTEXT"), ("certificate", "PLAINTEXT"),
     ("both", "SASL_PLAINTEXT"), ("password", "SASL_SSL")],
)  # fmt: skip
async def test_a_listener_that_hangs_up_is_taken_for_one_of_another_protocol(
    secured: Secured, prefix: str, listener: str, protocol: str
) -> None:
    """A broker that is ending hangs up, too: so it is waited for, and told at the end."""
    way = access(secured, listener, security_protocol=protocol)
    with pytest.raises(UnreachableError, match="PETSTREAM_KAFKA_SECURITY_PROTOCOL"):
        await ensure_topics(way, prefix, give_up_after_s=0.1)


async def test_an_authority_of_another_name_is_no_authority(
    tmp_path: Path, secured: Secured, prefix: str
) -> None:
    stranger = Authority(tmp_path)
    way = access(secured, "both", ssl_cafile=str(stranger.file))
    with pytest.raises(PetstreamError, match="an authority we don't know"):
        await ensure_topics(way, prefix, give_up_after_s=None)


@pytest.mark.parametrize("command", [("ingest",), ("consume", "pets", "--drain"), ("status",)])
def test_a_command_says_a_wrong_password_in_one_line_and_ends(
    tmp_path: Path, secured: Secured, database_url: str, command: tuple[str, ...]
) -> None:
    home = tmp_path / "ftp"
    home.mkdir()
    write_export(home, FEED, 0)
    settings = {
        "KAFKA": secured.address("both"),
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
        "KAFKA_SASL_USERNAME": KEEPER,
        "KAFKA_SASL_PASSWORD": "canary-wrong",
        "KAFKA_SSL_CAFILE": str(secured.authority.file),
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path / "data"),
        "SETTLE_S": "0",
    }
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with serve_ftp(home, user=USER, password=FTP_PASSWORD) as server:
        settings["FTP_URL"] = f"ftp://{USER}:{FTP_PASSWORD}@127.0.0.1:{server.port}/"
        done = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "console", *command],
            capture_output=True, text=True, check=False, timeout=WITHIN_S, cwd=tmp_path,
            env=plain | {"PYTHONPATH": str(ROOT)}
            | {f"PETSTREAM_{name}": value for name, value in settings.items()},
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert "Kafka" in line
    assert "canary" not in line + done.stdout
    if command != ("status",):
        assert "PETSTREAM_KAFKA_SASL_PASSWORD" in line
