"""The subscriber check: right handlers pass, and each wrong one is found out (T45, T46)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from petstream.codec import UndecodableError, decode
from petstream.testkit.check import Record, Subscriber, check
from petstream.testkit.trials import trials

PAGE = Path(__file__).parents[3] / "docs" / "subscribing.md"
OPS = {"added", "updated", "removed", "relisted"}


class Right:
    """Keeps the newest event of each pet, by sequence and digest."""

    def __init__(self) -> None:
        """Begin with nothing stored."""
        self.held: dict[int, tuple[Any, dict[str, Any]]] = {}

    def handle(self, record: Record) -> None:
        """Apply a record."""
        event = json.loads(record.value)
        if event["op"] in OPS and self.is_newer(record, event):
            self.store(record, event)

    def is_newer(self, record: Record, event: dict[str, Any]) -> bool:
        """Decide."""
        held = self.held.get(event["animalId"])
        return held is None or self.rank(record, event) > held[0]

    def store(self, record: Record, event: dict[str, Any]) -> None:
        """Store."""
        self.held[event["animalId"]] = self.rank(record, event), event

    def rank(self, record: Record, event: dict[str, Any]) -> Any:
        """Return what decides."""
        return event["sequence"], dict(record.headers)["ce_digest"]

    def shown(self) -> Mapping[int, str | None]:
        """Return who is listed."""
        return {
            key: event["pet"]["name"]
            for key, (_, event) in self.held.items()
            if event["op"] != "removed"
        }


class RightWithOurCodec(Right):
    """Reads records with petstream's own codec."""

    def handle(self, record: Record) -> None:
        """Apply a record."""
        try:
            decode(record.headers, record.value)
        except UndecodableError as error:
            if error.reason != "type":
                raise
        else:
            super().handle(record)


class AppliesEverything(Right):
    """Has no guard: the last record wins."""

    def is_newer(self, record: Record, event: dict[str, Any]) -> bool:  # noqa: ARG002  it doesn't look
        """Believe the log's order."""
        return True


class ComparesOffsets(Right):
    """Takes a higher offset for newer."""

    def rank(self, record: Record, event: dict[str, Any]) -> Any:  # noqa: ARG002  it doesn't look
        """Return the offset."""
        return record.offset


class ComparesTimes(Right):
    """Takes what was published later for newer."""

    def rank(self, record: Record, event: dict[str, Any]) -> Any:  # noqa: ARG002  it doesn't look
        """Return the record's time."""
        return record.timestamp


class ForgetsTheRemoved(Right):
    """Deletes the row of a removed pet, and its sequence with it."""

    def store(self, record: Record, event: dict[str, Any]) -> None:
        """Store, or delete."""
        super().store(record, event)
        if event["op"] == "removed":
            del self.held[event["animalId"]]


