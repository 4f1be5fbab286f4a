"""The description as a page may show it: safe HTML with the tracker image exactly once. Pure.

Rule 1: the description with HTML is taken where there is one that says something, else the plain
        one, escaped, with ``<br>``; entities that the feed leaves in that are decoded, just once.
Rule 2: the tracker's URL is used as given, escaped, and never invented; it already stands in the
        description with HTML.
Rule 3: an address without a host leads nowhere on a page that isn't the feed's: it is dropped.
Rule 4: what no person wrote is shown as text: cleaning it takes time in the square of its size.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import Final, TypeGuard

import nh3

_TAGS: Final = nh3.ALLOWED_TAGS | {"font", "center", "u", "big"}
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "font": {"color", "size"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
_SCHEMES: Final = {"http", "https", "mailto", "tel"}
_UNSEEN: Final = {
    # what isn't for people, and what is for browsers that lack something
    "script", "style", "template", "title", "head", "noscript", "noembed", "noframes",
    # what is shown in the place of something that a description can't have here
    "iframe", "frameset", "object", "applet", "audio", "video", "canvas", "svg",
    # parts of a form or a program
    "select", "option", "optgroup", "datalist", "textarea", "meter", "progress", "dialog",
}  # fmt: skip
"""Tags whose content no browser shows as text where they stand: it goes with them."""
_BLANKS: Final = "".join(map(chr, range(0x21)))
"""What browsers pass over before an address; a no-break space is a part of it."""

# made once: to make it costs as much as to clean a description
_CLEANER: Final = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_UNSEEN,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative=lambda url: url if url.lstrip(_BLANKS).startswith("//") else None,
    link_rel="noopener noreferrer nofollow",
)
_LONGEST: Final = 256 * 1024
_MOST_TAGS: Final = 5_000
_TO_ADDRESS: Final = r'img(?: (?!src=)[a-z]+="[^"]*")* src="'
"""What another attribute says may look like an address, too."""

_IMAGE: Final = re.compile(rf'<{_TO_ADDRESS}([^"]*)"[^>]*>')
_NOTHING: Final = re.compile(
    rf"(?:<(?!{_TO_ADDRESS})[^>]*>|&nbsp;|[\s\u00ad\u200b-\u200f\u2060\ufeff])*"
)
_MARKUP: Final = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)?[^<>]*>")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_WEB: Final = re.compile(r"\s*(?:https?:)?//[^/\s]", re.IGNORECASE)
# browsers take a backslash for a slash, and as many as there are
_TRACKER: Final = re.compile(
    r"(?:https?:[/\\]*|[/\\]{2,})(?:[^/\\?#]*@)?tracker\.rescuegroups\.org\.?(?::\d*)?(?=[/\\?#]|$)",
    re.IGNORECASE,
)
_UNSEEN_IN_URLS: Final = dict.fromkeys(map(ord, "\t\n\r"))


def rendered(
    description_html: str | None, description_text: str | None, tracker_image_url: str | None
) -> str | None:
    """Return the description to put on a page, or None where there is nothing to show.

    >>> rendered(None, "Sit & stay", "https://tracker.rescuegroups.org/pet?7&a=&h=")[:26]
    'Sit &amp; stay<img src="ht'
    """
    tracker = tracker_image_url.strip() if _is_web(tracker_image_url) else None
    if description_html and not _is_written(description_html):
        description_text = description_text or _seen_text(description_html)
        description_html = None
    body = _CLEANER.clean(description_html) if description_html else ""
    trackers, kept = _trackers(body, tracker)
    pixel = kept[0] if kept else _image(tracker)
    if _NOTHING.fullmatch(_without(body, trackers)):
        return (_from_text(description_text or "") + pixel) or None
    body = _without(body, [image for image in trackers if image is not kept])
    return body if kept else body + pixel


def says_something(description_rendered: str, tracker_image_url: str | None) -> bool:
    """Return whether a rendered description has more than the tracker: words, or a picture.

    >>> says_something('<p> </p><img src="https://tracker.rescuegroups.org/pet?7">', None)
    False
    """
    trackers, _ = _trackers(description_rendered, tracker_image_url)
    return not _NOTHING.fullmatch(_without(description_rendered, trackers))


def _is_written(description: str) -> bool:
    """Return whether a person may have written this: no description has so many tags."""
    return len(description) <= _LONGEST and description.count("<") <= _MOST_TAGS


def _seen_text(markup: str) -> str:
    """Return what is between tags, without the text of those that show none; in one pass."""
    parts: list[str] = []
    at, within = 0, None
    for tag in _MARKUP.finditer(markup):
        if within is None:
            parts.append(markup[at : tag.start()])
        closing, name = tag[1], (tag[2] or "").lower()
        if within is None and not closing and name in _UNSEEN:
            within = name
        elif closing and name == within:
            within = None
        at = tag.end()
    if within is None:
        parts.append(markup[at:])
    return " ".join(parts)


def _trackers(body: str, tracker: str | None) -> tuple[list[re.Match[str]], re.Match[str] | None]:
    """Return the trackers in a description, and which of them to keep.

    One that was copied along from another pet isn't ours.
    """
    given, wanted = html.escape(tracker) if tracker else None, None
    images: list[re.Match[str]] = []
    kept: re.Match[str] | None = None
    for image in _IMAGE.finditer(body):
        if image[1] == given:  # most often: word for word
            ours = True
        else:
            url = _url(image)
            if not _is_tracker(url, tracker):
                continue
            wanted = wanted or _pet_of(tracker or url)
            ours = _pet_of(url) == wanted
        images.append(image)
        kept = kept or (image if ours else None)
    return images, kept


def _from_text(text: str) -> str:
    """Escape plain text; the entities that the feed leaves in it are characters first."""
    if "&" in text:  # without its semicolon one may be a part of an address: ?id=1&region=2
        text = _ENTITY.sub(_character, text)
    return _BREAK.sub("<br>", html.escape(text.strip(), quote=False))


def _character(entity: re.Match[str]) -> str:
    reference = entity[0]
    return html.unescape(reference) if reference[1] == "#" else html5.get(reference[1:], reference)


def _without(body: str, images: list[re.Match[str]]) -> str:
    if not images:
        return body
    ends = [0, *(image.end() for image in images)]
    begins = [*(image.start() for image in images), len(body)]
    return "".join(body[end:begin] for end, begin in zip(ends, begins, strict=True))


def _image(tracker: str | None) -> str:
    if tracker is None:
        return ""
    return f'<img src="{html.escape(tracker)}" width="0" height="0" alt="">'


def _is_web(url: str | None) -> TypeGuard[str]:
    return url is not None and _WEB.match(url) is not None


def _url(image: re.Match[str]) -> str:
    """Return the URL of an image, without the blanks and breaks that browsers don't mind."""
    return html.unescape(image[1]).translate(_UNSEEN_IN_URLS).strip()


def _is_tracker(url: str, tracker: str | None) -> bool:
    return url == tracker or _TRACKER.match(url) is not None


def _pet_of(tracker: str) -> str:
    """Return what names the pet in the tracker's URL; what is around it varies."""
    match = _TRACKER.match(tracker)
    named = tracker[match.end() :] if match else tracker
    return named.partition("&")[0].replace("\\", "/").lower()
