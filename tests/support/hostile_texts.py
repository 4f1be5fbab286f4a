"""What an author of pets may write, to rule a terminal or a page; and what must not come of it.

Each text holds MARK, as an element, an attribute, a function or a word: in a page's tree it may be
text and nothing else.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import html5lib

MARK: Final = "h0st"
TEXTS: Final = {
    "colours": "\x1b[31mh0st\x1b[0m",
    "a title": "\x1b]0;h0st\x07\x1b]8;;http://h0st/\x1b\\",
    "the clipboard": "\x1b]52;c;aDBzdA==\x07h0st",
    "8 bits": "\x9b31mh0st\x9d0;h0st\x9c\x90q\x9c",
    "overwritten": "h0st\rgood\x08\x7f",
    "a header": "h0st\r\nX-H0st: 1\r\n\r\n<h0st>",
    "line ends": "h0st\u2028\u2029\x85\x0b\x0c",
    "right to left": "\u202eh0st\u2066\u2069\u200f",
    "invisible": "h0st\u200b\ufeff\U000e0041\u00ad",
    "no characters": "h0st\uffff\ufdd0\U0010ffff\ue000",
    "an element": "<h0st onclick=h0st()>",
    "a script": "<script>h0st()</script><img src=x onerror=h0st()>",
    "out of quotes": "\"><h0st a=\"'><h0st a='`><h0st>",
    "an attribute": "x onfocus=h0st() autofocus tabindex=1 h0st",
    "out of a comment": "--><h0st><!--",
    "out of raw text": "</title></style></textarea></script></svg></select><h0st>",
    "entities": "&lt;h0st&gt;&amp;lt;h0st&amp;gt;&#60;h0st&#x3e;&#0;&lt;script&gt;",
    "a link": "javascript:h0st()",
    "a spelled link": " JaVa\tScript:h0st()",
    "a page as a link": "data:text/html,<h0st>",
    "a template": "{{ 7 * 7 }}{% include 'h0st' %}{h0st}%s%n",
    "marks of a terminal": "[red]h0st[/red][link=http://h0st/]h0st[/link]",
    "long": "h0st " * 4_000,
    "piled up": "h0st" + "\u0301" * 3_000,
}
NUL: Final = "h0st\0<h0st>"
"""By itself: what holds it can't be stored, and becomes a dead letter."""


OUR_SCRIPT: Final = {"src": "/static/console.js", "defer": ""}
_TURNING: Final = {*map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])}


def unprintable(text: str) -> set[str]:
    """Return the characters that a terminal would obey or hide."""
    return {char for char in text if not char.isprintable() and char not in "\n\t"}


def ruling(page: str) -> set[str]:
    """Return the characters of a page that rule it: controls, and what turns other texts round."""
    text = page + html.unescape(page)
    controls = {char for char in set(text) if unicodedata.category(char) == "Cc"} - {*"\n\t\r"}
    return controls | (set(text) & _TURNING)


def effects(page: str) -> list[str]:
    """Return what became of hostile texts in a page but text, and whatever runs there."""
    return [*_effects(_tree(page))]


def links(page: str) -> set[str]:
    """Return the paths that a page links to on its own site, with their queries."""
    targets = {urlsplit(element.get("href") or "") for element in _tree(page).iter("a")}
    return {
        target._replace(fragment="").geturl()
        for target in targets
        if not target.scheme and not target.netloc and target.path.startswith("/")
    }


@lru_cache(maxsize=1)  # of a page all is asked, then of the next
def _tree(page: str) -> Any:
    return html5lib.parse(page, namespaceHTMLElements=False)


def _effects(tree: Any) -> Iterator[str]:
    for element in tree.iter():
        if not isinstance(element.tag, str):
            if MARK in (element.text or ""):
                yield f"a comment: {element.text[:60]}"
            continue
        is_ours = element.tag == "script" and element.attrib == OUR_SCRIPT and not element.text
        runs = element.tag in {"script", "iframe", "object", "embed", "base"} and not is_ours
        if MARK in element.tag or runs:
            yield f"<{element.tag}>"
        for name, value in element.attrib.items():
            scheme = "".join(value.split()).partition(":")[0].lower()
            if MARK in name or name.startswith("on") or name == "autofocus":
                yield f"<{element.tag} {name}>"
            elif name in {"href", "src", "action"} and scheme in {"javascript", "data", "vbscript"}:
                yield f"<{element.tag} {name}={value[:60]}>"
