"""A description as a page shows it, judged in parsed trees that aren't the cleaner's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import html5lib

TRACKER: Final = "https://tracker.rescuegroups.org/pet?22611034&a=&h="

VOID = {"area", "br", "col", "hr", "img", "wbr"}
RUNS_OR_LOADS = {
    "applet",
    "audio",
    "base",
    "body",
    "button",
    "canvas",
    "dialog",
    "embed",
    "fencedframe",
    "form",
    "frame",
    "frameset",
    "head",
    "html",
    "iframe",
    "input",
    "isindex",
    "keygen",
    "link",
    "listing",
    "marquee",
    "math",
    "meta",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "option",
    "param",
    "picture",
    "plaintext",
    "portal",
    "script",
    "select",
    "slot",
    "source",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "track",
    "video",
    "xml",
    "xmp",
}
ATTRIBUTES = {
    "alt",
    "color",
    "colspan",
    "height",
    "href",
    "lang",
    "rel",
    "rowspan",
    "size",
    "src",
    "start",
    "title",
    "width",
}
ADDRESS = re.compile(r"(?:https?:|mailto:|tel:|//)", re.IGNORECASE)
# what every parser reads alike: no bare < > or &, every value quoted
PLAIN = re.compile(
    r"""(?:[^<>&]|&(?:amp|lt|gt|nbsp|quot|\#x27);"""
    r"""|</[a-z][a-z0-9]*>"""
    r"""|<[a-z][a-z0-9]*(?:\ [a-z]+="(?:[^"<>&]|&(?:amp|lt|gt|nbsp|quot|\#x27);)*")*>)*""",
    re.VERBOSE,
)


class Tree(HTMLParser):
    """What a page would make of it: elements with their attributes, text, and what is left open."""

    def __init__(self, source: str) -> None:
        """Parse."""
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end that nothing began."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data

    def unknown_decl(self, data: str) -> None:
        """Note what a description has no use for."""
        self.wrong.append(data)

    def handle_comment(self, data: str) -> None:
        """Note a comment."""
        self.wrong.append(data)

    def handle_decl(self, decl: str) -> None:
        """Note a declaration."""
        self.wrong.append(decl)

    def handle_pi(self, data: str) -> None:
        """Note an instruction."""
        self.wrong.append(data)


def judge(shown: str) -> Tree:
    """Make sure that nothing in it runs, loads a document, or leaves its place on the page."""
    assert PLAIN.fullmatch(shown), shown[:400]
    tree = Tree(shown)
    assert not tree.wrong
    assert not tree.open, "it ends where it began"
    for tag, attributes in tree.elements:
        assert tag not in RUNS_OR_LOADS
        assert "-" not in tag
        assert attributes.keys() <= ATTRIBUTES
        for name in attributes.keys() & {"href", "src"}:
            address = re.sub(r"[\t\r\n]", "", attributes[name] or "").lstrip(
                "".join(map(chr, range(33)))
            )
            assert ADDRESS.match(address), attributes
    browser = html5lib.parseFragment(shown, namespaceHTMLElements=False)
    for element in browser.iter():
        assert element.tag not in RUNS_OR_LOADS, "as a browser reads it"
        assert element.attrib.keys() <= ATTRIBUTES
    return tree


def trackers(tree: Tree) -> list[str]:
    """Return the URLs of the trackers in it."""
    urls = [attributes.get("src") or "" for tag, attributes in tree.elements if tag == "img"]
    return [url for url in urls if "tracker.rescuegroups.org" in url.lower()]
