"""Why Postgres or a pooler refuses, in words."""

from __future__ import annotations

import ssl
from typing import Final

import pytest

from consumers.engine import refusals

OF_POSTGRES_18: Final = (
    "BIG5", "EUC_CN", "EUC_JP", "EUC_JIS_2004", "EUC_KR", "EUC_TW", "GB18030", "GBK",
    "ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8", "JOHAB", "KOI8R", "KOI8U",
    "LATIN1", "LATIN2", "LATIN3", "LATIN4", "LATIN5", "LATIN6", "LATIN7", "LATIN8", "LATIN9",
    "LATIN10", "MULE_INTERNAL", "SJIS", "SHIFT_JIS_2004", "SQL_ASCII", "UHC", "WIN866",
    "WIN874", "WIN1250", "WIN1251", "WIN1252", "WIN1253", "WIN1254", "WIN1255", "WIN1256",
    "WIN1257", "WIN1258",
)  # fmt: skip
"""All encodings of a server or a client but UTF8."""


@pytest.mark.parametrize("encoding", OF_POSTGRES_18)
def test_o2_every_other_encoding_is_refused_by_its_name(encoding: str) -> None:
    """O2: pets with letters that it lacks were parked in silence, under status 0."""
    said = refusals.of_encoding(encoding)
    assert said is not None
    assert encoding in said
    assert "ENCODING 'UTF8'" in said


def test_o2_utf8_is_right() -> None:
    """O2: Postgres calls it so, whatever was written as it was made."""
    assert refusals.of_encoding("UTF8") is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("unsupported startup parameter: options", "ignore_startup_parameters=options"),
        ("unsupported startup parameter in options: search_path", "search_path"),
        ("transaction blocks not allowed in statement pooling mode", "pool_mode=transaction"),
        ("no such database: pets", "user, password or database"),
        ("no such user: me", "user, password or database"),
        ("password authentication failed", "user, password or database"),
        ("SASL authentication failed", "user, password or database"),
        ("SSL required", "sslmode=require"),
    ],
)
def test_o3_what_a_pooler_says_is_told_by_what_to_set(message: str, said: str) -> None:
    """O3: its errors all have one code, that of a broken protocol."""
    line = refusals.of_pooler(message)
    assert line is not None
    assert said in line


@pytest.mark.parametrize(
    "message",
    ["pgbouncer cannot connect to server", "query_wait_timeout", "server conn crashed?"],
)
def test_o3_what_a_pooler_says_of_its_server_is_waited_for(message: str) -> None:
    """O3: the server may be back soon."""
    assert refusals.of_pooler(message) is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("42501", "owner of the schema"),
        ("42P01", "petstream migrate"),
        ("3F000", "petstream migrate"),
        ("42P05", "pool_mode"),
        ("26000", "pool_mode"),
        ("58030", "see its log"),
        ("XX001", "see its log"),
    ],
)
def test_o7_no_refusal_of_the_servers_is_a_bug_of_ours(state: str, said: str) -> None:
    """O7: rights, missing tables, a pooler's mixture, and its own failures."""
    line = refusals.of_state(state, "SomeError")
    assert line is not None
    assert said in line


@pytest.mark.parametrize("state", ["42601", "40001", "22021", "53300"])
def test_what_is_ours_or_passes_or_is_about_a_datum_is_no_refusal(state: str) -> None:
    assert refusals.of_state(state, "SomeError") is None


def test_tls_that_is_cut_off_is_waited_for_and_tls_that_is_refused_is_not() -> None:
    assert refusals.of_network(ssl.SSLEOFError()) is None
    assert "TLS" in (refusals.of_network(ssl.SSLError(1, "x")) or "")
    asked = ConnectionError('PostgreSQL server at "a:1" rejected SSL upgrade')
    assert "offers no TLS" in (refusals.of_network(asked) or "")
    assert refusals.of_network(ConnectionRefusedError()) is None
