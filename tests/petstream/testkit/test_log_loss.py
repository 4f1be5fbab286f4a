"""Logs that lose records: who keeps rule 5 ends right, and who breaks a part of it is found out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from reader_programs import careful, plain, program

from petstream.testkit import Report, check
from petstream.testkit.log_loss import LossTrial, loss_trials


class PetsOnly:
    """Keeps the four old rules, and knows no other topic."""

    def __init__(self) -> None:
        """Begin with nothing stored."""
        self.pets: dict[int, tuple[Any, str, str]] = {}

    def handle(self, record: Any) -> None:
        """Apply a record."""
        event = json.loads(record.value)
        rank = event["sequence"], dict(record.headers)["ce_digest"]
        if "pet" in event and rank > self.pets.get(event["animalId"], ((),))[0]:
            self.pets[event["animalId"]] = rank, event["op"], event["pet"]["name"]

    def shown(self) -> dict[int, str]:
        """Return who is listed."""
        return {key: name for key, (_, op, name) in self.pets.items() if op != "removed"}


ALL = ("pets", "orgs", "exports")
TRIALS = {trial.name for trial in loss_trials()}


def _begin_where_it_was(self: Any, log: Any) -> dict[Any, int]:
    """Look at nothing: go on at the offset, or at 0 where the log ends before."""
    self.log = log
    return {
        place: offset if offset <= log.ends[place] else 0
        for place, (offset, _) in self.positions.items()
    }


def _by_offset(self: Any, name: str, end: dict[str, Any]) -> bool:
    """Believe whatever lies at the end."""
    topic, _, number = name.rpartition("/")
    return bool(self.positions.get((topic, int(number)), (0,))[0] >= end["offset"])


def _where_it_reads(self: Any, name: str, end: dict[str, Any]) -> bool:
    """Wait for the partitions that it knows, and no others."""
    topic, _, number = name.rpartition("/")
    known = (topic, int(number)) in self.positions
    return not known or _original("is_applied")(self, name, end)


def _without_unstated(self: Any) -> None:
    """Sweep all that is below."""
    if self.snapshot:
        self.completed["unstated"] = {"pets": [], "orgs": []}
    _original("sweep")(self)


def _restated_sweeps(self: Any, record: Any) -> None:
    """Take what a run states again for a snapshot, whether removals came with it or not."""
    value = record.value.replace(b'"restated"', b'"unstated":{"pets":[],"orgs":[]},"snapshot"')
    changed = value != record.value and b'"unstated":{"pets":[]' not in record.value
    _original("handle")(self, record._replace(value=value) if changed else record)


def _started_sweeps(self: Any, record: Any) -> None:
    """Sweep when a run that restates begins."""
    _original("handle")(self, record)
    event = json.loads(record.value)
    if event.get("state") == "started" and "restated" in event:
        self.snapshot = event["restated"]
        unstated: dict[str, list[int]] = {"pets": [], "orgs": []}
        self.completed = {"ce_sequence": 0, "ends": {"x/0": {"offset": 0}}, "unstated": unstated}
        self.sweep()


def _never(self: Any) -> None:
    """Sweep nothing."""


def _yes(*_: Any) -> bool:
    """Believe everything."""
    return True


def _original(name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(program("literal_rule5").CarefulSubscriber, name)
    return method


def _not_its_own(self: Any, name: str, end: dict[str, Any]) -> bool:
    """Look at what `ends` names, and not at what was applied last."""
    held = self.is_there
    self.is_there = _yes
    applied = bool(_original("is_applied")(self, name, end))
    self.is_there = held
    return applied


def _first_of_a_snapshot(self: Any, record: Any) -> None:
    """Take the first completed of a snapshot, and never look at a later one."""
    known = f'"snapshot":{self.snapshot},'.encode()
    _original("handle")(self, record._replace(value=record.value.replace(known, b"")))


def _forgotten_tombstones(self: Any) -> None:
    """Sweep once for each completed, and delete what is swept with its sequence."""
    before = dict(self.newest)
    _original("sweep")(self)
    swept = [name for name in before if self.newest[name] is not before[name]]
    for subject in swept:
        del self.newest[subject]
    self.snapshot = 0 if swept else self.snapshot


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "never sweeps": ({"sweep": _never}, "a tail lost, and seen before it grew"),
    "keeps bare offsets": (
        {"begin": _begin_where_it_was, "is_there": _yes}, "a tail lost and grown again",
    ),
    "keeps bare offsets, topics anew": (
        {"begin": _begin_where_it_was, "is_there": _yes}, "topics made anew",
    ),
    "sweeps at once": ({"is_applied": _yes}, "a lagging reader"),
    "sweeps what it knows of": (
        {"is_applied": _where_it_reads}, "partitions added, and not yet read",
    ),
    "compares offsets only": ({"is_applied": _by_offset}, "a snapshot lost again"),
    "looks at what is named only": (
        {"is_applied": _not_its_own}, "a partition made anew without a word",
    ),
    "keeps the first unstated": (
        {"handle": _first_of_a_snapshot}, "a pet that couldn't be stated, and left",
    ),
    "forgets what it swept": ({"sweep": _forgotten_tombstones}, "what was swept comes again"),
    "overlooks what is unstated": (
        {"sweep": _without_unstated}, "a pet that couldn't be stated",
    ),
    "takes restated for a snapshot": (
        {"handle": _restated_sweeps}, "a petlist that isn't believed",
    ),
    "sweeps when a run begins": (
        {"handle": _started_sweeps}, "a new subscriber in the middle of a snapshot",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
async def test_who_breaks_a_part_of_rule_5_is_found_out(wrong: str) -> None:
    changed, trial = WRONG[wrong]
    report = await check(careful(**changed), topics=ALL, log_loss=True)
    assert trial in {finding.trial for finding in report.findings}, report
    assert {finding.trial for finding in report.findings} <= TRIALS, "and nothing else is"


async def test_the_same_is_found_of_a_subscriber_of_pets_alone() -> None:
    report = await check(careful(by_id=True, is_applied=_yes), log_loss=True)
    assert "a lagging reader" in {finding.trial for finding in report.findings}
    assert "listed and isn't shown" in str(report)


async def test_what_was_right_without_rule_5_stays_right_and_gets_advice() -> None:
    for report in (await check(PetsOnly), await check(plain(), topics=("orgs",))):
        assert report.ok, report
        advised = {finding.trial for finding in report.advice}
        assert {"a tail lost and grown again", "topics made anew"} <= advised <= TRIALS
        assert "doesn't count without log_loss=True" in str(report)


async def test_asked_for_it_the_same_advice_fails() -> None:
    asked = await check(plain(), topics=ALL, log_loss=True)
    advised: Report = await check(plain(), topics=ALL)
    assert not asked.ok
    assert not asked.advice
    assert asked.findings == advised.advice
    assert asked.trials == advised.trials + len(TRIALS)


async def test_a_client_without_a_say_is_reset_where_the_log_ends_before_its_offset() -> None:
    report = await check(plain(), topics=ALL, log_loss=True)
    (short,) = (each for each in report.findings if each.trial.endswith("before it grew"))
    assert short.found == (
        "organization/9 is shown and was removed, or never was; "
        "pet/5 is shown and was removed, or never was"
    ), "all else was read again"


async def test_who_cannot_read_exports_is_told_so_only_where_log_loss_counts() -> None:
    report = await check(PetsOnly)
    assert report.ok, "it raises on a record of exports.v1"
    assert "raised" not in str(report)
    report = await check(PetsOnly, log_loss=True)
    assert "of petstream.exports.v1" in str(report)


async def test_where_nothing_can_be_swept_nothing_is_tried() -> None:
    report = await check(plain(), topics=("exports", "pictures"), log_loss=True)
    assert report.ok
    assert not TRIALS & {finding.trial for finding in report.findings}
    assert report.trials == (await check(plain(), topics=("exports", "pictures"))).trials


async def test_a_subscriber_is_restarted_between_readings_and_what_it_forgets_shows() -> None:
    def without_its_snapshot(before: Any) -> Any:
        after = careful()()
        after.newest, after.positions = before.newest, before.positions
        return after

    report = await check(careful(), restarted=without_its_snapshot, topics=ALL, log_loss=True)
    assert "a lagging reader that arrives" in {finding.trial for finding in report.findings}


# ---- the four old rules ------------------------------------------------------------------------


def _shown(subscriber: Any, trial: LossTrial) -> dict[str, str | None]:
    """Return what a subscriber shows at a trial's end; its client goes on at bare offsets."""
    offsets: dict[Any, int] = {}
    for reading in trial.readings:
        for place in reading.reads:
            offset = offsets.get(place, 0)
            for at in range(
                offset if offset <= reading.log.ends[place] else 0, reading.log.ends[place]
            ):
                subscriber.handle(reading.log.record_at(*place, at))
            offsets[place] = reading.log.ends[place]
    shown = subscriber.shown()
    return {name: shown[name] for name in shown if name.startswith(("pet/", "organization/"))}


