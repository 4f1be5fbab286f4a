"""The URL of a Postgres database, read as libpq reads it. Pure.

Rule 1: a parameter that libpq doesn't know is a mistake, and is said with its name.
Rule 2: no message holds a value: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from petstream.postgres.parameters import NO, PARAMETERS

PORT: Final = 5432
_LAST_PORT: Final = 65_535
_CONNECT_S: Final = 10
_SYSTEM: Final = "system"
# urlsplit of newer Pythons takes no second host with brackets
_URL: Final = re.compile(
    r"postgres(?:ql)?://(?P<netloc>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?",
    re.DOTALL | re.IGNORECASE,
)
_ENCODE: Final = "percent-encode special characters of user and password, as %40 for @"


class _Parts(NamedTuple):
    """The parts of a URL, as they are written."""

    netloc: str
    path: str
    query: str


class Keepalives(NamedTuple):
    """When the system asks whether the server of an idle connection is still there.

    A firewall forgets a connection over which nothing goes, after five minutes or so.
    """

    idle_s: int = 30
    interval_s: int = 10
    probes: int = 3
    unacknowledged_ms: int = 30_000


_USUAL: Final = Keepalives()


class Address(NamedTuple):
    """Where a server listens; a host that begins with ``/`` is a directory of sockets."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class PostgresUrl:
    """What a URL asks for; as text it is hosts and ports, and nothing else of it.

    Attributes:
        addresses: of the servers, in order; none: as libpq's variables say.
        user: who connects; None: as libpq's variables say, or the system's user.
        password: None: as libpq's variables or its password file say.
        database: its name; None: that of the user.
        client: what asyncpg reads for itself.
        startup: the server's parameters, sent as a connection begins.
        connect_s: how long a connection may take to begin.
        keepalives: None: the system never asks.
        trusts_system: the server's certificate is checked against the system's authorities.
        passed_over: a line for each parameter that asked for what isn't done.
    """

    addresses: tuple[Address, ...] = ()
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    database: str | None = field(default=None, repr=False)
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    startup: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_s: int = _CONNECT_S
    keepalives: Keepalives | None = _USUAL
    trusts_system: bool = False
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return hosts and ports.

        >>> str(read("postgresql://me:secret@localhost,[::1]:5433/pets"))
        'localhost:5432,[::1]:5433'
        """
        return ",".join(map(str, self.addresses)) or f"localhost:{PORT}"

    @property
    def dsn(self) -> str:
        """What asyncpg reads for itself, as a URL without a host."""
        return f"postgresql:///?{urlencode(self.client)}" if self.client else "postgresql:///"


def read(text: str) -> PostgresUrl:
    """Read a URL.

    Raises:
        ValueError: it can't be used; the message says why, without a value.
    """
    parts = _split(text)
    values = _values(parts.query)
    wrong = [
        f"{name}: {problem}"
        for name, value in values.items()
        if (problem := PARAMETERS[name].problem(value)) is not None
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    user, has_password, password = parts.netloc.rpartition("@")[0].partition(":")
    hosts = parts.netloc.rpartition("@")[2] or values.get("host", "")
    client = {name: value for name, value in values.items() if PARAMETERS[name].is_client}
    if values.get("ssl") == "true" or values.get("requiressl") == "1":
        client.setdefault("sslmode", "require")
    trusts_system = client.get("sslrootcert") == _SYSTEM
    if trusts_system:
        if client.get("sslmode", "verify-full") != "verify-full":
            raise ValueError("sslrootcert: with system, sslmode must be verify-full")
        del client["sslrootcert"]
        client.pop("sslmode", None)
    return PostgresUrl(
        addresses=_addresses(hosts, values.get("port", "")),
        user=unquote(user) or values.get("user"),
        password=unquote(password) if has_password else values.get("password"),
        database=unquote(parts.path.removeprefix("/")) or values.get("dbname"),
        client=client,
        startup=_startup(values),
        connect_s=_connect_s(values.get("connect_timeout", "0")),
        keepalives=_keepalives(values),
        trusts_system=trusts_system,
        passed_over=tuple(
            f"{name}={value} is passed over: {PARAMETERS[name].why}"
            for name, value in values.items()
            if value in PARAMETERS[name].tells
        ),
    )


def _split(text: str) -> _Parts:
    if "#" in text:
        raise ValueError(f"it holds a #: {_ENCODE}, and as %23 for #")
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("it must begin with postgresql://")
    parts = _Parts(**match.groupdict(default=""))
    if parts.netloc.count("@") > 1:
        raise ValueError(f"it holds more than one @: {_ENCODE}")
    if not parts.netloc.isprintable():
        raise ValueError(f"it isn't a URL: {_ENCODE}")
    return parts


def _values(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("what stands behind its ? must be name=value, joined by &") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in PARAMETERS:
            # a name is shown only if it may be one: after a ? in a password it is a part of that
            shown = name if name.replace("_", "").isalnum() and "@" not in query else "one of them"
            raise ValueError(
                f"libpq knows no parameter {shown}: take it out; a setting of the server is "
                "written as options=-c%20NAME%3DVALUE"
            )
        if value:
            values[name] = value
    return values


def _addresses(hosts: str, ports: str) -> tuple[Address, ...]:
    """Return hosts with their ports; one port is for all of them."""
    if not hosts:
        return (Address("localhost", _port(ports)),) if ports else ()
    names = hosts.split(",")
    further = ports.split(",") if ports else []
    if len(further) not in {0, 1, len(names)}:
        raise ValueError("port: there must be one, or as many as hosts")
    addresses = []
    for number, name in enumerate(names):
        host, port = _host_and_port(name)
        if not port and further:
            port = further[number] if len(further) > 1 else further[0]
        addresses.append(Address(host or "localhost", _port(port)))
    return tuple(addresses)


def _host_and_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("it isn't a URL: an IPv6 address is written [ADDRESS]:PORT")
        return host, port[1:]
    host, _, port = text.partition(":")
    return unquote(host), port


def _port(text: str) -> int:
    if not text:
        return PORT
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
        raise ValueError(f"a port must be a number up to {_LAST_PORT}; {_ENCODE}")
    return int(text)


def _startup(values: Mapping[str, str]) -> dict[str, str]:
    name = values.get("application_name") or values.get("fallback_application_name")
    startup = {"application_name": name or "petstream"}
    if "options" in values:
        startup["options"] = values["options"]
    return startup


def _connect_s(text: str) -> int:
    """Return how long a connection may take: libpq's 0 is for ever, which nobody wants here."""
    return int(text) if int(text) > 0 else _CONNECT_S


def _keepalives(values: Mapping[str, str]) -> Keepalives | None:
    if values.get("keepalives") in NO:
        return None
    named = {
        "idle_s": values.get("keepalives_idle"),
        "interval_s": values.get("keepalives_interval"),
        "probes": values.get("keepalives_count"),
        "unacknowledged_ms": values.get("tcp_user_timeout"),
    }
    # 0 is the system's own default, which is hours: ours instead
    return _USUAL._replace(
        **{name: int(text) for name, text in named.items() if text and int(text) > 0}
    )
