"""Dead letters: how many of each reason, which, what they hold, and sending them back.

Rule 1: lists come from the table, which the pets consumer keeps; a letter itself, and what becomes
        of it, from the commands `petstream dead-letters show|replay`.
Rule 2: its bytes are shown escaped: they were refused, nothing is known of them.
Rule 3: the token comes with every replay (`console.page.operations.desk`).
Rule 4: all of a filter are sent back only after a page that names how many they are, and no more
        than those: what was set aside since isn't.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect import formatting
from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.database import no_tables, unavailable_page
from console.page.look import NoLook
from console.page.operations.desk import NOT_YET, DecisionDesk
from console.page.operations.token import posted_form, refused
from consumers.engine.queries import query
from petstream.settings import Settings

_SHOW_DEADLINE_S: Final = 60.0
_REPLAY_DEADLINE_S: Final = 180.0
_REPLAY_ALL_DEADLINE_S: Final = 600.0
_A_PAGE: Final = 50
_LAST: Final = 2**62
_LONGEST_REASON: Final = 200
_SHOWN_BYTES: Final = 16_384
_SHOWN_OUTCOMES: Final = 100
_CLASSES: Final = ("row", "event")
PATH: Final = r"/dead-letters/{letter_id:[0-9]{1,18}}"
"""Of a dead letter's page."""


class LetterFilter(NamedTuple):
    """Which dead letters: of a class, of a reason, or of any (empty)."""

    kind: str
    reason: str

    @property
    def address(self) -> dict[str, str]:
        """The parameters that name it."""
        return {"class": self.kind, "reason": self.reason}


def letter_filter(parameters: Any) -> LetterFilter:
    """Return the filter that the parameters of an address or a form name."""
    kind = parameters.get("class", "")
    return LetterFilter(
        kind if kind in _CLASSES else "", parameters.get("reason", "")[:_LONGEST_REASON]
    )


def routes(looks: LetterLooks, desk: DecisionDesk) -> list[web.RouteDef]:
    """Return the routes of dead letters' pages."""
    pages = _LetterPages(looks, desk)
    return [
        web.get("/dead-letters", pages.every),
        web.get("/dead-letters/replay", pages.ask),
        web.post("/dead-letters/replay", pages.replay_all),
        web.get(PATH, pages.show),
        web.post(PATH, pages.replay),
    ]


class LetterLooks:
    """What the pages of dead letters show, and `/api` answers."""

    def __init__(self, desk: DecisionDesk) -> None:
        """Look by what the desk has."""
        self._desk = desk

    async def every(self, request: web.Request) -> dict[str, Any] | NoLook:
        """Return how many there are of each reason, and a page of them."""
        chosen = letter_filter(request.query)
        before = parse_id(request.query.get("before", ""))
        rows = await self._desk.database.rows(
            reasons=(query("letters_by_reason", "console"), ()),
            letters=(
                query("letters_of", "console"),
                (chosen.kind, chosen.reason, _LAST if before is None else before),
            ),
        )
        if isinstance(rows, Unavailable):
            return no_tables(rows)
        letters = rows["letters"]
        more = letters[_A_PAGE - 1]["id"] if len(letters) > _A_PAGE else None
        return {
            "reasons": rows["reasons"], "letters": letters[:_A_PAGE], "kind": chosen.kind,
            "reason": chosen.reason, "total": sum(row["letters"] for row in rows["reasons"]),
            "before": more, "more": more and urlencode(chosen.address | {"before": more}),
            "chosen": urlencode(chosen.address),
        }  # fmt: skip

    async def details(self, letter_id: str) -> dict[str, Any] | NoLook:
        """Return a letter with its bytes, as `dead-letters show --json` prints it."""
        settings = self._desk.current_settings()
        if settings is None:
            return NOT_YET
        result = await self._desk.commands.run(
            settings, "dead-letters", "show", "--json", letter_id, within_s=_SHOW_DEADLINE_S
        )
        if result.document is None:
            return NoLook(503 if result.status is None else 404, result.error)
        document: dict[str, Any] = result.document
        return document


