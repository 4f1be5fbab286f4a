"""F2, F10, F13. Servers with manners: understood, or told about in one line; none is a bug."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from odd_ftp import FILES, KEY, MODIFIED, PASSWORD, USER, Manners, names_of, served

from console.doctor.feed import check_feed
from ingest.source import download, ftp
from ingest.source.download import stream
from ingest.source.ftp import features, listing
from ingest.source.listing import RemoteFile, export_set
from petstream.errors import NotReadyError, PetstreamError, UnreachableError
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

AT = datetime(2026, 11, 2, 8, 0, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
FACTS = "".join(
    f"type=file;size={len(data)};modify={MODIFIED};UNIX.mode=0644; {name}\r\n"
    for name, data in FILES.items()
).encode()
LS = "".join(
    f"-rw-r--r--    1 ftp      ftp      {len(data):>8} Nov 02 08:00 {name}\r\n"
    for name, data in FILES.items()
).encode()
DOS = "".join(
    f"11-02-26  08:00AM {len(data):>20} {name}\r\n" for name, data in FILES.items()
).encode()
NAMES = names_of(FILES)


def answers(**replies: str | None) -> Manners:
    """Return manners that answer these commands in their own way."""
    return Manners(answers=replies)


def named(listed: bytes, **more: Any) -> Manners:
    """Return manners that list names in their own way."""
    return Manners(listed={"NLST": listed}, **more)


UNDERSTOOD: dict[str, Manners] = {
    "by the book": Manners(),
    # PASV and EPSV
    "PASV without parentheses": answers(EPSV="502 no", PASV="227 127,0,0,1,{high},{low}"),
    "PASV with words only behind": answers(EPSV="502 no", PASV="227 127,0,0,1,{high},{low} ok."),
    "PASV with a sign": answers(EPSV="502 no", PASV="227 Entering =127,0,0,1,{high},{low}"),
    "PASV with blanks": answers(EPSV="502 no", PASV="227 at ( 127, 0, 0, 1, {high}, {low} )"),
    "PASV with a bracket": answers(EPSV="502 no", PASV="227 [127,0,0,1,{high},{low}]"),
    "PASV open": answers(EPSV="502 no", PASV="227 Entering Passive Mode (127,0,0,1,{high},{low}"),
    "PASV behind other digits": answers(EPSV="502 no", PASV="227 2 of 5: (127,0,0,1,{high},{low})"),
    "PASV of two lines": answers(EPSV="502 no", PASV="227-socket\r\n227 (127,0,0,1,{high},{low})"),
    "PASV at another address": answers(EPSV="502 no", PASV="227 (10,255,255,1,{high},{low})"),
    "PASV at no address": answers(EPSV="502 no", PASV="227 (0,0,0,0,{high},{low})"),
    "PASV answered as EPSV": answers(EPSV="502 no", PASV="229 Extended (|||{port}|)"),
    "PASV behind a reply too many": answers(
        EPSV="502 no", PASV="250 changed\r\n227 (127,0,0,1,{high},{low})"
    ),
    "EPSV without parentheses": answers(EPSV="229 Extended |||{port}|"),
    "EPSV with another sign": answers(EPSV="229 Extended (!!!{port}!)"),
    "EPSV with an address": answers(EPSV="229 Extended (|1|10.255.255.1|{port}|)"),
    "EPSV without its last sign": answers(EPSV="229 Extended |||{port}"),
    "EPSV answered as PASV": answers(EPSV="227 Entering (127,0,0,1,{high},{low})"),
    "EPSV of two lines": answers(EPSV="229-here\r\n229 (|||{port}|)"),
    "EPSV that can't be read": answers(EPSV="229 Extended Passive Mode"),
    "EPSV with words for a port": answers(EPSV="229 (|||many|)"),
    "EPSV with port 0": answers(EPSV="229 (|||0|)"),
    "EPSV with port 99999": answers(EPSV="229 (|||99999|)"),
    "EPSV answered by 200": answers(EPSV="200 yes"),
    "EPSV refused by 522": answers(EPSV="522 protocol"),
    "EPSV refused by 425": answers(EPSV="425 not now"),
    "EPSV refused by 501": answers(EPSV="501 what"),
    "EPSV that leads nowhere": Manners(extended_goes_nowhere=True),
    # greetings and logins
    "a banner that begins with digits": Manners(
        greeting="220-Welcome\r\n2026 is our year\r\n202 files\r\n550 pets\r\n220 ready"
    ),
    "a banner of the same code": Manners(greeting="220-a\r\n220-b\r\n2200 pets\r\n 220 c\r\n220 d"),
    "a banner that ends with its code alone": Manners(greeting="220-a\r\n220"),
    "words before the banner": Manners(greeting="\r\nhello there\r\n220 ready"),
    "120 first": Manners(greeting="120 in a minute\r\n220 ready"),
    "a banner in latin-1": Manners(greeting="220 pr\xeat \xb2\xb3\xb9"),
    "no password": answers(USER="230 in"),
    "a superfluous password": answers(PASS="202 superfluous"),
    "an account": answers(PASS="332 account", ACCT="230 in"),
    "a long farewell": answers(PASS="230-a\r\n331 b\r\n530 c\r\n230 in"),
    "TYPE answered by 250": answers(TYPE="250 binary"),
    # lists of names
    "LF only": named(NAMES.replace(b"\r\n", b"\n")),
    "no last line end": named(NAMES.rstrip()),
    "empty lines": named(NAMES.replace(b"\r\n", b"\r\n\r\n")),
    "./ before the names": named(
        b"".join(b"./" + line for line in NAMES.splitlines(keepends=True))
    ),
    "a name of 0x85": named(
        b"x\x85pets_2.json\r\ny\x1cpets_3.json\r\nz\x0cpets_4.json\r\n" + NAMES
    ),
    "names in UTF-8": named("\u732b.json\r\n".encode() + NAMES),
    "names of others": named(b"pets_1.json.bak\r\nreadme\r\nimport\r\n..\r\n.\r\n" + NAMES),
    "the same names 250,000 times": named(NAMES * 83_334),
    "names in the looks of ls": named(LS),
    "names with a total": named(
        b"total 3\r\n" + LS + b"drwxr-xr-x 2 0 0 9 Nov 2 08:00 pets_9.json\r\n"
    ),
    "names in the looks of dir": named(
        DOS + b"11-02-26  08:00AM       <DIR>          pets_9.json\r\n"
    ),
    "names with facts": named(FACTS),
    "no NLST, but MLSD": Manners(
        answers={"NLST": "502 no"},
        listed={"MLSD": b"type=cdir;modify=20261102080001; .\r\n" + FACTS},
    ),
    "neither NLST nor MLSD, but LIST": Manners(
        answers={"NLST": "500 what", "MLSD": "502 no"}, listed={"LIST": LS}
    ),
    "a list without 150": Manners(before_data="", answers={}),
    "a list that begins with 125": Manners(before_data="125 already open"),
    "250 after data": Manners(after_data="250 done"),
    "no reply after data": Manners(after_data=""),
    "a directory of a file's name": Manners(
        answers={"SIZE pets_2.json": "550 not a plain file"},
        listed={"NLST": NAMES + b"pets_2.json\r\n"},
    ),
    "a file that may not be read": Manners(
        answers={"SIZE pets_2.json": "553 no"}, listed={"NLST": NAMES + b"pets_2.json\r\n"}
    ),
    # SIZE and MDTM
    "SIZE with words": answers(SIZE="213 {size} bytes"),
    "SIZE with blanks": answers(SIZE="213   {size}  "),
    "SIZE of two lines": answers(SIZE="213-status\r\n213 {size}"),
    "SIZE answered by 250": answers(SIZE="250 {size}"),
    "MDTM with fractions": answers(MDTM="213 {time}.123"),
    "MDTM with a zone": answers(MDTM="213 {time} GMT"),
    "MDTM answered by 253": answers(MDTM="253 {time}"),
    "MDTM of the years since 1900": answers(MDTM="213 191261102080001"),
    "no MDTM, but MLST": answers(
        MDTM="502 no", MLST="250-here\r\n type=file;size=1;modify={time}; x\r\n250 end"
    ),
    "SIZE and MDTM by 202, but MLST": answers(
        SIZE="202 no",
        MDTM="202 no",
        MLST="250-here\r\n Type=file;Size={size};Modify={time}; x\r\n250 end",
    ),
    # other
    "no FEAT": answers(FEAT="500 what"),
    "no QUIT": answers(QUIT=""),
    "no REST": answers(REST="502 no"),
}

REFUSED: dict[str, tuple[Manners, str]] = {
    "PASV and EPSV that can't be read": (
        answers(EPSV="229 yes", PASV="227 yes"), "its answer to PASV can't be read",
    ),
    "PASV of five numbers": (answers(EPSV="502", PASV="227 (127,0,0,1,9)"), "PASV can't be read"),
    "PASV of numbers too large": (
        answers(EPSV="502", PASV="227 (127,0,0,1,999,999)"), "PASV can't be read",
    ),
    "PASV of huge numbers": (
        answers(EPSV="502", PASV=f"227 (1,1,1,1,{'9' * 5_000},1)"), "PASV can't be read",
    ),
    "PASV of superscripts": (answers(EPSV="502", PASV="227 (1,1,1,1,\xb2,\xb3)"), "can't be read"),
    "neither PASV nor EPSV": (answers(EPSV="502 no", PASV="502 no"), "FTP 502"),
    "a login that is refused": (answers(PASS="530 no"), "refuses the login"),
    "a login that is refused at the name": (answers(USER="530 no"), "refuses the login"),
    "421 for ever": (Manners(greeting="421 too many"), "FTP 421"),
    "a greeting of SSH": (Manners(greeting="SSH-2.0-OpenSSH_9.2"), "can't be reached"),
    "a greeting of mail": (Manners(greeting="554 go away"), "FTP 554"),
    "a greeting of superscripts": (Manners(greeting="\xb2\xb2\xb0 ready"), "can't be reached"),
    "a banner without an end": (Manners(greeting="220-a\r\n" * 3_000), "can't be reached"),
    "a line without an end": (Manners(greeting="220 " + "x" * 300_000), "can't be reached"),
    "silence": (Manners(greeting="", answers={"USER": None}), "can't be reached"),
    "a connection closed at each name": (answers(SIZE=""), "gives no listing"),
    "silence at each name": (answers(SIZE=None), "gives no listing"),
    "no listing of any kind": (answers(NLST="502 no"), "FTP 502"),
    "no list today": (answers(NLST="451 disk"), "FTP 451"),
    "an endless list": (Manners(endless="NLST"), "longer than"),
    "a hundred thousand parts": (
        named(b"".join(b"pets_%d.json\r\n" % n for n in range(100_000))), "more than 2,000",
    ),
    "SIZE of none": (answers(SIZE="550 no"), "of none"),
    "SIZE in words": (answers(SIZE="213 many"), "can't be read"),
    "SIZE below nothing": (answers(SIZE="213 -1"), "can't be read"),
    "SIZE of a thousand digits": (answers(SIZE="213 " + "9" * 1_000), "can't be read"),
    "SIZE of the whole world": (answers(SIZE="213 999999999999999"), "that is no export"),
    "MDTM in words": (answers(MDTM="213 yesterday"), "can't be read"),
    "MDTM of no month": (answers(MDTM="213 20261320080001"), "can't be read"),
    "no MDTM": (answers(MDTM="502 no"), "can't tell"),
    "a file cut at once, each time": (answers(RETR="426 cut"), "FTP 426"),
    "a file that can't be opened": (answers(RETR="425 no"), "FTP 425"),
    "a file that closes": (answers(RETR=""), "breaks off"),
    "an endless file": (Manners(endless="orgs_1.json"), "longer than it was listed"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes a minute take a moment."""
    monkeypatch.setattr("ingest.source.connection.SOCKET_TIMEOUT_S", 0.5)
    monkeypatch.setattr("ingest.source.connection._NEXT_REPLY_S", 0.3)
    monkeypatch.setattr(ftp, "SOCKET_TIMEOUT_S", 0.5)
    monkeypatch.setattr(ftp, "CONNECT_TIMEOUT_S", 0.3)
    monkeypatch.setattr(ftp, "_QUIT_S", 0.2)
    monkeypatch.setattr(ftp, "LOOK_S", 5)
    monkeypatch.setattr(download, "_TRIES_WITHOUT_PROGRESS", 2)


