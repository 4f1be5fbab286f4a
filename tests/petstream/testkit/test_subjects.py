"""Every topic's trials: right subscribers pass, and each wrong one fails the trial meant for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from petstream.codec import decode
from petstream.events import TYPES
from petstream.testkit import Record, check
from petstream.testkit.log_loss import loss_trials
from petstream.testkit.subjects import TOPICS, subject_trials
from petstream.testkit.trials import trials


class Literal:
    """Does what docs/events.md says, and nothing more."""

    def __init__(self) -> None:
        """Start with nothing stored."""
        self.held: dict[str, tuple[Any, str, dict[str, Any]]] = {}

    def handle(self, record: Record) -> None:
        """Apply a record."""
        headers = {name: text.decode() for name, text in record.headers}
        type_ = headers["ce_type"].removeprefix("org.petstream.")
        if self.knows(type_) and self.is_newer(record, headers):
            held = self.rank(record, headers), type_, json.loads(record.value)
            self.held[self.place(record, headers)] = held

    def knows(self, type_: str) -> bool:
        """Tell whether a type is known."""
        return type_ in TYPES

    def is_newer(self, record: Record, headers: dict[str, str]) -> bool:
        """Decide by sequence and digest."""
        held = self.held.get(self.place(record, headers))
        return held is None or self.rank(record, headers) > held[0]

    def rank(self, record: Record, headers: dict[str, str]) -> Any:  # noqa: ARG002  others look
        """Return what decides."""
        return int(headers["ce_sequence"]), headers["ce_digest"]

    def place(self, record: Record, headers: dict[str, str]) -> str:  # noqa: ARG002  others look
        """Return what an event is about."""
        return headers["ce_subject"]

    def shown(self) -> Mapping[Any, str | None]:
        """Return what is shown."""
        shown: dict[Any, str | None] = {}
        for subject, (_, type_, value) in self.held.items():
            family, _, word = type_.partition(".")
            if word in {"removed", "gone"}:
                continue
            if family in {"pet", "organization"}:
                shown[subject] = value[family]["name"]
            else:
                shown[subject] = value["storedAs"] if family == "picture" else word
        return shown


class ByKey(Literal):
    """Takes the newest of a key for its state."""

    def __init__(self) -> None:
        """Start with nothing stored."""
        super().__init__()
        self.subjects: dict[str, str] = {}

    def place(self, record: Record, headers: dict[str, str]) -> str:
        """Return the key."""
        self.subjects[record.key.decode()] = headers["ce_subject"]
        return record.key.decode()

    def shown(self) -> Mapping[Any, str | None]:
        """Return what is shown of each key, by the subject it had last."""
        return {self.subjects[key]: text for key, text in super().shown().items()}


class TakesAll(Literal):
    """Applies whatever comes."""

    def is_newer(self, record: Record, headers: dict[str, str]) -> bool:  # noqa: ARG002  it doesn't look
        """Decide nothing."""
        return True


class ByOffset(Literal):
    """Takes the higher offset for the newer event."""

    def rank(self, record: Record, headers: dict[str, str]) -> Any:  # noqa: ARG002  it doesn't look
        """Return the offset."""
        return record.offset


class ByIdOnce(TakesAll):
    """Takes every event once, by its id."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.seen: set[str] = set()

    def is_newer(self, record: Record, headers: dict[str, str]) -> bool:  # noqa: ARG002  it doesn't look
        """Decide by the id."""
        new = headers["ce_id"] not in self.seen
        self.seen.add(headers["ce_id"])
        return new


class KnowsAllTypes(Literal):
    """Takes a type that it doesn't know for one that it does."""

    def knows(self, type_: str) -> bool:  # noqa: ARG002  it doesn't look
        """Know everything."""
        return True

    def shown(self) -> Mapping[Any, str | None]:
        """Return what is shown, or nothing where it can't be said."""
        try:
            return super().shown()
        except KeyError:
            return {}


class ForgetsTheGone(Literal):
    """Drops what is removed or gone, and its sequence with it."""

    def handle(self, record: Record) -> None:
        """Apply a record."""
        super().handle(record)
        self.held = {
            subject: held
            for subject, held in self.held.items()
            if not held[1].endswith((".removed", ".gone"))
        }


EACH = pytest.mark.parametrize("topic", TOPICS)


@EACH
async def test_the_literal_subscriber_passes(topic: str) -> None:
    report = await check(Literal, topics=(topic,))
    assert report.ok, report
    assert str(report).splitlines()[0].endswith("trials ended with what the events say.")


async def test_the_literal_subscriber_passes_on_all_topics_at_once() -> None:
    report = await check(Literal, topics=TOPICS)
    assert report.ok, report
    assert report.trials > 4 * 12


@pytest.mark.parametrize(
    ("wrong", "trial", "topics"),
    [
        (ByKey, "a first reading", ("exports", "pictures")),
        (TakesAll, "a rewind while it runs", TOPICS),
        (TakesAll, "an event that was overtaken", TOPICS),
        (ByOffset, "older events at higher offsets", TOPICS),
        (ByIdOnce, "an event that was overtaken", TOPICS),
        (KnowsAllTypes, "a later minor version", TOPICS),
        (ForgetsTheGone, "a rewind while it runs", ("pets", "orgs", "pictures")),
    ],
)
async def test_each_wrong_subscriber_is_found_out(
    wrong: type[Literal], trial: str, topics: tuple[str, ...]
) -> None:
    for topic in topics:
        report = await check(wrong, topics=(topic,))
        failed = {finding.trial for finding in report.findings}
        assert f"{topic}: {trial}" in failed, report


@EACH
async def test_what_is_forgotten_at_a_restart_is_found_out(topic: str) -> None:
    def restarted(before: Literal) -> Literal:
        fresh = Literal()
        lowest = (-1, "")
        fresh.held = {name: (lowest, *held[1:]) for name, held in before.held.items()}
        return fresh

    report = await check(Literal, restarted=restarted, topics=(topic,))
    failed = {finding.trial for finding in report.findings}
    assert f"{topic}: a rewind across a restart" in failed


def test_the_streams_are_records_as_petstream_makes_them_each_with_an_id_of_its_own() -> None:
    for trial in subject_trials(TOPICS):
        if not trial.name.endswith("a first reading"):
            continue
        records = [step for step in trial.steps if step != "restart"]
        ids = [dict(record.headers)["ce_id"] for record in records]
        values = {(dict(record.headers)["ce_id"], record.value) for record in records}
        assert len(values) == len(ids)
        for record in records:
            assert all(text.isascii() for _, text in record.headers)
            if ".pets." in record.topic:
                assert decode(record.headers, record.value).subject == f"pet/{record.key.decode()}"


def test_the_trials_that_the_contract_names_are_there() -> None:
    """docs/events.md, topic by topic."""
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")
    section = page.partition("### Topic by topic")[2].partition("An export's first event")[0]
    rows = [line.split("|")[-2] for line in section.splitlines() if line.startswith("| ")][1:]
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    every = {trial.name for trial in [*trials(), *subject_trials(TOPICS)]}
    every |= {trial.name for trial in loss_trials()}
    assert len(named) > 15
    assert named - every == set()


def test_a_topic_without_trials_is_refused() -> None:
    with pytest.raises(ValueError, match="no trials for dogs"):
        list(subject_trials(("dogs",)))
