"""The text of a setting to its value; `ValueError` says what is wrong, and never shows a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from petstream.postgres import url as postgres_url

SMALLEST_FOR_SHARE: Final = 20
"""The share of removals counts from this many listed keys up: of three pets, one may well go."""


@dataclass(frozen=True)
class FtpUrl:
    """Where the feed is: ``ftp://apikey-KEY:PASSWORD@host[:port]/[dir]``."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    host: str
    port: int
    directory: str = field(repr=False)
    tls: bool


class RemovalLimits(NamedTuple):
    """How many removals pass: a share of the listed keys, and a number."""

    max_share: float
    max_count: int

    def passed(self, removals: int, listed: int, what: str) -> list[str]:
        """Say which limits so many removals pass, whether of an export or of a snapshot sweep.

        >>> RemovalLimits(0.05, 5_000).passed(3, 30, "pets")
        ['3 of 30 pets would go, more than PETSTREAM_REMOVAL_MAX_SHARE=0.05']
        """
        reasons = []
        if removals > self.max_count:
            reasons.append(
                f"{removals:,} {what} would go, more than PETSTREAM_REMOVAL_MAX_COUNT="
                f"{self.max_count}"
            )
        if listed >= SMALLEST_FOR_SHARE and removals > self.max_share * listed:
            reasons.append(
                f"{removals:,} of {listed:,} {what} would go, more than "
                f"PETSTREAM_REMOVAL_MAX_SHARE={self.max_share:g}"
            )
        return reasons


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it isn't a URL") from None  # the cause would show the URL
    return parts


def ftp_url(text: str) -> FtpUrl:
    """Read ``ftp://apikey-KEY:PASSWORD@host[:port]/[dir]``."""
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


def bootstrap(text: str) -> str:
    """Read Kafka's bootstrap servers."""
    if not re.fullmatch(r"\s*[^\s,:]+:\d+\s*(,\s*[^\s,:]+:\d+\s*)*", text):
        raise ValueError("it must be host:port, more of them separated by commas")
    return text