class _LetterPages:
    """Shows dead letters, and sends them back."""

    def __init__(self, looks: LetterLooks, desk: DecisionDesk) -> None:
        self._looks, self._desk = looks, desk

    async def every(self, request: web.Request) -> web.Response:
        """Show how many there are of each reason, and a page of them."""
        look = await self._looks.every(request)
        if isinstance(look, NoLook):
            return look.page()

        def link(kind: str, reason: str) -> str:
            return urlencode(LetterFilter(kind, reason).address)

        return rendering.page("dead_letters.html", link=link, **look)

    async def ask(self, request: web.Request) -> web.Response:
        """Show how many would be sent back, and ask for the token."""
        settings, chosen = self._desk.current_settings(), letter_filter(request.query)
        if settings is None:
            return NOT_YET.page()
        letters = await self._chosen(chosen, _LAST)
        if isinstance(letters, Unavailable):
            return unavailable_page(letters)
        return _replay_page(settings, chosen, letters)

    async def replay_all(self, request: web.Request) -> web.Response:
        """Send back all of a filter that the page before has named (rule 4)."""
        form = await posted_form(request)
        chosen = letter_filter(form or {})
        again = f"/dead-letters/replay?{urlencode(chosen.address)}"
        admitted = await self._desk.admit(request, form, again)
        if isinstance(admitted, web.Response):
            return admitted
        newest = parse_id(admitted.form.get("newest", ""))
        if newest is None:
            return refused(400, "This form can't be read.", again)
        letters = await self._chosen(chosen, newest + 1)
        if isinstance(letters, Unavailable):
            return unavailable_page(letters)
        if str(len(letters["ids"])) != admitted.form.get("letters"):
            return refused(409, "They have changed since: look again.", again)
        result = await self._desk.commands.run(
            admitted.settings, "dead-letters", "replay", *map(str, letters["ids"]),
            within_s=_REPLAY_ALL_DEADLINE_S,
        )  # fmt: skip
        said = [*result.printed.splitlines(), *(result.error.splitlines() if result.status else ())]
        return _replay_page(
            admitted.settings, chosen, letters, outcome=said or ["It was done."],
            status_code=200 if result.status == 0 else 409 if result.status else 504,
        )  # fmt: skip

    async def _chosen(self, chosen: LetterFilter, below: int) -> dict[str, Any] | Unavailable:
        """Return how many letters a filter has, the newest one, and the ids of the oldest."""
        asked = (query("letters_to_send_back", "console"), (chosen.kind, chosen.reason, below))
        rows = await self._desk.database.rows(letters=asked)
        if isinstance(rows, Unavailable):
            return rows
        (letters,) = rows["letters"]
        return letters | {"ids": letters["ids"] or []}

    async def show(self, request: web.Request) -> web.Response:
        """Show a letter and its bytes."""
        return await self._page(request.match_info["letter_id"])

    async def replay(self, request: web.Request) -> web.Response:
        """Send a letter back."""
        admitted, letter_id = await self._desk.admit(request), request.match_info["letter_id"]
        if isinstance(admitted, web.Response):
            return admitted
        result = await self._desk.commands.run(
            admitted.settings, "dead-letters", "replay", letter_id, within_s=_REPLAY_DEADLINE_S
        )
        said = "\n".join(filter(None, (result.printed, result.error if result.status else "")))
        return await self._page(letter_id, said or "It was done.", 409 if result.status else 200)

    async def _page(
        self, letter_id: str, outcome: str = "", status_code: int = 200
    ) -> web.Response:
        look, settings = await self._looks.details(letter_id), self._desk.current_settings()
        if isinstance(look, NoLook):
            return look.page()
        return rendering.page(
            "dead_letter.html", status_code=status_code, letter=look, original=original(look),
            outcome=outcome,
            can_decide=settings is not None and settings.console_token is not None,
        )  # fmt: skip


def _replay_page(
    settings: Settings, chosen: LetterFilter, letters: dict[str, Any], *,
    outcome: list[str] | None = None, status_code: int = 200,
) -> web.Response:  # fmt: skip
    said = outcome or []
    return rendering.page(
        "dead_letters_replay.html", status_code=status_code, kind=chosen.kind,
        reason=chosen.reason, letters=letters, number=len(letters["ids"]),
        outcome=said[-_SHOWN_OUTCOMES:], unsaid=max(0, len(said) - _SHOWN_OUTCOMES),
        chosen=urlencode(chosen.address), can_decide=settings.console_token is not None,
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
