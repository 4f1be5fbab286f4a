"""The host of the simulated pictures: JPEGs drawn on the fly, as large as the feed declares."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image, ImageDraw

from lab.simulator.picture_rows import file_bytes
from lab.simulator.shapes import seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104  of simulated pictures, and only where a name is given
MOST_PIXELS_A_SIDE = 5_000
COMMENT_BYTES = 65_533
COMMENT_HEAD_BYTES = 4
FIRST_UPLOAD = datetime(2026, 1, 1, tzinfo=UTC)
# A leading /cdn is the other host to which the fault `moved-pictures` sends everybody.
_PATH = re.compile(
    r"(?:/cdn)?/\d+/pictures/animals/(?P<folder>\d+)/(?P<animal>\d+)/"
    r"(?P<media>\d{1,12})_(?P<width>\d{1,4})x(?P<height>\d{1,4})\.jpg"
)


@dataclass(frozen=True)
class PictureAddress:
    """Where pictures are served; `url` goes into `history(pictures_url=…)`."""

    url: str


@contextmanager
def serve_pictures(port: int = 0, *, known_as: str = HOST) -> Iterator[PictureAddress]:
    """Serve pictures from a thread of its own; port 0 takes a free one.

    Args:
        port: to listen on.
        known_as: the host's name in the feed; under another name than loopback's it listens to all.
    """
    listen_at = HOST if known_as == HOST else EVERYWHERE
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated-pictures", daemon=True)
    thread.start()
    try:
        runner = asyncio.run_coroutine_threadsafe(_start(listen_at, port), loop).result()
        try:
            yield PictureAddress(f"http://{known_as}:{runner.addresses[0][1]}")
        finally:
            asyncio.run_coroutine_threadsafe(_stop(runner, loop), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@lru_cache(maxsize=256)
def jpeg(media_id: int, width: int, height: int) -> bytes:
    """Draw the picture of a media id: hills, a sun and an animal's eye, padded to its fileSize."""
    rng = seeded(5, media_id)
    image = Image.new("RGB", (width, height), _colour(rng.randrange(256), 200))
    draw = ImageDraw.Draw(image)
    for number in range(3):
        top = height * (2 + number) // 6 + rng.randrange(max(1, height // 6))
        left = rng.randrange(-width // 2, width // 2)
        box = (left, top, left + width * 3 // 2, top + height * 2)
        draw.ellipse(box, fill=_colour(rng.randrange(256), 150 - 30 * number))
    side = max(2, min(width, height) // 4)
    x, y = rng.randrange(max(1, width - side)), rng.randrange(max(1, height // 3))
    draw.ellipse((x, y, x + side, y + side), fill=(250, 220, 90))
    draw.ellipse(
        (x + side // 3, y + side // 3, x + side * 2 // 3, y + side * 2 // 3), fill=(40, 30, 30)
    )
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return _padded(file.getvalue(), file_bytes(media_id, width, height))


def _padded(data: bytes, size_bytes: int) -> bytes:
    """Comment segments behind the first marker: what decoders skip fills up to the size."""
    parts, missing = [data[:2]], size_bytes - len(data)
    while missing >= COMMENT_HEAD_BYTES:
        filling = min(missing - COMMENT_HEAD_BYTES, COMMENT_BYTES)
        if 0 < missing - COMMENT_HEAD_BYTES - filling < COMMENT_HEAD_BYTES:
            filling -= COMMENT_HEAD_BYTES  # else too little is left for a segment of its own
        parts.append(b"\xff\xfe" + (filling + 2).to_bytes(2, "big") + bytes(filling))
        missing -= COMMENT_HEAD_BYTES + filling
    return b"".join((*parts, data[2:]))


def _colour(hue: int, light: int) -> tuple[int, int, int]:
    return (light, (hue * 3) % 200 + 30, 255 - hue // 2)


async def _answer(request: web.Request) -> web.StreamResponse:
    match = _PATH.fullmatch(request.path)
    if match is None or int(match["folder"]) != int(match["animal"]) // 1000:
        raise web.HTTPNotFound
    media_id, width, height = int(match["media"]), int(match["width"]), int(match["height"])
    if not (0 < width <= MOST_PIXELS_A_SIDE and 0 < height <= MOST_PIXELS_A_SIDE):
        raise web.HTTPNotFound
    etag = f"{media_id:x}-{width:x}-{height:x}"
    uploaded = FIRST_UPLOAD + timedelta(seconds=media_id % 10_000_000)
    if _is_known(request, etag, uploaded):
        answer = web.Response(status=304)
    else:
        body = await asyncio.to_thread(jpeg, media_id, width, height)
        answer = web.Response(body=body, content_type="image/jpeg")
    answer.etag = etag
    answer.last_modified = uploaded
    return answer


def _is_known(request: web.Request, etag: str, uploaded: datetime) -> bool:
    if request.if_none_match:
        return any(known.value in (etag, "*") for known in request.if_none_match)
    return request.if_modified_since is not None and request.if_modified_since >= uploaded


async def _start(host: str, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


async def _stop(runner: web.AppRunner, loop: asyncio.AbstractEventLoop) -> None:
    await runner.cleanup()
    await loop.shutdown_default_executor()