def kafka_access(
    values: Mapping[str, str], names: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Read how Kafka lets us in.

    Args:
        values: what is set, by the settings' names.
        names: those names, with what each is here.

    Returns:
        What is set, and a line for all that is wrong with it.
    """
    set_names = {key: name for name, key in names.items() if values.get(name)}
    texts = {key: values[name] for key, name in set_names.items()}
    wrong = []
    for key, name in set_names.items():
        try:
            _KAFKA_READERS.get(key, str)(texts[key])
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    protocol = texts.get("security_protocol", "PLAINTEXT")
    if protocol.startswith("SASL"):
        mechanism = texts.get("sasl_mechanism", "PLAIN")
        needed = _NEEDED.get(mechanism, _NEEDED["PLAIN"])
        wrong.extend(
            f"{name}: it isn't set, and {protocol} needs it"
            + (f" for {mechanism}" if mechanism in _NEEDED and mechanism != "PLAIN" else "")
            for name, key in names.items()
            if key in needed and key not in texts
        )
    return texts, wrong


def web_address(text: str) -> str:
    """Read where an OAuth server gives tokens."""
    parts = _split(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError("it must begin with https://, and hold no user")
    return text


def region(text: str) -> str:
    """Read a region of AWS."""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", text):
        raise ValueError("it must be a region of AWS")
    return text


def database_url(text: str) -> str:
    """Read the URL of a Postgres database."""
    postgres_url.read(text)
    return text


def picture_store(text: str) -> str:
    """Read where pictures are kept."""
    if re.match(r"s3://[^/]*[:@]", text):  # it is said in messages, and would be with its secret
        raise ValueError("it holds no login: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do")
    if text != "off" and not re.match(r"file:///\S|s3://[^/\s]", text):
        raise ValueError("it must be off, file:///dir or s3://bucket/prefix")
    return text


def hosts(text: str) -> frozenset[str]:
    """Read names of hosts."""
    names = [name.strip().lower() for name in text.split(",")]
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) for name in names):
        raise ValueError("it must be names of hosts, separated by commas")
    return frozenset(names)


def feeds(text: str) -> dict[str, str]:
    """Read the consoles of other feeds by the feeds' names.

    >>> feeds("second=http://127.0.0.1:8643/, third=https://pets.example.org")
    {'second': 'http://127.0.0.1:8643', 'third': 'https://pets.example.org'}
    """
    consoles = {}
    for entry in text.split(","):
        name, _, url = (part.strip() for part in entry.partition("="))
        address = _split(url)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", name) or name in consoles:
            raise ValueError("it must be name=URL, more of them separated by commas, no name twice")
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError("a console's URL must begin with http:// or https://")
        if address.username or address.password or address.query or address.fragment:
            raise ValueError("a console's URL has no user and no parameters")
        consoles[name] = url.rstrip("/")
    return consoles


def hosts_with_ports(text: str) -> frozenset[str]:
    """Read hosts that may be at private addresses."""
    addresses = [address.strip().lower() for address in text.split(",")]
    if not all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*:\d{1,5}", address) for address in addresses):
        raise ValueError("it must be host:port, more of them separated by commas")
    return frozenset(addresses)


def pixels(text: str) -> tuple[int, ...]:
    """Read the sizes of thumbnails."""
    sizes = [size.strip() for size in text.split(",")]
    if not all(re.fullmatch(r"[1-9]\d{1,3}", size) for size in sizes) or len(sizes) > 5:  # noqa: PLR2004  more than enough
        raise ValueError("it must be up to five sizes of 10 to 9999 pixels, separated by commas")
    return tuple(sorted({int(size) for size in sizes}))


def topic_prefix(text: str) -> str:
    """Read what stands before every topic's name."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text):
        raise ValueError("it may hold letters, digits, '.', '_' and '-' only")
    return text


def window(text: str) -> tuple[str, str]:
    """Read two times of one day."""
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{clock}-{clock}", text) or text[:5] >= text[6:]:
        raise ValueError("it must be two times of one day, HH:MM-HH:MM")
    return text[:5], text[6:]


def one_of(*words: str) -> Any:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return read


def file(text: str) -> str:
    """Read the name of a file that is there."""
    try:
        with Path(text).open("rb"):
            return text
    except OSError as error:
        raise ValueError(f"{text} can't be read ({error.strerror})") from None


_LOGIN: Final = frozenset({"sasl_username", "sasl_password"})
_NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "PLAIN": _LOGIN,
    "OAUTHBEARER": _LOGIN | {"oauth_url"},
    "AWS_MSK_IAM": frozenset({"aws_region"}),
}
"""What a mechanism can't do without; others are as PLAIN."""

_KAFKA_READERS: Final[Mapping[str, Any]] = {
    "security_protocol": one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": one_of(
        "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"
    ),
    "oauth_url": web_address,
    "aws_region": region,
    "ssl_cafile": file,
    "ssl_certfile": file,
    "ssl_keyfile": file,
}


def share(text: str) -> float:
    """Read a share between 0 and 1."""
    value = number(text)
    if value > 1:
        raise ValueError("it must be a share between 0 and 1")
    return value


def number(text: str) -> float:
    """Read a number, 0 or more."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise ValueError("it must be a number, 0 or more")
    return float(text)


def count(text: str) -> int:
    """Read a whole number, 0 or more."""
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError("it must be a whole number, 0 or more")
    return int(text)


def days(text: str) -> int | None:
    """Read a number of days; None for ``forever``."""
    if text == "forever":
        return None
    if not re.fullmatch(r"\d{1,5}", text):
        raise ValueError("it must be a whole number of days, or forever")
    return int(text)


def token(text: str) -> str:
    """Read a secret that nobody guesses; what is wrong with it is said without it."""
    if not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError("it must be 16 to 200 letters, digits and signs, without spaces")
    return text


def address(text: str) -> tuple[str, int] | None:
    """Read an address and a port to listen on; None for ``off``."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:  # noqa: PLR2004  the last port there is
        raise ValueError("it must be address:port, or off")
    return host.strip("[]"), int(port)
