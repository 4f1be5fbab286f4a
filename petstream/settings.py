"""The settings: environment variables, and a ``.env`` file beneath them.

Rule 1: everything is checked at the start, and all that is wrong is said at once, a line each.
Rule 2: a secret is never printed: `FtpUrl` and `Settings` have no revealing repr.
Rule 3: ``.env`` is read as python-dotenv reads it, and so as nearly everybody does.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal, get_args

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from petstream import setting_values
from petstream.errors import UsageError
from petstream.setting_values import FtpUrl

__all__ = [
    "NAMES",
    "SETTLED",
    "Compression",
    "FtpUrl",
    "KafkaAccess",
    "Settings",
    "TableFormat",
    "is_strangers",
    "kafka_variables",
    "load",
    "private_directory",
    "texts",
]

PREFIX: Final = "PETSTREAM_"
_BEGINS: Final = re.compile(r"\w{1,60}", re.ASCII)
SETTLED: Final = "PETSTREAM_SETTLED"
"""Set by `up` for its parts: the environment holds every setting, and ``.env`` isn't read."""


Compression = Literal["zstd", "gzip", "snappy", "lz4", "none"]
"""How records are compressed on their way to Kafka, and in its log."""

TableFormat = Literal["json", "connect"]
"""How the rows of table topics are written: alone, or with Kafka Connect's schema beside them."""


@dataclass(frozen=True)
class KafkaAccess:
    """How to reach Kafka, and how to write to it; what isn't set is Kafka's own default."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = field(default=None, repr=False)
    sasl_password: str | None = field(default=None, repr=False)
    oauth_url: str | None = None
    oauth_scope: str | None = None
    aws_region: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    compression: Compression = "zstd"


@dataclass(frozen=True)
class Settings:
    """Every setting, checked; docs/operating.md has the table."""

    ftp: FtpUrl | None = None
    kafka: KafkaAccess | None = None
    kafka_compression: Compression = "zstd"
    database_url: str | None = field(default=None, repr=False)
    pictures: str | None = None
    picture_hosts: frozenset[str] = frozenset()
    picture_trusted_hosts: frozenset[str] = frozenset()
    thumbnails: tuple[int, ...] = (320, 960)
    data_dir: Path = Path(".petstream")
    topic_prefix: str = "petstream."
    window: tuple[str, str] = ("04:00", "12:00")
    scrub: Literal["weekly", "monthly", "off"] = "weekly"
    removal_max_share: float = 0.10
    removal_max_count: int = 5000
    settle_s: float = 60.0
    archive_days: int = 14
    table_topics: bool = False
    table_format: TableFormat = "json"
    publish_contacts: bool = False
    removed_days: int | None = 365
    compiled: bool = True
    log: Literal["auto", "json", "plain"] = "auto"
    console: tuple[str, int] | None = ("127.0.0.1", 8642)
    console_hosts: frozenset[str] = frozenset()
    feeds: Mapping[str, str] = field(default_factory=dict[str, str])
    console_token: str | None = field(default=None, repr=False)
    console_database_url: str | None = field(default=None, repr=False)

    @property
    def pages_database_url(self) -> str | None:
        """Where the pages read: a login of their own, or the one of the consumers."""
        return self.console_database_url or self.database_url


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Return the settings of the environment and ``.env``, or raise one `UsageError` for all."""
    values = texts(environ, dotenv)
    wrong: list[str] = []
    checked: dict[str, Any] = {}
    for name, (attribute, read, example) in _SETTINGS.items():
        text = values.get(name, "").strip()
        if text == "":
            continue
        try:
            checked[attribute] = read(text)
        except ValueError as error:
            wrong.append(f"{name}: {error}; for example {name}={example}")
    extra, wrong_there = setting_values.kafka_access(values, _KAFKA)
    wrong += wrong_there
    known = set(_SETTINGS) | set(_KAFKA) | {SETTLED}
    wrong.extend(
        f"{_shown(name)}: there is no such setting; see docs/operating.md for those there are"
        for name in sorted(values)
        if name not in known and not name.startswith("PETSTREAM_TEST_")
    )
    if wrong:
        raise UsageError("\n".join(wrong))
    if "kafka" in checked:
        compression = checked.get("kafka_compression", KafkaAccess.compression)
        checked["kafka"] = KafkaAccess(checked["kafka"], **extra, compression=compression)
    return Settings(**checked)


