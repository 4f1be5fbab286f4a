"""The description as a page may show it."""

from __future__ import annotations

import pytest

from consumers.description import rendered

TRACKER = "https://tracker.rescuegroups.org/pet?22611034&a=&h="
ESCAPED = "https://tracker.rescuegroups.org/pet?22611034&amp;a=&amp;h="
IMAGE = f'<img src="{ESCAPED}" width="0" height="0" alt="">'


def test_html_goes_before_text() -> None:
    found = rendered("<p>Loves <b>walks</b>.</p>", "Loves walks.", None)
    assert found == "<p>Loves <b>walks</b>.</p>"


def test_the_tracker_inside_the_html_is_not_added_again() -> None:
    sent = f'<div class="rgDescription">Good cat<img src="{TRACKER}" width="0" height="0" /></div>'
    found = rendered(sent, None, TRACKER)
    assert found is not None
    assert found.count("tracker.rescuegroups.org") == 1
    assert ESCAPED in found


def test_a_tracker_that_is_there_twice_is_shown_once() -> None:
    image = f'<img src="{TRACKER}">'
    found = rendered(f"{image}Good cat{image}", None, TRACKER)
    assert found is not None
    assert found.count("<img") == 1


@pytest.mark.parametrize(
    "url", [f" {TRACKER}\n", TRACKER.removeprefix("https:"), f"http{TRACKER[5:]}"]
)
def test_a_tracker_written_otherwise_is_the_tracker_all_the_same(url: str) -> None:
    found = rendered(f'<p>Good cat</p><img src="{url}">', None, TRACKER)
    assert found is not None
    assert found.count("<img") == 1


def test_what_is_only_for_browsers_without_scripts_is_not_shown_as_text() -> None:
    sent = f'<p>Good cat</p><noscript><img src="{TRACKER}"></noscript>'
    assert rendered(sent, None, TRACKER) == f"<p>Good cat</p>{IMAGE}"


def test_html_without_the_tracker_gets_it() -> None:
    assert rendered("<p>Good cat</p>", None, TRACKER) == f"<p>Good cat</p>{IMAGE}"


def test_the_tracker_of_another_pet_does_not_stand_in_for_ours() -> None:
    other = '<img src="https://tracker.rescuegroups.org/pet?7&a=&h=">'
    found = rendered(f"<p>Good cat</p>{other}", None, TRACKER)
    assert found == f"<p>Good cat</p>{IMAGE}"


def test_a_tracker_is_never_invented() -> None:
    assert rendered("<p>Good cat</p>", None, None) == "<p>Good cat</p>"
    assert rendered(None, None, None) is None
    assert rendered("", "", None) is None


def test_a_pet_without_any_description_still_has_its_tracker() -> None:
    assert rendered(None, None, TRACKER) == IMAGE


@pytest.mark.parametrize(
    "sent", [f'<img src="{TRACKER}">', f'<div>&nbsp;<img src="{TRACKER}"></div>']
)
def test_html_that_is_only_a_tracker_falls_back_to_the_text(sent: str) -> None:
    found = rendered(sent, "Good & calm", TRACKER)
    assert found is not None
    assert found.startswith("Good &amp; calm<img ")
    assert found.count("<img") == 1


def test_text_is_escaped_and_its_lines_are_broken() -> None:
    assert rendered(None, "Tom & <Jerry>\r\nrun\n\nfast", None) == (
        "Tom &amp; &lt;Jerry&gt;<br>run<br><br>fast"
    )


def test_entities_that_the_feed_leaves_in_the_text_are_not_escaped_twice() -> None:
    assert rendered(None, "It&#39;s &lt;b&gt; R&amp;B", None) == "It's &lt;b&gt; R&amp;B"


@pytest.mark.parametrize(
    "sent",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" java\tscript:alert(1)">x</a>',
        '<iframe src="https://evil.example"></iframe>',
        '<svg onload="alert(1)"></svg>',
        '<object data="data:text/html,x"></object>',
        '<p style="background:url(javascript:alert(1))">x</p>',
    ],
)
def test_what_runs_or_frames_is_taken_out(sent: str) -> None:
    found = (rendered(f"<p>Good cat</p>{sent}", None, TRACKER) or "").lower()
    assert "good cat" in found
    for bad in ("<script", "onerror", "onload", "script:", "<iframe", "<svg", "<object", "style="):
        assert bad not in found


def test_a_tracker_url_can_not_break_out_of_its_attribute() -> None:
    found = rendered("x", None, 'https://tracker.rescuegroups.org/pet?7"><script>')
    assert found is not None
    assert "<script" not in found
    assert rendered("x", None, "javascript:alert(1)") == "x"
