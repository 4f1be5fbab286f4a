"""How lines are written: as a person reads them, or as JSON; secrets are starred.

Rule 1: callers print and log as ever; what they write passes through here on its way out.
Rule 2: JSON is one object a line: `at`, `level`, `part`, `message`, and `logger` where there is
        one. Results that a command was asked for (`status`, `explain`, …) stay as they are.
Rule 3: no line holds a secret in the first place. Should one do so all the same, it is starred:
        what the settings hold as secrets, and user and password of any URL.
Rule 4: what libraries log holds texts of strangers: what isn't printable is escaped.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from urllib.parse import parse_qs, unquote, urlsplit

from console.runtime.terminal import printable
from petstream.errors import UsageError
from petstream.settings import texts

STARS: Final = "***"
_WITH_LOGS: Final = frozenset({"up", "down", "ingest", "consume", "migrate"})
"""Commands whose stdout is a log, too."""

_SHORTEST: Final = 4
_WORDS: Final = frozenset({"petstream", "postgres", "password", "secret", "kafka", "localhost"})
"""Passwords that are words of our own lines: starred, no line could be read."""

_URLS: Final = frozenset(
    {"PETSTREAM_FTP_URL", "PETSTREAM_DATABASE_URL", "PETSTREAM_CONSOLE_DATABASE_URL"}
)
_IN_URL: Final = re.compile(r"(?<=://)(?!apikey-KEY:PASSWORD@|me:secret@)[^/\s@]+@")
"""User and password, but for those of our examples."""
_OURS: Final = ("console", "ingest", "consumers", "petstream")
_ERROR: Final = "petstream: "


@dataclass(frozen=True)
class LogFormat:
    """How this process writes: `mode` as PETSTREAM_LOG says, whose lines, without which secrets."""

    mode: str = "auto"
    part: str = "petstream"
    secrets: re.Pattern[str] | None = None

    def starred(self, text: str) -> str:
        """Return the text without secrets."""
        text = _IN_URL.sub(f"{STARS}@", text)
        return text if self.secrets is None else self.secrets.sub(STARS, text)

    def line(self, text: str, part: str | None = None) -> str:
        """Return a line as it is written; `part`: the process it came from, if not this one."""
        if self.mode != "json":
            return self.starred(text if part is None else f"{part} | {text}")
        fields = _fields_of(text)
        if fields is None:
            level = "error" if text.startswith(_ERROR) else "info"
            return self.json_line(level, text.removeprefix(_ERROR), part)
        if part is not None:
            fields["part"] = part
        return self.starred(_object(fields))

    def json_line(self, level: str, message: str, part: str | None = None, **more: str) -> str:
        """Return a line of JSON."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"at": at, "level": level, "part": part or self.part, "message": message, **more}
        starred = {name: self.starred(value) for name, value in fields.items()}
        return _object(starred)


_current = LogFormat()


def current() -> LogFormat:
    """Return how this process writes now."""
    return _current


@contextmanager
def written(
    command: str, consumer: str | None = None, *, is_document: bool = False
) -> Iterator[None]:
    """Write as PETSTREAM_LOG says while the block runs; `is_document`: stdout is no log then."""
    global _current  # noqa: PLW0603  streams and loggers belong to the process as well
    values: dict[str, str] = {}
    with suppress(UsageError):  # the command itself reports it
        values = texts()
    mode = values.get("PETSTREAM_LOG", "").strip() or "auto"
    part = consumer if consumer not in {None, "all"} else command
    before = _current, sys.stdout, sys.stderr
    _current = LogFormat(mode, str(part), secrets_of(values | _foreign()))
    sys.stderr = error = _Stream(sys.stderr)
    out = _Stream(sys.stdout) if command in _WITH_LOGS and not is_document else None
    sys.stdout = out or sys.stdout
    handler = _Handler(error)
    logging.getLogger().addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for stream in (out, error):
            if stream is not None:
                stream.finish()
        _current, sys.stdout, sys.stderr = before


def secrets_of(values: Mapping[str, str]) -> re.Pattern[str] | None:
    """Return what finds the secrets of settings, as written and as they are decoded."""
    secrets: set[str] = set()
    for name, text in values.items():
        if name in _URLS:
            secrets |= _of_url(text, user=name == "PETSTREAM_FTP_URL")
        elif name.endswith(("PASSWORD", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "CONSOLE_TOKEN")):
            secrets.add(text)
    secrets |= {unquote(secret) for secret in secrets}
    long = sorted(
        (secret for secret in secrets if len(secret) >= _SHORTEST and secret.lower() not in _WORDS),
        key=len, reverse=True,
    )  # fmt: skip
    return re.compile("|".join(map(re.escape, long))) if long else None


def _of_url(text: str, *, user: bool) -> set[str]:
    try:
        parts = urlsplit(text.strip())
        query = parse_qs(parts.query)
        secrets = {parts.password or "", *query.get("password", []), *query.get("sslpassword", [])}
    except ValueError:
        return set()
    if user and parts.username:
        secrets |= {parts.username, parts.username.removeprefix("apikey-")}
    return secrets


def _foreign() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.startswith("AWS_")}


def _fields_of(text: str) -> dict[str, Any] | None:
    """Return the fields of a line of JSON that was written by this module, in another process."""
    if not text.startswith('{"at": '):
        return None
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and "message" in fields else None


def _object(fields: Mapping[str, Any]) -> str:
    """Return a line of JSON that a terminal shows as it is (rule 4)."""
    line = json.dumps(fields, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(fields)


class _Stream(io.TextIOBase):
    """Stdout or stderr: JSON by whole lines, else as it comes."""

    def __init__(self, target: TextIO) -> None:
        self._target, self._rest, self._lock = target, "", threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            if _current.mode == "json":
                *lines, self._rest = (self._rest + text).split("\n")
                for line in lines:
                    if line.strip():
                        self._target.write(f"{_current.line(line)}\n")
            else:
                self._target.write(_current.starred(text))
        return len(text)

    def raw(self, line: str) -> None:
        """Write a line that has its form already."""
        with self._lock:
            self._target.write(f"{line}\n")
            self._target.flush()

    def finish(self) -> None:
        """Write what has no end yet."""
        if self._rest:
            self.write("\n")
        with suppress(OSError, ValueError):  # whoever read it has gone
            self._target.flush()

    def flush(self) -> None:
        self._target.flush()

    def isatty(self) -> bool:
        return _current.mode == "auto" and self._target.isatty()

    def fileno(self) -> int:
        return self._target.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks for it
        return self._target.encoding


class _Handler(logging.Handler):
    def __init__(self, stream: _Stream) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        if _current.mode == "json":
            line = _current.json_line(record.levelname.lower(), message, logger=record.name)
        else:
            line = printable(_current.starred(f"{record.levelname} {record.name}: {message}"))
        with suppress(OSError, ValueError):  # whoever read it has gone
            self._stream.raw(line)
