"""Pictures made due again, as a person asks for it."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from console.act import pictures
from consumers.admin.picture_retries import RetrySelection


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({"host": "a.example"}, RetrySelection(host="a.example")),
        ({"reason": "http-403"}, RetrySelection(reason="http-403")),
        ({"pet": 7, "reason": "polyglot"}, RetrySelection(None, "polyglot", 7)),
        ({"all": True}, RetrySelection()),
    ],
)
def test_p9_options_say_which_pictures(options: dict[str, object], chosen: RetrySelection) -> None:
    """P9: by host, reason or pet; what is given must all fit."""
    assert pictures.selection(asked(**options)) == chosen


@pytest.mark.parametrize("as_json", [True, False])
async def test_p9_what_is_due_again_is_told_by_reason(
    as_json: bool,  # noqa: FBT001  a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """P9: and that nobody will fetch them, where pictures are off."""

    async def due(_url: str, selection: RetrySelection) -> dict[str, int]:
        assert selection.reason is None
        return {"http-403": 12, "truncated": 1}

    monkeypatch.setattr(pictures, "make_due", due)
    options = asked(all=True, json=as_json)
    assert await pictures.retry(options, database_url="postgresql://x", pictures="off") == 0
    shown = capsys.readouterr()
    assert "PETSTREAM_PICTURES is off" in shown.err
    if as_json:
        assert json.loads(shown.out) == {"due": 13, "reasons": {"http-403": 12, "truncated": 1}}
    else:
        assert shown.out.startswith("13 pictures are due again; ")
        assert shown.out.endswith("12  http-403\n       1  truncated\n")


def asked(**options: object) -> Namespace:
    """Return the options of a command line."""
    return Namespace(
        **{"host": None, "reason": None, "pet": None, "all": False, "json": False} | options
    )
