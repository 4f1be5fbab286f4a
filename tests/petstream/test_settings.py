"""The settings: all that is wrong at once, and no secret ever shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from petstream.errors import UsageError
from petstream.settings import NAMES, Settings, load, private_directory

KEY, PASSWORD = "AbCd1234", "hunter2-Zz"
NOWHERE = Path("no-such.env")
URL = f"ftp://apikey-{KEY}:{PASSWORD}@ftp.example.org/home"


def read(**values: str) -> Settings:
    return load({f"PETSTREAM_{name}": value for name, value in values.items()}, NOWHERE)


def test_nothing_set_gives_the_defaults() -> None:
    assert load({}, NOWHERE) == Settings()


def test_an_empty_value_is_as_if_it_were_not_set() -> None:
    assert read(SCRUB="", KAFKA=" ") == Settings()


def test_the_ftp_url_is_taken_apart() -> None:
    ftp = read(FTP_URL=f"ftps://apikey-{KEY}:p%40ss@ftp.example.org:2121/a/b/").ftp
    assert ftp is not None
    assert (ftp.user, ftp.password) == (f"apikey-{KEY}", "p@ss")
    assert (ftp.host, ftp.port, ftp.directory, ftp.tls) == ("ftp.example.org", 2121, "a/b", True)


def test_kafka_takes_its_further_settings() -> None:
    kafka = read(
        KAFKA="a:1,b:2",
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_USERNAME="me",
        KAFKA_SASL_PASSWORD=PASSWORD,
    ).kafka
    assert kafka is not None
    assert (kafka.bootstrap, kafka.security_protocol) == ("a:1,b:2", "SASL_SSL")
    assert kafka.sasl_password == PASSWORD


def test_all_that_is_wrong_is_said_at_once_a_line_each_with_an_example() -> None:
    """T52: nothing is started before it is mended."""
    wrong = {
        "FTP_URL": "http://x",
        "KAFKA": "nowhere",
        "DATABASE_URL": "mysql://x",
        "PICTURES": "somewhere",
        "TOPIC_PREFIX": "a b",
        "WINDOW": "12:00-04:00",
        "SCRUB": "daily",
        "REMOVAL_MAX_SHARE": "10",
        "REMOVAL_MAX_COUNT": "-1",
        "SETTLE_S": "soon",
        "ARCHIVE_DAYS": "1.5",
        "CONTACTS": "yes",
        "CONSOLE": "8642",
        "CONSOLE_TOKEN": "too-short",
    }
    with pytest.raises(UsageError) as caught:
        read(**wrong)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(wrong)
    for name in wrong:
        (line,) = (said for said in lines if said.startswith(f"PETSTREAM_{name}:"))
        assert f"for example PETSTREAM_{name}=" in line
    assert caught.value.exit_status == 2


def test_a_misspelt_setting_is_not_passed_over() -> None:
    with pytest.raises(UsageError, match="PETSTREAM_KAFAK: there is no such setting"):
        read(KAFAK="localhost:9092")


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://apikey-{KEY}:{PASSWORD}@",
        f"http://apikey-{KEY}:{PASSWORD}@ftp.example.org/",
        f"ftp://apikey-{KEY}:{PASSWORD}@ftp.example.org:port/",
        f"ftp://apikey-{KEY}:{PASSWORD}@[ftp.example.org/",
        f"ftp://apikey-{KEY}:{PASSWORD}%0a@ftp.example.org/",
        f"ftp://apikey-{KEY}@{PASSWORD}",
    ],
)
def test_a_wrong_ftp_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(FTP_URL=url)
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert KEY not in shown
    assert PASSWORD not in shown


def test_no_secret_is_in_a_repr() -> None:
    settings = read(
        FTP_URL=URL,
        DATABASE_URL=f"postgresql://me:{PASSWORD}@localhost/pets",
        KAFKA="a:1",
        KAFKA_SASL_USERNAME=KEY,
        KAFKA_SASL_PASSWORD=PASSWORD,
    )
    for shown in (repr(settings), str(settings), repr(settings.ftp), repr(settings.kafka)):
        assert KEY not in shown
        assert PASSWORD not in shown


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# mine\nexport PETSTREAM_SCRUB='monthly'\nPETSTREAM_ARCHIVE_DAYS=3\nOTHER=1\n",
        encoding="utf-8",
    )
    settings = load({"PETSTREAM_ARCHIVE_DAYS": "5"}, file)
    assert (settings.scrub, settings.archive_days) == ("monthly", 5)


def test_every_setting_is_known_once() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert all(name.startswith("PETSTREAM_") for name in NAMES)


@pytest.mark.parametrize(
    ("written", "kafka"),
    [
        (b"\xef\xbb\xbfPETSTREAM_KAFKA=broker:1\n", "broker:1"),
        (b"\xef\xbb\xbf# a comment\r\nPETSTREAM_KAFKA=broker:1\r\n", "broker:1"),
        (b"PETSTREAM_KAFKA=broker:1 # ours\n", "broker:1"),
        (b"PETSTREAM_KAFKA=broker:1\t# ours", "broker:1"),
        (b'PETSTREAM_KAFKA="broker:1" # "ours"\n', "broker:1"),
        (b"PETSTREAM_KAFKA='broker:1'\n", "broker:1"),
        (b"  export  PETSTREAM_KAFKA = broker:1 \n", "broker:1"),
        (b"#PETSTREAM_KAFKA=other:1\nPETSTREAM_KAFKA=broker:1", "broker:1"),
        (b"PETSTREAM_KAFKA=other:1\nPETSTREAM_KAFKA=broker:1\n", "broker:1"),
        (b"HOST=broker\nPETSTREAM_KAFKA=${HOST}:1\n", "broker:1"),
        (b"not a setting\nPETSTREAM_KAFKA=broker:1\n", "broker:1"),
    ],
)  # fmt: skip
def test_f14_a_dotenv_file_is_read_as_others_read_it(
    tmp_path: Path, written: bytes, kafka: str
) -> None:
    """F14."""
    file = tmp_path / ".env"
    file.write_bytes(written)
    access = load({}, file).kafka
    assert access is not None
    assert access.bootstrap == kafka


def test_f14_a_sign_of_a_password_begins_no_comment(tmp_path: Path) -> None:
    """F14: only behind a blank it does."""
    file = tmp_path / ".env"
    file.write_bytes(b"PETSTREAM_FTP_URL=ftp://apikey-K:p%23#w@h/ # the feed\n")
    with pytest.raises(UsageError):  # `#` begins the fragment of a URL
        load({}, file)
    file.write_bytes(b"PETSTREAM_CONSOLE_TOKEN=0123456789abcdef#0123 # it\n")
    assert load({}, file).console_token == "0123456789abcdef#0123"


def test_f14_a_line_of_ours_that_cannot_be_read_is_named_without_what_it_says(
    tmp_path: Path,
) -> None:
    """F14: no setting is lost in silence."""
    file = tmp_path / ".env"
    file.write_bytes(
        b'PETSTREAM_KAFKA=b:1\nPETSTREAM_FTP_URL="ftp://a:secret@h/\nPETSTREAM_LOG=json\n'
    )
    with pytest.raises(UsageError, match="line 2: it can't be read") as caught:
        load({}, file)
    assert "secret" not in str(caught.value)


def test_f14_a_quote_before_a_name_shows_none_of_the_lines_behind_it(tmp_path: Path) -> None:
    """F14, T27: found by fuzzing: what stands in quotes there is a name, with all the secrets."""
    file = tmp_path / ".env"
    file.write_bytes(b"'PETSTREAM_LOG=json\nPETSTREAM_FTP_URL=ftp://a:secret@h/'\n")
    with pytest.raises(UsageError) as caught:
        load({}, file)
    assert str(caught.value).startswith("PETSTREAM_LOG…: there is no such setting")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_f14_an_editors_byte_order_mark_costs_no_setting(tmp_path: Path) -> None:
    """F14: Windows' own editor begins every file with one."""
    path = tmp_path / ".env"
    path.write_text("PETSTREAM_SCRUB=monthly\n", encoding="utf-8-sig")
    assert load({}, path).scrub == "monthly"