async def everything(feed: FtpUrl) -> dict[str, bytes]:
    """Read every file of the export, under its logical name."""
    contents = {}
    for part in export_set(await listing(feed, give_up_after_s=0.1)).parts:
        async with aclosing(stream(feed, part.remote)) as blocks:
            contents[part.name] = b"".join([block async for block in blocks])
    return contents


@pytest.mark.parametrize("manners", UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
async def test_f2_f10_a_server_with_manners_is_understood(
    manners: Manners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F2, F10, F13: every file whole, byte for byte, as other clients read it."""
    monkeypatch.setattr(ftp, "LOOK_S", 20)
    async with served(manners) as feed, asyncio.timeout(20):
        assert await everything(feed) == FILES
    assert len(manners.commands) < 120


@pytest.mark.parametrize(("manners", "line"), REFUSED.values(), ids=REFUSED.keys())
async def test_f2_f13_whatever_a_server_says_is_one_line_about_the_server(
    manners: Manners, line: str
) -> None:
    """F2, F13: never a bug of ours, and nothing that ends a watch."""
    async with served(manners) as feed, asyncio.timeout(20):
        with pytest.raises((NotReadyError, UnreachableError), match=line) as caught:
            await everything(feed)
    said = str(caught.value)
    assert "\n" not in said
    assert not [secret for secret in (USER, PASSWORD, KEY) if secret in said]


@pytest.mark.parametrize(
    "manners",
    [*UNDERSTOOD.values(), *(manners for manners, _ in REFUSED.values())],
    ids=[*UNDERSTOOD.keys(), *REFUSED.keys()],
)
async def test_f2_doctor_has_results_whatever_it_meets(manners: Manners) -> None:
    """F2: its other checks are made."""
    async with served(manners) as feed, asyncio.timeout(30):
        results = await check_feed(feed, NOW)
    assert results


@pytest.mark.parametrize("answer", ["500 what", "200 fine", "451 not now", "530 no"])
async def test_f2_doctor_checks_the_files_whatever_is_said_of_features(answer: str) -> None:
    """F2: found by fuzzing: an odd answer to FEAT, which nobody needs, ended the looking."""
    async with served(answers(FEAT=answer)) as feed, asyncio.timeout(30):
        assert await features(feed) is None
        results = await check_feed(feed, NOW)
    assert any("gives a listing" in result.what for result in results)


async def test_f2_a_server_that_goes_away_while_it_is_asked_for_features_is_unreachable() -> None:
    """F2: and no error of the client's own."""
    async with served(answers(FEAT="")) as feed, asyncio.timeout(30):
        with pytest.raises(UnreachableError, match="what it supports"):
            await features(feed)


@pytest.mark.parametrize(
    ("spelled", "family"),
    [("Pets_1.JSON", "pets"), ("ORGS_1.json.ZIP", "orgs"), ("PetList.CSV", "petlist"),
     (f"{KEY}_UPDATEDPETS_1.JSON", "updatedpets"), ("C:\\ftp\\newpets_1.json", "newpets")],
)  # fmt: skip
async def test_f10_a_name_in_another_case_is_a_file_of_the_export(
    spelled: str, family: str
) -> None:
    """F10."""
    files = {spelled: b"[]"}
    async with served(Manners(files=files)) as feed:
        (part,) = export_set(await listing(feed, give_up_after_s=0.1)).parts
        assert (part.family, part.remote) == (family, RemoteFile(spelled, 2, AT))
        assert await everything(feed) == {part.name: b"[]"}


async def test_f13_names_that_repeat_cost_no_command() -> None:
    """F13: a quarter of a million names, three files."""
    manners = named(NAMES * 83_334)
    async with served(manners) as feed:
        await listing(feed, give_up_after_s=0.1)
    assert manners.commands.count("SIZE") == len(FILES)


async def test_f13_a_server_that_takes_long_for_each_file_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F13: 40 s for each SIZE; no single answer is too late, all of them are."""
    monkeypatch.setattr(ftp, "LOOK_S", 0.5)
    async with served(Manners(wait_s={"SIZE": 0.3})) as feed, asyncio.timeout(3):
        with pytest.raises(UnreachableError, match="gives no listing"):
            await listing(feed, give_up_after_s=0.1)


async def test_a_refused_login_may_pass_so_a_watch_goes_on() -> None:
    async with served(answers(PASS="530 no")) as feed:
        with pytest.raises(UnreachableError, match="refuses the login") as caught:
            await listing(feed)
    assert caught.value.exit_status == PetstreamError.exit_status
