"""The description as a page may show it."""

from __future__ import annotations

import pytest

from petstream.html import rendered, says_something

TRACKER = "https://tracker.rescuegroups.org/pet?22611034&a=&h="
ESCAPED = "https://tracker.rescuegroups.org/pet?22611034&amp;a=&amp;h="
IMAGE = f'<img src="{ESCAPED}" width="0" height="0" alt="">'


def test_html_goes_before_text() -> None:
    shown = rendered("<p>Loves <b>walks</b>.</p>", "Loves walks.", None)
    assert shown == "<p>Loves <b>walks</b>.</p>"


def test_the_tracker_inside_the_html_is_not_added_again() -> None:
    sent = f'<div class="rgDescription">Good cat<img src="{TRACKER}" width="0" height="0" /></div>'
    shown = rendered(sent, None, TRACKER)
    assert shown is not None
    assert shown.count("tracker.rescuegroups.org") == 1
    assert ESCAPED in shown


def test_a_tracker_that_is_there_twice_is_shown_once() -> None:
    image = f'<img src="{TRACKER}">'
    shown = rendered(f"{image}Good cat{image}", None, TRACKER)
    assert shown is not None
    assert shown.count("<img") == 1


@pytest.mark.parametrize("attribute", ["alt", "title", "height"])
def test_a_tracker_behind_words_that_look_like_an_attribute_is_not_added_again(
    attribute: str,
) -> None:
    """Found by fuzzing: an attribute that ended in `src=` hid the tracker that followed it."""
    image = f'<img {attribute}="x src=">'
    sent = f'<p>Good cat</p>{image}<img src="{TRACKER}"><img {attribute}=" src=" src="{TRACKER}">'
    shown = rendered(sent, None, TRACKER)
    assert shown is not None
    assert shown.count(ESCAPED) == 1
    assert image in shown
    assert not says_something(rendered(image, None, TRACKER) or "", TRACKER)


def test_an_address_behind_a_blank_that_browsers_do_not_pass_over_is_dropped() -> None:
    """Found by fuzzing: behind a no-break space it is an address on the page's own host."""
    for blank, is_kept in (("\u00a0", False), ("\u3000", False), (" ", True), ("\t", True)):
        shown = rendered(f'<a href="{blank}//x.example/">x</a>', None, None)
        assert shown is not None
        assert ("href" in shown) == is_kept, repr(blank)


@pytest.mark.parametrize(
    "url", [f" {TRACKER}\n", TRACKER.removeprefix("https:"), f"http{TRACKER[5:]}"]
)
def test_a_tracker_written_otherwise_is_the_tracker_all_the_same(url: str) -> None:
    shown = rendered(f'<p>Good cat</p><img src="{url}">', None, TRACKER)
    assert shown is not None
    assert shown.count("<img") == 1


def test_what_is_only_for_browsers_without_scripts_is_not_shown_as_text() -> None:
    sent = f'<p>Good cat</p><noscript><img src="{TRACKER}"></noscript>'
    assert rendered(sent, None, TRACKER) == f"<p>Good cat</p>{IMAGE}"


def test_html_without_the_tracker_gets_it() -> None:
    assert rendered("<p>Good cat</p>", None, TRACKER) == f"<p>Good cat</p>{IMAGE}"


def test_the_tracker_of_another_pet_does_not_stand_in_for_ours() -> None:
    other = '<img src="https://tracker.rescuegroups.org/pet?7&a=&h=">'
    shown = rendered(f"<p>Good cat</p>{other}", None, TRACKER)
    assert shown == f"<p>Good cat</p>{IMAGE}"


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
    shown = rendered(sent, "Good & calm", TRACKER)
    assert shown is not None
    assert shown.startswith("Good &amp; calm<img ")
    assert shown.count("<img") == 1


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
    shown = (rendered(f"<p>Good cat</p>{sent}", None, TRACKER) or "").lower()
    assert "good cat" in shown
    for bad in ("<script", "onerror", "onload", "script:", "<iframe", "<svg", "<object", "style="):
        assert bad not in shown


def test_a_tracker_url_can_not_break_out_of_its_attribute() -> None:
    shown = rendered("x", None, 'https://tracker.rescuegroups.org/pet?7"><script>')
    assert shown is not None
    assert "<script" not in shown
    assert rendered("x", None, "javascript:alert(1)") == "x"