class SeesAnIdOnce(Right):
    """Takes every event once, by its id: an older one that it hasn't seen wins."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        super().__init__()
        self.seen: set[bytes] = set()

    def is_newer(self, record: Record, event: dict[str, Any]) -> bool:  # noqa: ARG002  it doesn't look
        """Decide by the id."""
        ident = dict(record.headers)["ce_id"]
        new = ident not in self.seen
        self.seen.add(ident)
        return new


class IgnoresTheDigest(Right):
    """Compares sequences only: of two events with one, the first wins."""

    def rank(self, record: Record, event: dict[str, Any]) -> Any:  # noqa: ARG002  it doesn't look
        """Return the sequence."""
        return event["sequence"]


class TakesChangesOnly(Right):
    """Writes only the fields that `changed` names."""

    def store(self, record: Record, event: dict[str, Any]) -> None:
        """Merge what changed."""
        held = self.held.get(event["animalId"])
        if event["op"] == "updated" and held is not None:
            before = held[1]["pet"]
            changed = {name: event["pet"][name] for name in event["changed"]}
            event = {**event, "pet": before | changed}
        super().store(record, event)


class KnowsEveryType(Right):
    """Has no room for a type of event that is new."""

    def handle(self, record: Record) -> None:
        """Apply a record."""
        event = json.loads(record.value)
        if self.is_newer(record, event):
            self.store(
                record, {"op": event["op"], "pet": event["pet"], "animalId": event["animalId"]}
            )


class KnowsEveryField(Right):
    """Refuses a field that is new."""

    def handle(self, record: Record) -> None:
        """Apply a record."""
        known = {"op", "animalId", "sequence", "pet", "changed", "old", "firstSeenAt", "source"}
        if not json.loads(record.value).keys() <= known | {"note"}:
            raise ValueError("what is this?")
        super().handle(record)


class TakesRemovalsForUpdates(Right):
    """Goes on showing pets that left."""

    def shown(self) -> Mapping[int, str | None]:
        """Return everybody."""
        return {key: event["pet"]["name"] for key, (_, event) in self.held.items()}


class NeverComesBack(Right):
    """Takes a removal for the end."""

    def is_newer(self, record: Record, event: dict[str, Any]) -> bool:
        """Decide."""
        held = self.held.get(event["animalId"])
        gone = held is not None and held[1]["op"] == "removed"
        return not gone and super().is_newer(record, event)


class ForgetsAtRestart(Right):
    """Keeps what decides in memory only, beside a table."""

    def is_newer(self, record: Record, event: dict[str, Any]) -> bool:
        """Decide by what this process has seen."""
        held = self.held.get(event["animalId"])
        return held is None or held[0] is None or super().is_newer(record, event)


WRONG = {
    AppliesEverything: "a rewind while it runs",
    ComparesOffsets: "an older event at a higher offset",
    ComparesTimes: "an older event at a higher offset",
    ForgetsTheRemoved: "a removed pet's past comes again",
    SeesAnIdOnce: "an older event at a higher offset",
    IgnoresTheDigest: "events with one sequence, one way",
    TakesChangesOnly: "a gap, compacted away",
    KnowsEveryType: "a later minor version, new event types",
    KnowsEveryField: "a later minor version, new fields",
    TakesRemovalsForUpdates: "a first reading",
    NeverComesBack: "a first reading",
}


@pytest.mark.parametrize("subscriber", [Right, RightWithOurCodec])
async def test_t46_a_right_subscriber_passes(subscriber: type[Right]) -> None:
    report = await check(subscriber)
    assert report.ok, report
    assert report.trials > 20
    first, *advice = str(report).splitlines()
    assert first == f"{report.trials} of {report.trials} trials ended with the right pets."
    assert advice[0].startswith("Where Kafka loses records"), "it has no rule 5"


@pytest.mark.parametrize(("subscriber", "trial"), WRONG.items())
async def test_t46_each_wrong_subscriber_is_found_out(subscriber: type[Right], trial: str) -> None:
    report = await check(subscriber)
    assert not report.ok
    assert trial in {finding.trial for finding in report.findings}, report
    assert all(finding.found and finding.advice for finding in report.findings)


async def test_t46_what_is_forgotten_at_a_restart_is_found_out() -> None:
    def restarted(before: ForgetsAtRestart) -> ForgetsAtRestart:
        subscriber = ForgetsAtRestart()
        subscriber.held = {key: (None, event) for key, (_, event) in before.held.items()}
        return subscriber

    assert (await check(ForgetsAtRestart)).ok, "as long as it runs on"
    report = await check(ForgetsAtRestart, restarted=restarted)
    assert "a rewind across a restart" in {finding.trial for finding in report.findings}


async def test_a_right_subscriber_of_coroutines_that_is_really_restarted_passes() -> None:
    class Async:
        """Keeps everything in a table that outlives it."""

        def __init__(self, table: Right) -> None:
            self.table = table

        async def handle(self, record: Record) -> None:
            await asyncio.sleep(0)
            self.table.handle(record)

        async def shown(self) -> Mapping[int, str | None]:
            await asyncio.sleep(0)
            return self.table.shown()

    report = await check(lambda: Async(Right()), restarted=lambda before: Async(before.table))
    assert report.ok, report


async def test_the_report_says_what_is_wrong_and_what_to_look_at() -> None:
    said = str(await check(ForgetsTheRemoved))
    assert re.match(r"\d+ of \d+ trials ended with the right pets\.\n", said)
    assert (
        "a removed pet's past comes again: pet 5 is shown and was removed, or never was. "
        "Keep the sequence of a removed pet, too.\n"
    ) in said
    said = str(await check(KnowsEveryField))
    assert "it raised ValueError('what is this?') at offset 0. Ignore fields" in said


async def test_a_subscriber_that_does_nothing_is_found_out_everywhere() -> None:
    class Idle:
        def handle(self, record: Record) -> None:
            """Do nothing."""

        def shown(self) -> Mapping[int, str | None]:
            return {}

    report = await check(Idle)
    wrong = {finding.trial for finding in report.findings}
    assert {trial.name for trial in trials()} - wrong == {"a removal before anything else"}


async def test_the_streams_are_what_petstream_publishes() -> None:
    """But for the types that are new, which this version doesn't know."""
    for trial in trials():
        for step in trial.steps:
            if step != "restart" and dict(step.headers)["ce_type"] != b"org.petstream.pet.noted":
                envelope = decode(step.headers, step.value)
                assert envelope.subject == f"pet/{step.key.decode()}"


async def test_the_same_trials_come_every_time() -> None:
    assert list(trials()) == list(trials())


def test_the_subscriber_shown_to_readers_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/subscribing.md: the code with the check runs as it stands."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "testkit" in block]
    exec(compile(code, PAGE.name, "exec"), {"__name__": "shown"})  # noqa: S102  our own page
    assert "trials ended with the right pets." in capsys.readouterr().out


def _is_subscriber(subscriber: Subscriber) -> Subscriber:
    """Let the type checker see that what the tests use is one."""
    return subscriber


_is_subscriber(Right())
