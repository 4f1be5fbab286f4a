"""What a host's answer means, and how long it is left alone: sessions that answer as scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from consumers.pictures.http import DownloadLimits, PictureClient, Validators
from consumers.pictures.retry_policy import RefusedPictureError

URL_OF_ONE = "https://cdn.example.org/1.jpg"


class Answer:
    """A response, and its own body."""

    content_length: int | None = None

    def __init__(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Answer so; underscores of header names are dashes."""
        self.status, self.content = status, self
        self.headers = CIMultiDict((name.replace("_", "-"), text) for name, text in headers.items())
        self._body = body

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Give the body in pieces."""
        for at in range(0, len(self._body), size):
            yield self._body[at : at + size]


class Session:
    """Answers by URL, and remembers who asked."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        """Answer so."""
        self.asked: list[str] = []
        self._answers = answers

    @asynccontextmanager
    async def get(self, url: URL, **_: Any) -> AsyncIterator[Answer]:
        """Answer."""
        self.asked.append(str(url))
        yield self._answers[str(url)]


def client(answer: Answer, **others: Answer) -> tuple[PictureClient, Session]:
    """Return a client to which hosts answer so."""
    session = Session({URL_OF_ONE: answer, **others})
    return PictureClient(session, Session({}), DownloadLimits(max_bytes=200_000)), session


async def refused(answer: Answer, **others: Answer) -> tuple[str, str]:
    """Return why a picture can't be had."""
    with pytest.raises(RefusedPictureError) as error:
        await client(answer, **others)[0].fetch(URL_OF_ONE)
    return error.value.reason, error.value.kind


async def test_a_body_is_taken_and_what_makes_the_next_request_conditional() -> None:
    asking, _ = client(Answer(body=b"x" * 150_000, ETag='"a"'))
    download = await asking.fetch(URL_OF_ONE)
    assert download is not None
    assert download.data == b"x" * 150_000
    assert download.validators == Validators('"a"', None)
    unchanged, _ = client(Answer(304))
    assert await unchanged.fetch(URL_OF_ONE, Validators('"a"', None)) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(404), ("http-404", "missing")),
        (Answer(410), ("http-410", "missing")),
        (Answer(403), ("http-403", "content")),
        (Answer(503), ("http-503", "trouble")),
        (Answer(429), ("http-429", "trouble")),
        (Answer(304), ("http-304", "content")),
        (Answer(body=b"x" * 200_001), ("too-large", "content")),
        (Answer(body=b"x", Content_Encoding="gzip"), ("encoded", "content")),
        (Answer(302, Location="http://user@cdn.example.org/"), ("user-in-url", "never")),
        (Answer(302, Location="ftp://cdn.example.org/"), ("scheme", "never")),
        (Answer(302, Location="http://cdn.example.org:8080/"), ("port", "never")),
        (Answer(302, Location="/1.jpg"), ("redirects", "content")),
    ],
)
async def test_t33_t35_what_cannot_be_had_says_why(answer: Answer, why: tuple[str, str]) -> None:
    """T33, T35."""
    assert await refused(answer) == why


async def test_redirects_are_followed_three_times_and_no_more() -> None:
    endless, session = client(Answer(302, Location="/1.jpg"))
    with pytest.raises(RefusedPictureError):
        await endless.fetch(URL_OF_ONE)
    assert len(session.asked) == 4


@pytest.mark.parametrize(
    ("asked_s", "left_alone_s"), [("120", 120.0), ("86400", 3_600.0), ("0", 0.0), ("soon", 0.0)]
)
async def test_t35_a_host_is_left_alone_as_it_asks_and_for_an_hour_at_the_most(
    asked_s: str, left_alone_s: float
) -> None:
    """T35: one answer of one picture mustn't stop all others of that host for a day."""
    asking, _ = client(Answer(503, Retry_After=asked_s))
    with pytest.raises(RefusedPictureError):
        await asking.fetch(URL_OF_ONE)
    wait_s = asking.host_wait_s("https://cdn.example.org/2.jpg")
    assert left_alone_s - 5 < wait_s <= left_alone_s
    assert asking.host_wait_s("https://other.example.org/2.jpg") == 0.0


@pytest.mark.parametrize(
    "said",
    ["", " ", ",", "identity", "Identity", "identity, identity", "none", "utf-8", "UTF-8", "binary",
     "8bit", "base64", "image/jpeg", "aws-chunked", "null", "*"],
)  # fmt: skip
async def test_p7_only_a_real_coding_is_one(said: str) -> None:
    """P7: `Content-Encoding:` with nothing, or with what is none, on a plain JPEG."""
    asking, _ = client(Answer(body=b"plain", Content_Encoding=said))
    download = await asking.fetch(URL_OF_ONE)
    assert download is not None
    assert download.data == b"plain"


@pytest.mark.parametrize(
    "said", ["gzip", "GZIP", " x-gzip ", "br", "deflate", "zstd", "compress", "identity, gzip"]
)
async def test_p7_what_is_packed_is_refused_whatever_else_is_said(said: str) -> None:
    """P7, and T32: we asked for the bytes as they are."""
    assert await refused(Answer(body=b"x", Content_Encoding=said)) == ("encoded", "content")


async def test_p7_a_coding_in_a_second_header_is_one() -> None:
    """P7: hosts behind hosts."""
    answer = Answer(body=b"x", Content_Encoding="")
    answer.headers.add("Content-Encoding", "gzip")
    assert await refused(answer) == ("encoded", "content")


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/it%27s%2Cok.jpg?Signature=a%2Fb%3D", "/it%27s%2Cok.jpg?Signature=a%2Fb%3D"),
        ("https://cdn.example.org/a b.jpg", "/a%20b.jpg"),
        ("b%2Fc.jpg", "/b%2Fc.jpg"),
        ("?v=%2F", "/1.jpg?v=%2F"),
        ("//cdn.example.org/x%2C.jpg", "/x%2C.jpg"),
        ("/caf\udce9.jpg", "/caf%E9.jpg"),
        (" /late.jpg#top ", "/late.jpg"),
    ],
)
async def test_p8_a_redirect_is_followed_as_it_is_given(location: str, asked: str) -> None:
    """P8: a signature stands for each letter; a header may be of any bytes."""
    there = {f"https://cdn.example.org{asked}": Answer(body=b"x")}
    asking, session = client(Answer(302, Location=location), **there)
    assert await asking.fetch(URL_OF_ONE) is not None
    assert session.asked == [URL_OF_ONE, f"https://cdn.example.org{asked}"]
