"""The topics are as the contract says."""

from __future__ import annotations

from pathlib import Path

from petstream import topics

DAY_MS = 24 * 60 * 60 * 1000


def test_topics_are_named_keyed_and_split_as_promised() -> None:
    declared = {
        topic.full_name("petstream."): (topic.key, topic.partitions) for topic in topics.ALL
    }
    assert declared == {
        "petstream.pets.v1": ("animalID", 12),
        "petstream.orgs.v1": ("orgID", 1),
        "petstream.exports.v1": ("export id", 1),
        "petstream.pictures.v1": ("animalID", 12),
        "petstream.requests.v1": ("asker", 1),
        "petstream.dead-letters.v1": ("origin", 1),
    }


def test_only_pets_and_organisations_are_compacted_and_never_within_30_days() -> None:
    compacted = [topic for topic in topics.ALL if topic.configs.get("cleanup.policy") == "compact"]
    assert compacted == [topics.PETS, topics.ORGS]
    assert {topic.configs["min.compaction.lag.ms"] for topic in compacted} == {str(30 * DAY_MS)}


def test_exports_are_kept_for_ever_and_the_rest_for_its_days() -> None:
    assert topics.EXPORTS.configs["retention.ms"] == "-1"
    assert topics.PICTURES.configs["retention.ms"] == str(30 * DAY_MS)
    assert topics.REQUESTS.configs["retention.ms"] == str(30 * DAY_MS)
    assert topics.DEAD_LETTERS.configs["retention.ms"] == str(90 * DAY_MS)


def test_the_largest_message_is_8_mib_and_time_is_when_it_was_published() -> None:
    assert {topic.configs["max.message.bytes"] for topic in topics.ALL} == {str(8 * 1024 * 1024)}
    assert {topic.configs["message.timestamp.type"] for topic in topics.ALL} == {"CreateTime"}


def test_every_topic_is_in_the_documents() -> None:
    page = Path(__file__).parents[2].joinpath("docs/events.md").read_text(encoding="utf-8")
    for topic in topics.ALL:
        assert f"`{topic.full_name('petstream.')}`" in page
