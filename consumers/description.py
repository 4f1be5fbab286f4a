"""The description as a page may show it: safe HTML with the tracker image exactly once. Pure.

Rule 1: the description with HTML is taken where there is one, else the plain one with ``<br>``.
Rule 2: the tracker's URL is used as given, escaped, and never invented; it already stands in the
        description with HTML.
"""

from __future__ import annotations

import html
import re
from typing import Final

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
_UNSEEN: Final = {"script", "style", "noscript", "iframe", "noembed", "noframes"}
"""Tags whose content no browser shows as text: it goes with them."""
# made once: to make it costs as much as to clean a description
_CLEANER: Final = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_UNSEEN,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    link_rel="noopener noreferrer nofollow",
)
_IMAGE: Final = re.compile(r'<img\b[^>]*?\bsrc="([^"]*)"[^>]*>')
_NOTHING: Final = re.compile(r"(?:<(?!img\b)[^>]*>|&nbsp;|\s)*+")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_TRACKER: Final = re.compile(r"(?:https?:)?//tracker\.rescuegroups\.org/", re.IGNORECASE)


def rendered(
    description_html: str | None, description_text: str | None, tracker_image_url: str | None
) -> str | None:
    """Return the description to put on a page, or None where there is nothing to show.

    >>> rendered(None, "Sit & stay", "https://tracker.rescuegroups.org/pet?7&a=&h=")[:26]
    'Sit &amp; stay<img src="ht'
    """
    tracker = tracker_image_url if _is_web(tracker_image_url) else None
    body = _CLEANER.clean(description_html) if description_html else ""
    trackers = [found for found in _IMAGE.finditer(body) if _is_tracker(_url(found), tracker)]
    kept = _ours(trackers, tracker)
    said = _NOTHING.fullmatch(_without(body, trackers)) is None
    if not said and description_text and description_text.strip():
        return _from_text(description_text) + (kept[0] if kept else _image(tracker))
    body = _without(body, [found for found in trackers if found is not kept])
    return body if kept else (body + _image(tracker)) or None


def _ours(trackers: list[re.Match[str]], tracker: str | None) -> re.Match[str] | None:
    """Return the tracker to keep; one that was copied along from another pet isn't ours."""
    if tracker is None:
        return trackers[0] if trackers else None
    wanted = _pet_of(tracker)
    return next((one for one in trackers if _pet_of(_url(one)) == wanted), None)


def _from_text(text: str) -> str:
    """Escape plain text; the entities that the feed leaves in it are characters first."""
    return _BREAK.sub("<br>", html.escape(html.unescape(text).strip(), quote=False))


def _without(body: str, images: list[re.Match[str]]) -> str:
    for found in reversed(images):
        body = body[: found.start()] + body[found.end() :]
    return body


def _image(tracker: str | None) -> str:
    if tracker is None:
        return ""
    return f'<img src="{html.escape(tracker)}" width="0" height="0" alt="">'


def _is_web(url: str | None) -> bool:
    return url is not None and url.startswith(("https://", "http://"))


def _url(image: re.Match[str]) -> str:
    """Return the URL of an image; browsers don't mind blanks around it."""
    return html.unescape(image[1]).strip()


def _is_tracker(url: str, tracker: str | None) -> bool:
    return url == tracker or _TRACKER.match(url) is not None


def _pet_of(tracker: str) -> str:
    """Return the tracker's URL up to the pet's id; what is around it varies."""
    return tracker.partition("&")[0].rpartition("//")[2].lower()