@pytest.mark.parametrize(("ours", "afterwards"), [(True, 0o700), (False, 0o755)])
def test_s9_what_we_make_is_for_us_alone_and_what_is_others_stays_theirs(
    tmp_path: Path, *, ours: bool, afterwards: int
) -> None:
    """S9: a data directory may be one that somebody has put other things into."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    private_directory(theirs, ours=ours)
    before = os.umask(0o022)
    try:
        private_directory(tmp_path / "above" / "new", ours=ours)
        private_directory(tmp_path / "theirs" / "new", ours=ours)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in
             ("theirs", "theirs/new", "above", "above/new")}  # fmt: skip
    assert modes == {"theirs": afterwards, "theirs/new": 0o700, "above": 0o700, "above/new": 0o700}


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIACANARY:canary@bucket/pets", "s3://AKIACANARY:ca/na+ry@bucket", "s3://canary@bucket",
    ],
)  # fmt: skip
def test_t27_a_bucket_with_a_login_in_its_url_is_refused_and_not_shown(url: str) -> None:
    """T27: doctor and every trouble with the store would say it."""
    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY") as caught:
        read(PICTURES=url)
    assert "canary" not in str(caught.value).lower()


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my.bucket-1/a:b@c/d", "file:///a:b@c"])
def test_a_picture_store_may_have_any_path(url: str) -> None:
    assert read(PICTURES=url).pictures == url


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that another user has made, who is neither us nor root."""
    directory = tmp_path / "theirs"
    directory.mkdir()
    if os.geteuid() == 0:
        os.chown(directory, 65_534, 65_534)
    monkeypatch.setattr(os, "geteuid", lambda: 1_234)
    return directory


def test_s9_nothing_is_kept_in_what_a_stranger_made_for_us(strangers: Path) -> None:
    """S9: who makes `archive` before us reads what comes into it; by a link, too."""
    link = strangers.parent / "archive"
    link.symlink_to(strangers)
    for directory in (strangers, link):
        with pytest.raises(PermissionError, match="it belongs to another user"):
            private_directory(directory)
    private_directory(strangers, ours=False)  # as a place to make ours in


def test_s13_settings_of_a_stranger_are_not_read(strangers: Path) -> None:
    """S13: where petstream is begun, anybody's `.env` would name anybody's servers."""
    written = strangers / ".env"
    written.write_text("PETSTREAM_KAFKA=evil.example:9092\n")
    os.chown(written, strangers.stat().st_uid, -1)
    with pytest.raises(UsageError, match=r"\.env belongs to another user") as caught:
        load({}, written)
    assert "evil" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_root_wrote_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a service, whose user may not change them."""
    written = tmp_path / ".env"
    written.write_text("PETSTREAM_SCRUB=monthly\n")
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: 1_234)
    assert load({}, written).scrub == "monthly"
