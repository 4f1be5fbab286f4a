"""What is searched for: words and filters, as they stand in an address. Pure.

Rule 1: words are looked for letter by letter, in any case, wherever they stand; one or two letters
        only where a word begins. No pattern of a person's is one of SQL's.
Rule 2: the name of a species among the words means the species.
Rule 3: what isn't understood asks for nothing: an old link goes on working.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, get_args
from urllib.parse import urlencode

PICTURES: Final = ("failed", "gone")
Left = Literal["", "listed", "day", "week", "month", "earlier", "any"]
_LONGEST_TEXT: Final = 100
_LONGEST_VALUE: Final = 60
_MOST_WORDS: Final = 5
_SHORT: Final = 2
_MOST_DIGITS: Final = 18
_SINCE: Final[dict[str, timedelta]] = {
    "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30),
}  # fmt: skip
_POSITION: Final = re.compile(r"([0-7])\.(\d{1,18})\.(.{0,100})", re.DOTALL)


class Position(NamedTuple):
    """Behind which pet a page begins."""

    rank: int
    animal_id: int
    sorted_by: str


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is searched for; an empty text asks for nothing.

    Attributes:
        q: words: parts of the name, the breed, the organisation's name or place, a postal code.
        species: as the feed says it.
        status: as the feed says it.
        state: of the organisation, in capitals.
        org: the organisation's id.
        pictures: ``failed``: one couldn't be had yet, ``gone``: one isn't at its host any more.
        left: ``listed``: only who is listed; ``day``, ``week``, ``month``: who left in the last;
            ``earlier``: before that; ``any``: who ever left. Without it: who is listed, and behind
            them, if there are words, who left.
    """

    q: str = ""
    species: str = ""
    status: str = ""
    state: str = ""
    org: str = ""
    pictures: str = ""
    left: Left = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: all that is listed."""
        return self == Criteria()

    @property
    def animal_or_org_id(self) -> int | None:
        """The id that the words are, if they are one."""
        return parse_id(self.q.removeprefix("#"))

    def filters(self) -> dict[str, str]:
        """Return the filters that are set, without the words."""
        return {name: text for name, text in self.parameters().items() if name != "q"}

    def parameters(self) -> dict[str, str]:
        """Return what an address says, without what is empty."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: text for name, text in values.items() if text}

    def address(self, **changed: str) -> str:
        """Return the address of the page with something changed; an empty text takes it away.

        >>> Criteria(q="fish & chips", state="TX").address(state="", species="Cat")
        '/search?q=fish+%26+chips&species=Cat'
        """
        parameters = self.parameters() | changed
        query = urlencode({name: text for name, text in parameters.items() if text})
        return f"/search?{query}" if query else "/search"

    def with_species_among(self, known: Collection[str]) -> Criteria:
        """Return the same with the species that a word names as a filter (rule 2).

        >>> Criteria(q="old dogs").with_species_among(["Cat", "Dog"])
        Criteria(q='old', species='Dog', status='', state='', org='', pictures='', left='')
        """
        if self.species:
            return self
        names = {form: name for name in known for form in (name.lower(), f"{name.lower()}s")}
        words = self.q.split()
        named = next((word for word in words if word.lower() in names), None)
        if named is None:
            return self
        rest = [word for word in words if word is not named]
        return replace(self, q=" ".join(rest), species=names[named.lower()])

    def matched(self, now: datetime, orgs: Mapping[int, list[int]]) -> tuple[Any, ...]:
        """Return the parameters of the query ``matching``.

        Args:
            now: what days are counted from.
            orgs: the organisations that each word fits, from 1, and under 0 those of the state.
        """
        patterns = patterns_of(self.q)
        of_words = (orgs.get(number, []) for number in range(1, _MOST_WORDS + 1))
        is_listed = {"": None if self.q else True, "listed": True}.get(self.left, False)
        since = now - _SINCE[self.left] if self.left in _SINCE else None
        until = now - _SINCE["month"] if self.left == "earlier" else None
        return (
            *patterns, self.species or None, self.status or None,
            orgs.get(0, []) if self.state else None, parse_id(self.org), self.pictures or None,
            is_listed, since, until, *of_words,
        )  # fmt: skip


def criteria_of(query: Mapping[str, str]) -> Criteria:
    """Return what the query of an address asks for (rule 3)."""
    left = query.get("left", "")
    org = parse_id(query.get("org", ""))
    pictures = query.get("pictures", "")
    return Criteria(
        q=search_text(query.get("q", "")),
        species=search_text(query.get("species", ""))[:_LONGEST_VALUE],
        status=search_text(query.get("status", ""))[:_LONGEST_VALUE],
        state=search_text(query.get("state", ""))[:_LONGEST_VALUE].upper(),
        org="" if org is None else str(org),
        pictures=pictures if pictures in PICTURES else "",
        left=next((word for word in get_args(Left) if word == left), ""),
    )


def search_text(text: str) -> str:
    r"""Return what to search for: without what no name can hold.

    >>> search_text(" Bis\x00cuit\ud800 ")
    'Biscuit'
    """
    possible = text.replace("\0", "").encode("utf-8", "ignore").decode()
    return possible.strip()[:_LONGEST_TEXT]


def sorted_text(text: str) -> str:
    """Return words as the tables hold a name to sort and compare by.

    >>> sorted_text("Fish  &amp; Chips")
    'fish & chips'
    """
    return " ".join(html.unescape(text).lower().split())


def patterns_of(text: str) -> tuple[str | None, ...]:
    r"""Return a pattern of LIKE for each word, as many as the queries take; None: there is none.

    >>> patterns_of("TX & 50%_poppy")
    ('% tx%', '%50\\%\\_poppy%', None, None, None)
    """
    words = sorted_text(text).split()
    saying = [word for word in words if any(map(str.isalnum, word))] or words
    words = saying[:_MOST_WORDS]
    escaped = [re.sub(r"([\\%_])", r"\\\1", word) for word in words]
    patterns = [
        f"% {word}%" if len(plain) <= _SHORT else f"%{word}%"
        for plain, word in zip(words, escaped, strict=True)
    ]
    return (*patterns, *[None] * (_MOST_WORDS - len(patterns)))


def parse_id(text: str) -> int | None:
    """Return an id that a person wrote, or None where no id looks like that.

    >>> parse_id("22611034"), parse_id("-1"), parse_id("9" * 19)
    (22611034, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def position_text(position: Position) -> str:
    """Return a position as an address has it.

    >>> position_of(position_text(Position(4, 22611034, "dr. who"))).sorted_by
    'dr. who'
    """
    return f"{position.rank}.{position.animal_id}.{position.sorted_by}"


def position_of(text: str) -> Position | None:
    """Return the position that an address says; None: the beginning."""
    match = _POSITION.fullmatch(text)
    if match is None or "\0" in text or text != text.encode("utf-8", "ignore").decode():
        return None
    rank, animal_id, sorted_by = match.groups()
    return Position(int(rank), int(animal_id), sorted_by)