@pytest.mark.parametrize(
    "url",
    [
        TRACKER.replace("/", "\\"),
        f"https:\\\\{TRACKER[8:]}",
        f"https:{TRACKER[8:]}",
        f"https:////{TRACKER[8:]}",
        f"https://somebody@{TRACKER[8:]}",
        TRACKER.replace(".org", ".org:443"),
        TRACKER.replace(".org", ".org."),
        TRACKER.replace("tracker", "TRAC\tK\nER"),
        TRACKER.replace("https", "HTTPS"),
        TRACKER.replace("&", "&amp;"),
    ],
)
def test_whatever_a_browser_takes_for_the_tracker_is_counted_once(url: str) -> None:
    shown = rendered(f'<p>Good cat</p><img src="{url}"><img src="{TRACKER}">', None, TRACKER)
    assert shown is not None
    assert shown.startswith("<p>Good cat</p><img ")
    assert shown.count("<img") == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://tracker.rescuegroups.org.example/pet?7",
        "https://example.org/tracker.rescuegroups.org/pet?7",
        "https://example.org/?tracker.rescuegroups.org/",
        "https://nottracker.rescuegroups.org/pet?7",
    ],
)
def test_a_picture_from_elsewhere_is_no_tracker(url: str) -> None:
    shown = rendered(f'<p>Good cat</p><img src="{url}">', None, TRACKER)
    assert shown == f'<p>Good cat</p><img src="{url}">{IMAGE}'


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("//tracker.rescuegroups.org/pet?7", "//tracker.rescuegroups.org/pet?7"),
        ("HTTPS://tracker.rescuegroups.org/pet?7", "HTTPS://tracker.rescuegroups.org/pet?7"),
        (" https://tracker.rescuegroups.org/pet?7\n", "https://tracker.rescuegroups.org/pet?7"),
        ("http://count.example/7?a=1&b='2'", "http://count.example/7?a=1&amp;b=&#x27;2&#x27;"),
    ],
)
def test_the_tracker_is_shown_as_given_and_escaped(given: str, shown: str) -> None:
    assert rendered(None, "x", given) == f'x<img src="{shown}" width="0" height="0" alt="">'


@pytest.mark.parametrize(
    "given", ["", " ", "pet?7", "/pet?7", "https://", "javascript://x", "data:,x", "x//y"]
)
def test_what_is_no_address_of_the_web_is_no_tracker(given: str) -> None:
    assert rendered(None, "x", given) == "x"


def test_a_tracker_on_another_host_is_not_added_twice() -> None:
    other = "http://count.example/7?a=1&b=2"
    shown = rendered(f'<p>Good cat<img src="{other}"></p>', None, other)
    assert shown == '<p>Good cat<img src="http://count.example/7?a=1&amp;b=2"></p>'


@pytest.mark.parametrize(
    "sent",
    [
        f'<div class="rgDescription"><img src="{TRACKER}" width="0" height="0" alt="" /></div>',
        f'<p><b></b></p>&nbsp;&#8203;\ufeff<br><hr><img src="{TRACKER}">',
        f'<a href="https://example.org"><img src="{TRACKER}"></a>',
        f"<!-- nothing --><style>p{{}}</style><img src='{TRACKER}'>",
    ],
)
@pytest.mark.parametrize("text", [None, "", " \n", "&nbsp;"])
def test_a_description_that_is_only_a_tracker_is_only_the_tracker(
    sent: str, text: str | None
) -> None:
    shown = rendered(sent, text, TRACKER)
    assert shown is not None
    assert shown.startswith(f'<img src="{ESCAPED}"')
    assert shown.count("<") == 1


@pytest.mark.parametrize("sent", [None, "", "<p>&nbsp;</p>", "<br>\u200b", "<script>x</script>"])
@pytest.mark.parametrize("text", [None, "", " ", "&nbsp;"])
def test_where_there_is_nothing_to_show_there_is_none(sent: str | None, text: str | None) -> None:
    assert rendered(sent, text, None) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It&#39;s&nbsp;me", "It's\u00a0me"),
        ("It&#x27;s me &eacute;", "It's me é"),
        ("&amp;#39; and &amp;amp;", "&amp;#39; and &amp;amp;"),
        ("see http://x.example/?id=1&region=2&copy=3", "see http://x.example/?id=1&amp;region=2&amp;copy=3"),
        ("&lt;b&gt;", "&lt;b&gt;"),
        ("&nosuch; &; &#; &#x; &amp", "&amp;nosuch; &amp;; &amp;#; &amp;#x; &amp;amp"),
        ("&#0; &#xD800; &#1114112;", "\ufffd \ufffd \ufffd"),
        ("dogâ€™s life", "dogâ€™s life"),
        ("R&B &hearts; &NotEqualTilde;", "R&amp;B ♥ ≂̸"),
    ],
)  # fmt: skip
def test_entities_are_decoded_just_once_and_what_is_garbled_is_left(text: str, shown: str) -> None:
    assert rendered(None, text, None) == shown


