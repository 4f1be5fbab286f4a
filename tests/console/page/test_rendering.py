"""The one door to a page: templates that escape everything, and two texts that are made safe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hostile_texts import MARK, TEXTS, effects, ruling

from console.page.rendering import linked, message_page, unescaped

CONSOLE = Path(__file__).parents[3] / "console"
TEMPLATES = sorted((CONSOLE / "page" / "templates").glob("*.html"))
OURS = '<script src="/static/console.js" defer></script>'
"""The one script, which the policy lets run."""

SAFE = {
    "page/rendering.py": "a link, a time or code, whose texts are escaped as it is made",
    "page/pets.py": "a description that nh3 has cleaned just before",
}
"""Who says that a text is HTML already."""


def test_s5_there_is_no_other_door_to_a_page() -> None:
    """S5: nobody else makes HTML, or says that a text is some."""
    sources = {
        path.relative_to(CONSOLE).as_posix(): path.read_text("utf-8")
        for path in CONSOLE.rglob("*.py")
    }
    saying = {name for name, source in sources.items() if re.search(r"\bMarkup\(", source)}
    assert saying == SAFE.keys()
    making = {name for name, source in sources.items() if 'content_type="text/html"' in source}
    assert making == {"page/rendering.py"}
    assert {
        name for name, source in sources.items() if re.search(r"autoescape=(?!True)", source)
    } == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_s5_no_template_lets_a_text_be_more_than_a_text(path: Path) -> None:
    """S5: unescaped, outside quotes, as a script or a style."""
    template = path.read_text("utf-8").replace(OURS, "")
    assert re.findall(r"\|\s*safe\b|autoescape|<script|<style|\son\w+=|\sstyle=", template) == []
    assert re.findall(r"\s[a-z-]+=\{\{", template) == []  # an attribute without quotes


@pytest.mark.parametrize("kind", TEXTS)
def test_s5_a_hostile_text_is_text_on_a_page_and_in_a_link(kind: str) -> None:
    """S5: also where entities are resolved before."""
    text = TEXTS[kind]
    page = (message_page(200, text, unescaped(text)).text or "").replace(OURS, "")
    assert effects(page) == []
    assert MARK in page
    assert effects(f"<p>{linked(text)}</p><p>{linked(f'https://cdn.example/{text}')}</p>") == []


@pytest.mark.parametrize("kind", TEXTS)
def test_s5_no_text_turns_or_hides_what_stands_beside_it_on_a_page(kind: str) -> None:
    """S5: wherever it stands, also where a filter made HTML of it."""
    text = TEXTS[kind]
    page = message_page(200, text, linked(f"https://cdn.example/{text}"), back=text).text or ""
    assert ruling(page) == set()


def test_s5_a_control_is_shown_by_its_number_and_half_a_character_too() -> None:
    """S5: what is hidden would be a trap; what can't be written would be a failed page."""
    answer = message_page(200, "Rex\x1b[1m\u202egpj.exe", "a\ud800b")
    assert isinstance(answer.body, bytes)
    page = answer.body.decode()
    assert "<h1>Rex\\x1b[1m\\u202egpj.exe</h1>" in page
    assert "a\\ud800b" in page


def test_a_name_in_hebrew_or_of_joined_pictures_stays_as_it_is() -> None:
    """Marks of direction and joiners are a part of such texts."""
    text = "\u05e8\u05e7\u05e1\u200f! \U0001f469\u200d\U0001f467 cafe\u0301\ttab\nline"
    assert text in (message_page(200, "x", text).text or "")
