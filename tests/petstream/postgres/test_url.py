"""The URL of a database, as libpq reads it."""

from __future__ import annotations

import pytest

from petstream.postgres.url import Address, Keepalives, read

SECRET = "canary-Zz9"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("postgresql://me:x@db.example/pets", [("db.example", 5432)]),
        ("postgres://db.example:6543/pets", [("db.example", 6543)]),
        ("postgresql://a,b:5433/pets", [("a", 5432), ("b", 5433)]),
        ("postgresql://a,b/pets?port=5433", [("a", 5433), ("b", 5433)]),
        ("postgresql:///pets?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
        ("postgresql://[::1]:5433,[fe80::1]/pets", [("::1", 5433), ("fe80::1", 5432)]),
        ("postgresql://%2Frun%2Fpostgresql/pets", [("/run/postgresql", 5432)]),
        ("postgresql:///pets?host=/run/postgresql", [("/run/postgresql", 5432)]),
        ("postgresql://:5433/pets", [("localhost", 5433)]),
        ("postgresql:///pets?port=5433", [("localhost", 5433)]),
        ("postgresql:///pets", []),
    ],
)
def test_o6_hosts_and_ports_stand_wherever_libpq_takes_them(
    text: str, addresses: list[tuple[str, int]]
) -> None:
    """O6: several hosts, sockets, and IPv6 addresses, too."""
    assert read(text).addresses == tuple(Address(*address) for address in addresses)


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://me%40here:{SECRET}%23%2F@db/pets%20too",
        f"postgresql://db/?user=me%40here&password={SECRET}%23%2F&dbname=pets%20too",
    ],
)
def test_o6_user_password_and_database_are_decoded_and_never_shown(text: str) -> None:
    """O6: as text, it is hosts and ports alone."""
    url = read(text)
    assert (url.user, url.password, url.database) == ("me@here", f"{SECRET}#/", "pets too")
    assert str(url) == "db:5432"
    assert not [part for part in ("me@here", SECRET, "pets") if part in repr(url)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"mysql://me:{SECRET}@db/pets", "must begin with postgresql://"),
        (f"postgresql+asyncpg://me:{SECRET}@db/pets", "must begin with postgresql://"),
        (f"jdbc:postgresql://db/pets?password={SECRET}", "must begin with postgresql://"),
        (f"postgresql://me:{SECRET}#x@db/pets", "#"),
        (f"postgresql://me:{SECRET}?x@db/pets", "percent-encode|name=value"),
        (f"postgresql://me:{SECRET}?a=b@db/pets", "one of them|percent-encode"),
        (f"postgresql://me:{SECRET}@x@db/pets", "percent-encode"),
        (f"postgresql://me:{SECRET}/x@db/pets", "percent-encode"),
        (f"postgresql://me:{SECRET}@[::1/pets", "isn't a URL"),
        (f"postgresql://me:{SECRET}@a,[::1/pets", "isn't a URL"),
        (f"postgresql://me:{SECRET}@a\x1b/pets", "isn't a URL"),
        (f"postgresql://me:{SECRET}@db:0/pets", "port"),
        (f"postgresql://me:{SECRET}@db:99999/pets", "port"),
        (f"postgresql://me:{SECRET}@a,b/pets?port=1,2,3", "port"),
        (f"postgresql://me:{SECRET}@db/pets?pgbouncer=true", "no parameter pgbouncer"),
        (f"postgresql://me:{SECRET}@db/pets?search_path=x", "no parameter search_path.*options="),
        (f"postgresql://me:{SECRET}@db/pets?{SECRET}", "name=value"),
        (f"postgresql://db/pets?sslpasswort={SECRET}", "no parameter sslpasswort"),
        (f"postgresql://me:{SECRET}@db/pets?sslmode=on&hostaddr=1", "hostaddr: .*|sslmode: .*"),
        (f"postgresql://me:{SECRET}@db/x?sslrootcert=system&sslmode=require", "verify-full"),
    ],
)
def test_o6_what_cannot_be_read_is_said_without_a_secret(text: str, said: str) -> None:
    """O6: an unknown parameter is a mistake, and is named."""
    with pytest.raises(ValueError, match=said) as caught:
        read(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("query", "client"),
    [
        ("sslmode=require&channel_binding=require", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("requiressl=1", {"sslmode": "require"}),
        ("requiressl=1&sslmode=verify-ca", {"sslmode": "verify-ca"}),
        ("sslmode=", {}),
        ("sslmode=verify-ca&sslrootcert=/a", {"sslmode": "verify-ca", "sslrootcert": "/a"}),
    ],
)  # fmt: skip
def test_o6_what_asyncpg_reads_for_itself_is_handed_on(query: str, client: dict[str, str]) -> None:
    """O6: and nothing else: it takes whatever it doesn't know for a setting of the server."""
    assert read(f"postgresql://db/pets?{query}").client == client


def test_o6_the_systems_authorities_check_the_whole_name() -> None:
    """O6: hosted Postgres has certificates that every system trusts."""
    url = read("postgresql://db/pets?sslmode=verify-full&sslrootcert=system")
    assert (url.trusts_system, url.client) == (True, {})


def test_o6_what_is_passed_over_though_it_asks_for_something_is_told() -> None:
    """O6: doctor says it."""
    url = read("postgresql://db/pets?channel_binding=require&load_balance_hosts=random&sslsni=1")
    assert [line.partition(" ")[0] for line in url.passed_over] == [
        "channel_binding=require", "load_balance_hosts=random",
    ]  # fmt: skip
    assert read("postgresql://db/pets?channel_binding=prefer").passed_over == ()


@pytest.mark.parametrize(
    ("query", "seconds"), [("", 10), ("connect_timeout=3", 3), ("connect_timeout=0", 10)]
)
def test_o6_the_time_to_connect_is_taken(query: str, seconds: int) -> None:
    """O6: for ever, as 0 is to libpq, is what nobody wants of a daemon."""
    assert read(f"postgresql://db/pets?{query}").connect_s == seconds


@pytest.mark.parametrize(
    ("query", "keepalives"),
    [
        ("", Keepalives(30, 10, 3, 30_000)),
        ("keepalives=0", None),
        ("keepalives_idle=60&keepalives_interval=5", Keepalives(60, 5, 3, 30_000)),
        ("keepalives_count=9&tcp_user_timeout=1500", Keepalives(30, 10, 9, 1_500)),
        ("keepalives_idle=0", Keepalives()),
    ],
)
def test_o10_the_system_asks_over_an_idle_connection_as_the_url_says(
    query: str, keepalives: Keepalives | None
) -> None:
    """O10: by itself well within the five minutes after which firewalls forget."""
    assert read(f"postgresql://db/pets?{query}").keepalives == keepalives


def test_o6_the_name_of_the_application_and_options_reach_the_server() -> None:
    """O6: a setting of the server is an option, as with libpq."""
    assert read("postgresql://db/pets").startup == {"application_name": "petstream"}
    written = "fallback_application_name=a&application_name=b&options=-c%20search_path%3Dx"
    startup = {"application_name": "b", "options": "-c search_path=x"}
    assert read(f"postgresql://db/pets?{written}").startup == startup
