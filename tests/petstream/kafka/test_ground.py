"""What of a topic ends a run, and which command mends it; no server is asked."""

from __future__ import annotations

import pytest

from petstream import topics
from petstream.kafka.admin import DescribedTopic
from petstream.kafka.ground import TRUTH, unfit

EVERY = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
COMPACTED = {"cleanup.policy": "compact", "retention.ms": "604800000"}
FIT = {"pets.v1": COMPACTED, "orgs.v1": COMPACTED, "exports.v1": EVERY}


def lines(topic: topics.Topic, configs: dict[str, str], partitions: int = 1) -> list[str]:
    return list(unfit(topic, f"x.{topic.name}", DescribedTopic(partitions, configs), "k:9092"))


@pytest.mark.parametrize("topic", TRUTH, ids=lambda topic: topic.name)
def test_a_topic_as_we_make_it_is_fit(topic: topics.Topic) -> None:
    assert lines(topic, FIT[topic.name]) == []
    assert lines(topic, {}) == [], "what we may not look at is believed"


@pytest.mark.parametrize("partitions", [1, 6, 24])
def test_any_number_of_partitions_of_pets_is_fit(partitions: int) -> None:
    assert lines(topics.PETS, COMPACTED, partitions) == []


@pytest.mark.parametrize(
    ("topic", "key", "value", "mended"),
    [
        (topics.PETS, "cleanup.policy", "delete", "cleanup.policy=compact"),
        (topics.PETS, "cleanup.policy", "compact,delete", "cleanup.policy=compact"),
        (topics.ORGS, "cleanup.policy", "delete", "cleanup.policy=compact"),
        (topics.EXPORTS, "cleanup.policy", "compact", "cleanup.policy=delete"),
        (topics.EXPORTS, "retention.ms", "604800000", "retention.ms=-1"),
        (topics.EXPORTS, "retention.bytes", "1000000", "retention.bytes=-1"),
    ],
)
def test_what_lets_kafka_delete_the_truth_is_said_with_the_command_that_mends_it(
    topic: topics.Topic, key: str, value: str, mended: str
) -> None:
    (line,) = lines(topic, FIT[topic.name] | {key: value})
    assert f"x.{topic.name} has {key}={value}" in line
    assert line.endswith(
        "kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics "
        f"--entity-name x.{topic.name} --add-config {mended}"
    )


def test_exports_in_two_partitions_have_no_order() -> None:
    (line,) = lines(topics.EXPORTS, EVERY, 2)
    assert "2 partitions" in line
