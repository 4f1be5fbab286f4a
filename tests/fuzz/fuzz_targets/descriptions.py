"""Descriptions as a page shows them: nothing runs, nothing leaves its place, the tracker once.

Rule 1: what is shown holds allowed elements only, in two parsers that aren't the cleaner's.
Rule 2: what is shown, taken for a description once more, has the same text, and one tracker.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

import html5lib
from judged_html import TRACKER, Tree, judge

from petstream.html import rendered, says_something

LONGEST_BYTES: Final = 2_048

_SEPARATOR: Final = b"\x1e"
_BLANK: Final = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+")
_HOST: Final = re.compile(
    r"(?:https?:/*|//+)(?:[^/?#]*@)?([^/?#:]*)(?::\d*)?(?=[/?#]|$)", re.IGNORECASE
)
_TRACKER: Final = TRACKER.encode()


def run(data: bytes) -> None:
    """Show a description with HTML, a plain one, and a tracker, one behind the other."""
    parts = [part.decode("utf-8", "replace") for part in data.split(_SEPARATOR, 2)]
    html, (text, tracker) = parts[0], [*parts[1:], None, None][:2]
    with contextlib.suppress(Exception):  # it only shows the fuzzer what a browser would meet
        html5lib.parseFragment(html)
    judge(rendered(html, text, tracker) or "")
    shown = _judged(html)
    again = _judged(shown.source)
    assert again.text.split() == shown.text.split(), "shown again it is another"
    plain = judge(rendered(None, html, TRACKER) or "")
    assert {tag for tag, _ in plain.elements} <= {"br", "img"}
    assert [tag for tag, _ in plain.elements].count("img") == 1


def _judged(html: str) -> Tree:
    """Judge a description of a pet that has a tracker, which must be there once."""
    tree = judge(rendered(html, None, TRACKER) or "")
    urls = [each.get("src") or "" for tag, each in tree.elements if tag == "img"]
    assert sum(map(_is_tracker, urls)) == 1, "not one tracker"
    is_seen = any(url and not _is_tracker(url) for url in urls)
    is_seen = is_seen or _BLANK.sub("", tree.text) != ""
    assert says_something(tree.source, TRACKER) == is_seen, "what says nothing has a section"
    return tree


def _is_tracker(url: str) -> bool:
    """Tell whether a browser asks the tracker's host: it takes a backslash for a slash."""
    plain = re.sub(r"[\t\r\n]", "", url).strip().replace("\\", "/")
    host = _HOST.match(plain)
    return host is not None and host[1].lower().rstrip(".") == "tracker.rescuegroups.org"


def seeds() -> dict[str, bytes]:
    """Return descriptions that people write, and hostile ones."""
    pixel = f'<img src="{TRACKER}" width="0" height="0" alt="" />'
    texts = {
        "usual": f'<div class="rgDescription"><p>Good &amp; <b>old</b></p>{pixel}</div>',
        "tables": "<table><tr><td colspan=2><a href='http://x.example/?a=1&b=2'>x</a><table>",
        "foreign": "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'>",
        "math": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "comment": "<!--><script>alert(1)</script>--><title>x</title><video>y</video>",
        "select": "<select><iframe></select><img src=x onerror=alert(1)>",
        "entities": "Sit &amp; stay\r\n&nbsp;&#x26;lt; ?id=1&region=2 &copy x&quot;",
        "pixels": f'{pixel}<img src="//tracker.rescuegroups.org/pet?1&a=&h="> &shy;',
    }
    return {name: f"{text}\x1e{text}\x1e{TRACKER}".encode() for name, text in texts.items()}


WORDS: Final = (
    b"<p>", b"</p>", b"<table>", b"<tr><td>", b"<a href=", b"<img src=", b"<svg>", b"<math>",
    b"<style>", b"</style>", b"<script>", b"</script>", b"<title>", b"<textarea>", b"<select>",
    b"<option>", b"<iframe>", b"<noscript>", b"<template>", b"<mglyph>", b"<mtext>", b"<desc>",
    b"<foreignObject>", b"<annotation-xml encoding=text/html>", b"<!--", b"-->", b"--!>",
    b"<![CDATA[", b"]]>", b"<form>", b"<font color=", b"<center>", b"<plaintext>", b"<xmp>",
    b"<br>", b"&amp;", b"&nbsp;", b"&#0;", b"&#x26;", b"javascript:", b"//x.example", b"https://",
    b"mailto:", b'"', b"'", b"`", b"\x1e", b"\x00", b"\xc2\xad", b"\xe2\x80\x8b", _TRACKER,
    b"onerror=", b"<ul><li>", b"<dd>", b"<h1>", b"<u>", b"<ruby><rt>", b"<details>", b"<li>",
    b"<hr>", b"<wbr>",
)  # fmt: skip
