"""What is said of a broker's certificate that isn't believed: by real handshakes, in memory."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from secured_kafka import Authority

from petstream.kafka.diagnosis import in_words

SHOWN_BY = "127.0.0.1"


def refused(
    certificate: Path, authority: Path, host: str = SHOWN_BY, *, strict: bool = False
) -> str:
    """Return what is said of a handshake with whoever shows that certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(authority))
    if strict:
        client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python is from 3.13 on
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=host)
    theirs = server.wrap_bio(up, down, server_side=True)
    for side in (ours, theirs):
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        ours.do_handshake()
    said = in_words(caught.value, "SSL")
    assert said is not None
    assert "\n" not in said
    return said


def test_an_authority_that_isnt_ours_is_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path)
    said = refused(theirs.issue("broker"), ours.file)
    assert "an authority we don't know" in said
    assert "PETSTREAM_KAFKA_SSL_CAFILE" in said


@pytest.mark.parametrize("began", [9, -3])
def test_a_certificate_that_is_over_or_to_come_isnt_taken_for_a_strangers(
    tmp_path: Path, began: int
) -> None:
    authority = Authority(tmp_path)
    said = refused(authority.issue("broker", begins_days_ago=began), authority.file)
    assert "isn't valid today" in said
    assert "CAFILE" not in said


def test_another_name_is_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    said = refused(authority.issue("broker"), authority.file, "kafka.example.org")
    assert "certificate for another name" in said


def test_what_a_later_python_is_strict_about_isnt_taken_for_a_strangers(tmp_path: Path) -> None:
    """Certificates made by hand often lack their authority's key identifier."""
    authority = Authority(tmp_path)
    plain = authority.issue("broker", with_key_id=False)
    said = refused(plain, authority.file, strict=True)
    assert "RFC 5280" in said
    assert "CAFILE" not in said


def test_the_certificates_of_these_tests_are_as_a_strict_python_wants_them(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    said = refused(authority.issue("broker"), authority.file, "kafka.example.org", strict=True)
    assert "certificate for another name" in said
