"""The simulated servers, met as a consumer meets them: by a real FTP client and over HTTP."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import aioftp
import aiohttp
import pytest
from PIL import Image

from lab.simulator import history, serve_ftp, serve_pictures, write_export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.simulator import FtpAddress

FEED = history(pets=30, days=2)
USER, PASSWORD = "apikey-Ab3dEf9h", "secret"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FtpAddress]:
    write_export(tmp_path, FEED, 0)
    with serve_ftp(tmp_path, user=USER, password=PASSWORD) as address:
        yield address


async def test_a_real_client_sees_sizes_and_times_and_reads_the_same_bytes(
    served: FtpAddress, tmp_path: Path
) -> None:
    path = tmp_path / "pets_1.json"
    async with aioftp.Client.context(served.host, served.port, USER, PASSWORD) as client:
        names = {str(name): info async for name, info in client.list()}
        assert names["pets_1.json"]["size"] == str(path.stat().st_size)
        await client.command("TYPE I", "200")
        _, size = await client.command("SIZE pets_1.json", "213")
        assert size[0].split()[-1] == str(path.stat().st_size)
        _, modified = await client.command("MDTM pets_1.json", "213")
        assert modified[0].strip().startswith("2026110208")
        async with client.download_stream("pets_1.json") as stream:
            assert await stream.read() == path.read_bytes()


async def test_a_download_resumes_in_the_middle(served: FtpAddress, tmp_path: Path) -> None:
    async with (
        aioftp.Client.context(served.host, served.port, USER, PASSWORD) as client,
        client.download_stream("petlist.csv", offset=7) as stream,
    ):
        assert await stream.read() == (tmp_path / "petlist.csv").read_bytes()[7:]


async def test_nobody_writes_or_deletes(served: FtpAddress, tmp_path: Path) -> None:
    async with aioftp.Client.context(served.host, served.port, USER, PASSWORD) as client:
        with pytest.raises(aioftp.StatusCodeError, match="550"):
            await client.remove_file("petlist.csv")
    assert (tmp_path / "petlist.csv").exists()


async def test_a_wrong_password_is_refused(served: FtpAddress) -> None:
    client = aioftp.Client()
    await client.connect(served.host, served.port)
    with pytest.raises(aioftp.StatusCodeError, match="530"):
        await client.login(USER, "guess")
    client.close()


def test_the_server_says_nothing(
    served: FtpAddress, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert served.url == f"ftp://{USER}:{PASSWORD}@127.0.0.1:{served.port}/"
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


async def test_declared_pictures_are_real_ones_of_the_declared_size() -> None:
    with serve_pictures() as host:
        feed = history(pets=12, days=1, pictures_url=host.url)
        pictures = [picture for row in feed.truth(0).pets.values() for picture in row["pictures"]]
        async with aiohttp.ClientSession() as session:
            for picture in pictures[:8]:
                for size in (picture["original"], picture["large"], picture["small"]):
                    async with session.get(size["url"]) as answer:
                        assert answer.content_type == "image/jpeg"
                        body = await answer.read()
                    assert len(body) == int(size["fileSize"])
                    with Image.open(io.BytesIO(body)) as image:
                        image.load()
                        wanted = (int(size["resolutionX"]), int(size["resolutionY"]))
                        assert image.size == wanted


async def test_a_known_picture_is_not_sent_again() -> None:
    with serve_pictures() as host:
        url = f"{host.url}/701/pictures/animals/22611/22611034/102900001_100x75.jpg"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as first:
                etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
                body = await first.read()
            for header in ({"If-None-Match": etag}, {"If-Modified-Since": modified}):
                async with session.get(url, headers=header) as again:
                    assert again.status == 304
                    assert await again.read() == b""
            async with session.get(url, headers={"If-None-Match": '"other"'}) as other:
                assert await other.read() == body
            moved = url.replace("/701/", "/cdn/701/")
            async with session.get(moved) as elsewhere:
                assert await elsewhere.read() == body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/701/pictures/animals/22611/22611034/102900001.jpg",
        "/701/pictures/animals/1/22611034/102900001_100x75.jpg",
        "/701/pictures/animals/22611/22611034/102900001_9999x75.jpg",
        "/701/pictures/animals/22611/22611034/102900001_0x75.jpg",
    ],
)
async def test_unknown_paths_are_not_found(path: str) -> None:
    with serve_pictures() as host:
        async with aiohttp.ClientSession() as session, session.get(host.url + path) as answer:
            assert answer.status == 404


def test_a_port_in_use_is_an_error_at_once() -> None:
    with serve_pictures() as host:
        port = int(host.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"), serve_pictures(port):
            pass