def kafka_variables(access: KafkaAccess) -> dict[str, str]:
    """Return the settings that `load` makes this of, by name; without those that are the default.

    >>> kafka_variables(KafkaAccess("k:9092", compression="gzip"))
    {'PETSTREAM_KAFKA': 'k:9092', 'PETSTREAM_KAFKA_COMPRESSION': 'gzip'}
    """
    values = {
        f"{PREFIX}KAFKA_{part.name.upper()}": str(getattr(access, part.name))
        for part in fields(access)
        if part.name != "bootstrap" and getattr(access, part.name) != part.default
    }
    return {f"{PREFIX}KAFKA": access.bootstrap} | values


def _shown(name: str) -> str:
    """Return a name that isn't ours up to what no name has: a quote too many runs on to secrets."""
    begins = _BEGINS.match(name)
    shown = begins[0] if begins else PREFIX
    return shown if shown == name else f"{shown}…"


def texts(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> dict[str, str]:
    """Return what is set, as it was written and unchecked: the environment, ``.env`` beneath it."""
    environment = os.environ if environ is None else environ
    beneath = {} if environment.get(SETTLED) else _read_dotenv(dotenv or Path(".env"))
    return beneath | {name: text for name, text in environment.items() if name.startswith(PREFIX)}


def private_directory(directory: Path, *, ours: bool = True) -> None:
    """Make a directory that only we may enter; so are those above it that weren't there.

    Args:
        directory: where.
        ours: nothing but ours is in it: others that may enter it since earlier are shut out.

    Raises:
        OSError: it can't be made, or somebody made it before us, to read what we put into it.
    """
    for each in (*reversed(directory.parents), directory):
        if not each.exists():  # `parents=True` would make what is above it for all to enter
            each.mkdir(mode=0o700, exist_ok=True)
    state = directory.stat()
    if ours and is_strangers(state):
        raise PermissionError(errno.EPERM, "it belongs to another user", str(directory))
    if ours and state.st_mode & 0o077 and state.st_uid == os.geteuid():
        directory.chmod(0o700)


def is_strangers(state: os.stat_result) -> bool:
    """Tell whether a file is another user's, who may change it: not ours, nor the system's.

    To root nobody is a stranger: it may be at work for whom the file belongs to.
    """
    user = os.geteuid()
    return user != 0 and state.st_uid not in {0, user}


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    if is_strangers(path.stat()):
        raise UsageError(
            f"{path.absolute()} belongs to another user, and could name servers of theirs: it "
            "isn't read. Work in a directory of your own, or make the file yours"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read as text ({type(error).__name__})") from None
    lost = [
        f"{path}, line {statement.original.line}: it can't be read; is a quote missing?"
        for statement in parse_stream(StringIO(text))
        if statement.error and PREFIX in statement.original.string
    ]
    if lost:
        raise UsageError("\n".join(lost))
    written = dotenv_values(stream=StringIO(text))
    return {name: value or "" for name, value in written.items() if name.startswith(PREFIX)}


_SETTINGS: Final[Mapping[str, tuple[str, Any, str]]] = {
    "PETSTREAM_FTP_URL": (
        "ftp",
        setting_values.ftp_url,
        "ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/",
    ),
    "PETSTREAM_KAFKA": ("kafka", setting_values.bootstrap, "localhost:9092"),
    "PETSTREAM_KAFKA_COMPRESSION": (
        "kafka_compression",
        setting_values.one_of(*get_args(Compression)),
        "gzip",
    ),
    "PETSTREAM_DATABASE_URL": (
        "database_url",
        setting_values.database_url,
        "postgresql://me:secret@localhost/pets",
    ),
    "PETSTREAM_PICTURES": ("pictures", setting_values.picture_store, "file:///var/lib/petstream/pictures"),
    "PETSTREAM_PICTURE_HOSTS": ("picture_hosts", setting_values.hosts, "cdn.rescuegroups.org"),
    "PETSTREAM_PICTURE_TRUSTED_HOSTS": (
        "picture_trusted_hosts",
        setting_values.hosts_with_ports,
        "127.0.0.1:8080",
    ),
    "PETSTREAM_THUMBNAILS": ("thumbnails", setting_values.pixels, "320,960"),
    "PETSTREAM_DATA_DIR": ("data_dir", Path, "/var/lib/petstream"),
    "PETSTREAM_TOPIC_PREFIX": ("topic_prefix", setting_values.topic_prefix, "petstream."),
    "PETSTREAM_WINDOW": ("window", setting_values.window, "04:00-12:00"),
    "PETSTREAM_SCRUB": ("scrub", setting_values.one_of("weekly", "monthly", "off"), "weekly"),
    "PETSTREAM_REMOVAL_MAX_SHARE": ("removal_max_share", setting_values.share, "0.10"),
    "PETSTREAM_REMOVAL_MAX_COUNT": ("removal_max_count", setting_values.count, "5000"),
    "PETSTREAM_SETTLE_S": ("settle_s", setting_values.number, "60"),
    "PETSTREAM_ARCHIVE_DAYS": ("archive_days", setting_values.count, "14"),
    "PETSTREAM_CONTACTS": (
        "publish_contacts",
        lambda text: setting_values.one_of("omit", "publish")(text) == "publish",
        "omit",
    ),
    "PETSTREAM_TABLE_TOPICS": (
        "table_topics",
        lambda text: setting_values.one_of("off", "on")(text) == "on",
        "on",
    ),
    "PETSTREAM_TABLE_FORMAT": (
        "table_format",
        setting_values.one_of(*get_args(TableFormat)),
        "connect",
    ),
    "PETSTREAM_REMOVED_DAYS": ("removed_days", setting_values.days, "365"),
    "PETSTREAM_COMPILED": (
        "compiled",
        lambda text: setting_values.one_of("on", "off")(text) == "on",
        "off",
    ),
    "PETSTREAM_LOG": ("log", setting_values.one_of("auto", "json", "plain"), "json"),
    "PETSTREAM_CONSOLE": ("console", setting_values.address, "127.0.0.1:8642"),
    "PETSTREAM_CONSOLE_HOSTS": ("console_hosts", setting_values.hosts, "pets.example.org"),
    "PETSTREAM_FEEDS": ("feeds", setting_values.feeds, "second=http://127.0.0.1:8643"),
    "PETSTREAM_CONSOLE_DATABASE_URL": (
        "console_database_url",
        setting_values.database_url,
        "postgresql://petstream_console:secret@localhost/pets",
    ),
    "PETSTREAM_CONSOLE_TOKEN": ("console_token", setting_values.token, "0f3c9a1e5b7d2468ace0"),
}  # fmt: skip
_KAFKA: Final = {
    "PETSTREAM_KAFKA_SECURITY_PROTOCOL": "security_protocol",
    "PETSTREAM_KAFKA_SASL_MECHANISM": "sasl_mechanism",
    "PETSTREAM_KAFKA_SASL_USERNAME": "sasl_username",
    "PETSTREAM_KAFKA_SASL_PASSWORD": "sasl_password",
    "PETSTREAM_KAFKA_OAUTH_URL": "oauth_url",
    "PETSTREAM_KAFKA_OAUTH_SCOPE": "oauth_scope",
    "PETSTREAM_KAFKA_AWS_REGION": "aws_region",
    "PETSTREAM_KAFKA_SSL_CAFILE": "ssl_cafile",
    "PETSTREAM_KAFKA_SSL_CERTFILE": "ssl_certfile",
    "PETSTREAM_KAFKA_SSL_KEYFILE": "ssl_keyfile",
}

NAMES: Final = tuple(_SETTINGS) + tuple(_KAFKA)
"""Every setting there is; docs/operating.md describes each (a test compares)."""
