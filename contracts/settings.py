"""The settings: environment variables, and a ``.env`` file beneath them.

Rule 1: everything is checked at the start, and all that is wrong is said at once, a line each.
Rule 2: a secret is never printed: `FtpUrl` and `Settings` have no revealing repr.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from contracts.errors import UsageError

PREFIX: Final = "PETSTREAM_"


@dataclass(frozen=True)
class FtpUrl:
    """Where the feed is: ``ftp://apikey-KEY:PASSWORD@host[:port]/[dir]``."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    host: str
    port: int
    directory: str = field(repr=False)
    tls: bool


@dataclass(frozen=True)
class KafkaAccess:
    """How to reach Kafka; what isn't set is Kafka's own default."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = field(default=None, repr=False)
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None


@dataclass(frozen=True)
class Settings:
    """Every setting, checked; docs/operating.md has the table."""

    ftp: FtpUrl | None = None
    kafka: KafkaAccess | None = None
    database_url: str | None = field(default=None, repr=False)
    pictures: str | None = None
    data_dir: Path = Path(".petstream")
    topic_prefix: str = "petstream."
    window: tuple[str, str] = ("04:00", "12:00")
    scrub: Literal["weekly", "monthly", "off"] = "weekly"
    removal_max_share: float = 0.10
    removal_max_count: int = 5000
    settle_s: float = 60.0
    archive_days: int = 14
    publish_contacts: bool = False
    console: tuple[str, int] = ("127.0.0.1", 8642)


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Return the settings of the environment and ``.env``, or raise one `UsageError` for all."""
    environment = os.environ if environ is None else environ
    values = {**_read_dotenv(dotenv or Path(".env")), **environment}
    wrong: list[str] = []
    found: dict[str, Any] = {}
    for name, (attribute, read, example) in _SETTINGS.items():
        text = values.get(name, "").strip()
        if text == "":
            continue
        try:
            found[attribute] = read(text)
        except ValueError as error:
            wrong.append(f"{name}: {error}; for example {name}={example}")
    known = set(_SETTINGS) | set(_KAFKA)
    wrong.extend(
        f"{name}: there is no such setting; see docs/operating.md for those there are"
        for name in sorted(values)
        if name.startswith(PREFIX) and name not in known and not name.startswith("PETSTREAM_TEST_")
    )
    if wrong:
        raise UsageError("\n".join(wrong))
    if "kafka" in found:
        extra = {key: values[name] for name, key in _KAFKA.items() if values.get(name)}
        found["kafka"] = KafkaAccess(found["kafka"], **extra)
    return Settings(**found)


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.startswith(PREFIX):
            found[name.strip()] = value.strip().strip("'\"")
    return found


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it isn't a URL") from None  # the cause would show the URL
    return parts


def _ftp(text: str) -> FtpUrl:
    parts = _split(text)
    if parts.scheme not in {"ftp", "ftps"}:
        raise ValueError("it must begin with ftp:// or ftps://")
    if not parts.hostname or not parts.username or parts.password is None:
        raise ValueError("it needs a user, a password and a host")
    directory, user, password = (
        unquote(parts.path), unquote(parts.username), unquote(parts.password),
    )  # fmt: skip
    if re.search(r"[\r\n\0]", directory + user + password):
        raise ValueError("it holds a line break or NUL")
    return FtpUrl(
        user=user,
        password=password,
        host=parts.hostname,
        port=parts.port or 21,
        directory=directory.strip("/"),
        tls=parts.scheme == "ftps",
    )


def _bootstrap(text: str) -> str:
    if not re.fullmatch(r"\s*[^\s,:]+:\d+\s*(,\s*[^\s,:]+:\d+\s*)*", text):
        raise ValueError("it must be host:port, more of them separated by commas")
    return text


def _database(text: str) -> str:
    if _split(text).scheme not in {"postgresql", "postgres"}:
        raise ValueError("it must begin with postgresql://")
    return text


def _pictures(text: str) -> str:
    if text != "off" and not re.match(r"file:///\S|s3://[^/\s]", text):
        raise ValueError("it must be off, file:///dir or s3://bucket/prefix")
    return text


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        raise ValueError("it may hold letters, digits, '.', '_' and '-' only")
    return text


def _window(text: str) -> tuple[str, str]:
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{clock}-{clock}", text) or text[:5] >= text[6:]:
        raise ValueError("it must be two times of one day, HH:MM-HH:MM")
    return text[:5], text[6:]


def _one_of(*words: str) -> Any:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return read


def _share(text: str) -> float:
    value = _number(text)
    if value > 1:
        raise ValueError("it must be a share between 0 and 1")
    return value


def _number(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise ValueError("it must be a number, 0 or more")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError("it must be a whole number, 0 or more")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:  # noqa: PLR2004  the last port there is
        raise ValueError("it must be address:port")
    return host.strip("[]"), int(port)


_SETTINGS: Final[Mapping[str, tuple[str, Any, str]]] = {
    "PETSTREAM_FTP_URL": ("ftp", _ftp, "ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/"),
    "PETSTREAM_KAFKA": ("kafka", _bootstrap, "localhost:9092"),
    "PETSTREAM_DATABASE_URL": ("database_url", _database, "postgresql://me:secret@localhost/pets"),
    "PETSTREAM_PICTURES": ("pictures", _pictures, "file:///var/lib/petstream/pictures"),
    "PETSTREAM_DATA_DIR": ("data_dir", Path, "/var/lib/petstream"),
    "PETSTREAM_TOPIC_PREFIX": ("topic_prefix", _prefix, "petstream."),
    "PETSTREAM_WINDOW": ("window", _window, "04:00-12:00"),
    "PETSTREAM_SCRUB": ("scrub", _one_of("weekly", "monthly", "off"), "weekly"),
    "PETSTREAM_REMOVAL_MAX_SHARE": ("removal_max_share", _share, "0.10"),
    "PETSTREAM_REMOVAL_MAX_COUNT": ("removal_max_count", _count, "5000"),
    "PETSTREAM_SETTLE_S": ("settle_s", _number, "60"),
    "PETSTREAM_ARCHIVE_DAYS": ("archive_days", _count, "14"),
    "PETSTREAM_CONTACTS": (
        "publish_contacts", lambda text: _one_of("omit", "publish")(text) == "publish", "omit",
    ),
    "PETSTREAM_CONSOLE": ("console", _address, "127.0.0.1:8642"),
}  # fmt: skip
_KAFKA: Final = {
    "PETSTREAM_KAFKA_SECURITY_PROTOCOL": "security_protocol",
    "PETSTREAM_KAFKA_SASL_MECHANISM": "sasl_mechanism",
    "PETSTREAM_KAFKA_SASL_USERNAME": "sasl_username",
    "PETSTREAM_KAFKA_SASL_PASSWORD": "sasl_password",
    "PETSTREAM_KAFKA_SSL_CAFILE": "ssl_cafile",
}

NAMES: Final = tuple(_SETTINGS) + tuple(_KAFKA)
"""Every setting there is; docs/operating.md describes each (a test compares)."""