def _wrong(trial: LossTrial) -> Iterator[str]:
    """Return of which subjects somebody who keeps four rules shows what is wrong."""
    shown = _shown(plain()(), trial)
    names = shown.keys() | trial.wanted.keys()
    return (name for name in names if shown.get(name) != trial.wanted.get(name))


def test_who_keeps_only_the_four_old_rules_is_no_worse_off_for_snapshots() -> None:
    """In no trial is anything wrong that wasn't, and on the whole less is."""
    before = {trial.name: set(_wrong(trial)) for trial in loss_trials(heals=False)}
    after = {trial.name: set(_wrong(trial)) for trial in loss_trials()}
    assert {name: after[name] - before[name] for name in TRIALS if after[name] - before[name]} == {}
    total = Counter(
        {"before": sum(map(len, before.values())), "after": sum(map(len, after.values()))}
    )
    assert total["after"] < total["before"]


def test_the_same_trials_come_every_time() -> None:
    first, second = (
        [(trial.name, [list(_records(trial))], dict(trial.wanted)) for trial in loss_trials()]
        for _ in range(2)
    )
    assert first == second
    assert len(first) == len(TRIALS)


def _records(trial: LossTrial) -> Iterator[Any]:
    for reading in trial.readings:
        for place in reading.reads:
            yield from (reading.log.record_at(*place, at) for at in range(reading.log.ends[place]))
