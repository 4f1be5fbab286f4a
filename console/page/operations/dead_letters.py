"""Dead letters: how many of each reason, which, what they hold, and sending them back.

Rule 1: lists come from the table, which the pets consumer keeps; a letter itself, and what becomes
        of it, from the commands `petstream dead-letters show|replay`.
Rule 2: its bytes are shown escaped: they were refused, nothing is known of them.
Rule 3: the token comes with every replay (`console.page.operations.token`).
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect import formatting
from console.inspect.database_reader import Unavailable
from console.page import CurrentSettings, rendering
from console.page.command_runner import CommandRunner
from console.page.database import Database, unavailable_page
from console.page.operations.token import TokenGate, posted_form, refused
from consumers.engine.queries import query

_SHOW_DEADLINE_S: Final = 60.0
_REPLAY_DEADLINE_S: Final = 180.0
_A_PAGE: Final = 50
_LAST: Final = 2**62
_LONGEST_REASON: Final = 200
_SHOWN_BYTES: Final = 16_384
_CLASSES: Final = ("row", "event")
_PATH: Final = r"/dead-letters/{letter_id:[0-9]{1,18}}"


def routes(
    current_settings: CurrentSettings, database: Database, commands: CommandRunner, gate: TokenGate
) -> list[web.RouteDef]:
    """Return the routes of dead letters."""
    pages = _LetterPages(current_settings, database, commands, gate)
    return [
        web.get("/dead-letters", pages.every),
        web.get(_PATH, pages.show),
        web.post(_PATH, pages.replay),
    ]


class _LetterPages:
    """Shows dead letters, and sends them back."""

    def __init__(
        self,
        current_settings: CurrentSettings,
        database: Database,
        commands: CommandRunner,
        gate: TokenGate,
    ) -> None:
        self._current_settings, self._database = current_settings, database
        self._commands, self._gate = commands, gate

    async def every(self, request: web.Request) -> web.Response:
        """Show how many there are of each reason, and a page of them."""
        kind = request.query.get("class", "")
        kind = kind if kind in _CLASSES else ""
        reason = request.query.get("reason", "")[:_LONGEST_REASON]
        before = parse_id(request.query.get("before", ""))
        rows = await self._database.rows(
            reasons=(query("letters_by_reason", "console"), ()),
            letters=(
                query("letters_of", "console"),
                (kind, reason, _LAST if before is None else before),
            ),
        )
        if isinstance(rows, Unavailable):
            return unavailable_page(rows)
        letters, filters = rows["letters"], {"class": kind, "reason": reason}
        more = letters[_A_PAGE - 1]["id"] if len(letters) > _A_PAGE else None
        return rendering.page(
            "dead_letters.html", reasons=rows["reasons"], letters=letters[:_A_PAGE], kind=kind,
            reason=reason, total=sum(row["letters"] for row in rows["reasons"]),
            more=more and urlencode(filters | {"before": more}),
            link=lambda kind, reason: urlencode({"class": kind, "reason": reason}),
        )  # fmt: skip

    async def show(self, request: web.Request) -> web.Response:
        """Show a letter and its bytes."""
        return await self._page(request.match_info["letter_id"])

    async def replay(self, request: web.Request) -> web.Response:
        """Send a letter back."""
        settings, letter_id = self._current_settings(), request.match_info["letter_id"]
        if settings is None:
            return refused(503, "Kafka is being waited for.")
        form = await posted_form(request)
        if form is None:
            return refused(400, "This form can't be read.")
        refusal = await self._gate.refusal(settings, form.get("token", ""))
        if refusal:
            return refused(403, refusal, request.path)
        result = await self._commands.run(
            settings, "dead-letters", "replay", letter_id, within_s=_REPLAY_DEADLINE_S
        )
        said = "\n".join(filter(None, (result.printed, result.error if result.status else "")))
        return await self._page(letter_id, said or "It was done.", 409 if result.status else 200)

    async def _page(
        self, letter_id: str, outcome: str = "", status_code: int = 200
    ) -> web.Response:
        settings = self._current_settings()
        if settings is None:
            return refused(503, "Kafka is being waited for.")
        result = await self._commands.run(
            settings, "dead-letters", "show", "--json", letter_id, within_s=_SHOW_DEADLINE_S
        )
        if result.document is None:
            return refused(503 if result.status is None else 404, result.error)
        return rendering.page(
            "dead_letter.html", status_code=status_code, letter=result.document,
            original=original(result.document), outcome=outcome,
            can_decide=settings.console_token is not None,
        )  # fmt: skip


class LetterBytes:
    """The bytes of a letter: escaped, how many there are, and whether all are shown."""

    def __init__(self, value: bytes | None) -> None:
        """Take the bytes; None: the original has no value."""
        self.is_none = value is None
        data = value or b""
        self.size_bytes = len(data)
        self.shown = escaped_bytes(data[:_SHOWN_BYTES])
        self.is_whole = len(data) <= _SHOWN_BYTES


def original(letter: dict[str, Any]) -> LetterBytes:
    """Return the bytes of a letter as `dead-letters show --json` prints it."""
    text = letter.get("valueBase64")
    return LetterBytes(None if text is None else b64decode(text))


def escaped_bytes(data: bytes) -> str:
    r"""Return bytes as text: line ends stay, whatever else isn't printable is escaped.

    >>> escaped_bytes(b'{"name":\n"\x1b[31m\xff"}')
    '{"name":\n"\\x1b[31m\\xff"}'
    """
    text = data.decode("utf-8", "backslashreplace")
    return "\n".join(formatting.escaped(line) for line in text.split("\n"))