def test_entities_in_html_stay_what_they_are() -> None:
    assert (
        rendered("&amp;lt;b&amp;gt; &lt;b&gt; &#39;", None, None) == "&amp;lt;b&amp;gt; &lt;b&gt; '"
    )


def test_an_address_without_a_host_is_dropped() -> None:
    sent = (
        '<a href="/x">x</a><a href="//y.example/">y</a><img src="z.jpg"><a href="https://w">w</a>'
    )
    rel = 'rel="noopener noreferrer nofollow"'
    assert rendered(sent, None, None) == (
        f'<a {rel}>x</a><a href="//y.example/" {rel}>y</a><img><a href="https://w" {rel}>w</a>'
    )


def test_markup_that_no_person_wrote_is_shown_as_text() -> None:
    assert rendered("<div>" * 9_000 + "Good & <i>calm</i> cat", None, TRACKER) == (
        f"Good &amp;  calm  cat{IMAGE}"
    )
    assert rendered("<div>" * 9_000 + "Good cat", "Good\ncat", TRACKER) == f"Good<br>cat{IMAGE}"


UNSEEN = (
    "script style template title noscript noembed noframes iframe object applet audio video "
    "canvas select datalist textarea meter progress dialog"
)


@pytest.mark.parametrize("name", UNSEEN.split())
@pytest.mark.parametrize("inside", ["Get a newer browser", "<b>Get</b> a <i>newer</i> browser"])
def test_p11_what_no_browser_shows_as_text_goes_with_its_text(name: str, inside: str) -> None:
    """P11: titles, films, what is for browsers that can't show something."""
    for tag in (name, name.upper()):
        sent = f"<p>Good</p><{tag} width=9>{inside}</{tag}><p>cat</p>"
        shown = rendered(sent, None, None) or ""
        assert shown == "<p>Good</p><p>cat</p>"


@pytest.mark.parametrize(
    "sent",
    [
        "<select><option>Apply<option selected>Call</select>",
        "<option>Apply</option>",
        "<svg>Apply</svg>",
        "<svg><title>Apply</title><text x=1>Call</text></svg>",
        "<object data=x.swf><param name=a><embed src=x.swf>Apply</object>",
        "<video controls><source src=x.mp4><track src=x.vtt>Apply <a href=x>Call</a></video>",
        "<audio><p>Apply</p></audio>",
        "<dialog><h2>Apply</h2></dialog>",
        "<title>Apply &amp; <b>Call</b></title>",
        "<video>Apply",
    ],
)
def test_p11_however_it_is_written(sent: str) -> None:
    """P11: with what they hold, and without an end."""
    assert rendered(f"<p>Good cat</p>{sent}", None, None) == "<p>Good cat</p>"


@pytest.mark.parametrize(
    "sent",
    ["<button>Good cat</button>", "<form><label>Good cat</label></form>", "<xmp>Good cat</xmp>",
     "<marquee>Good cat</marquee>", "<math>Good cat</math>", "<details>Good cat</details>",
     "<fieldset><legend>Good cat</legend></fieldset>", "<o:p>Good cat</o:p>",
     "<picture><img src='https://x.example/1.jpg'>Good cat</picture>"],
)  # fmt: skip
def test_p11_what_browsers_show_is_kept(sent: str) -> None:
    """P11: the other side: no words of a person are lost."""
    assert "Good cat" in (rendered(sent, None, None) or "")


def test_p11_what_no_person_wrote_shows_no_such_text_either() -> None:
    """P11: so many tags are never cleaned, but shown as text."""
    sent = "<STYLE>p{color:red}</STYLE>Good<br>" + "<p>" * 6_000 + "<title>x</title>cat<video>old"
    assert (rendered(sent, None, None) or "").split() == ["Good", "cat"]


@pytest.mark.parametrize(
    ("shown", "something"),
    [
        ("", False),
        (IMAGE, False),
        (f"<p>&nbsp;</p>{IMAGE}<hr>", False),
        (f'<img src="https://count.example/7">{IMAGE}', True),
        (f"<p>Good cat</p>{IMAGE}", True),
        (".", True),
    ],
)
def test_p12_the_tracker_alone_is_nothing_to_look_at(shown: str, *, something: bool) -> None:
    """P12: nor are blanks, lines and empty paragraphs; a picture is."""
    assert says_something(shown, TRACKER) is something


def test_p12_a_tracker_on_another_host_is_known_by_its_url() -> None:
    """P12: the feed says which it is."""
    other = "https://count.example/7"
    assert not says_something(f'<img src="{other}">', other)
