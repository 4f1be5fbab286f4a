"""The subscribers that docs/subscribing.md shows, run as they stand there against a real Kafka.

Two clients that share no code read the same simulated days, as petstream published them (zstd),
with a part of the log once more behind it and an event of a type that is new.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import GroupCoordinatorNotAvailableError
from live_files import compressions
from msgspec import structs

from ingest.run import ingest
from lab.simulator import History, expected, history, serve_ftp, write_export
from petstream.kafka.groups import group_offsets
from petstream.kafka.reader import bounds, read_topic
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import FtpUrl, KafkaAccess, Settings
from petstream.topics import EXPORTS, ORGS, PETS

pytestmark = pytest.mark.servers

PAGE = Path(__file__).parents[3] / "docs" / "subscribing.md"
CLIENTS = ("aiokafka", "confluent_kafka")
FEED = history(seed=21, pets=120, days=3)
DEADLINE_S = 60.0
_ZSTD = 4
# what an example prints is kept apart from what it is: names may hold anything
_RUN = """
import json, sys
def keep(*what):
    sys.stdout.write(json.dumps(what) + "\\n")
    sys.stdout.flush()
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "shown", "print": keep})
"""


def example(client: str) -> str:
    """Return the one example on the page that is made with a client."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if f"from {client} import" in block]
    return str(code)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_example_is_python_of_twenty_lines(client: str) -> None:
    assert len([line for line in example(client).splitlines() if line.strip()]) <= 20


async def test_both_clients_end_with_the_pets_that_the_feed_lists(
    tmp_path: Path, kafka: str, prefix: str, servers_dir: Path
) -> None:
    """T45, T46: whoever follows the four rules needs nothing of petstream's code."""
    access = KafkaAccess(kafka)
    topic = PETS.full_name(prefix)
    await publish(FEED, tmp_path, access, prefix)
    assert_zstd(servers_dir, topic)
    log = await read_topic(access, topic)
    await publish_again(access, topic, log[: len(log) // 2], log[-1])
    running = {
        client: started(example(client), client, tmp_path, kafka=kafka, topic=topic)
        for client in CLIENTS
    }
    try:
        wanted = {place: end for place, (_, end) in (await bounds(access, [topic])).items()}
        for client, process in running.items():
            async with asyncio.timeout(DEADLINE_S):
                while await committed(access, f"{topic}.{client}") != wanted:
                    assert process.poll() is None, (tmp_path / f"{client}.err").read_text("utf-8")
                    await asyncio.sleep(0.1)
    finally:
        for process in running.values():
            process.terminate()
            process.wait(10)
    truth = expected(FEED, FEED.days - 1)
    events = sum(len(ops) for ops in truth.pet_history.values())
    assert events == len(log)
    for client in CLIENTS:
        lines = (tmp_path / f"{client}.out").read_text("ascii").splitlines()
        received = [json.loads(line) for line in lines]
        assert len(received) == events, f"{client}: each event once, though many came twice"
        state = {animal_id: (op, name) for op, animal_id, name, _ in received}
        listed = {key: name for key, (op, name) in state.items() if op != "removed"}
        assert listed == {key: row["name"] or None for key, row in truth.pets.items()}
        assert {key for key, (op, _) in state.items() if op == "removed"} == truth.removed.keys()
        ops: dict[int, list[str]] = {}
        for op, animal_id, _, _ in received:
            ops.setdefault(animal_id, []).append(op)
        assert ops == {key: [op for _, op in past] for key, past in truth.pet_history.items()}


@pytest.mark.parametrize("program", ["read_aiokafka.py", "read_confluent.py"])
async def test_a_program_of_the_page_of_clients_reads_every_record(
    program: str, tmp_path: Path, kafka: str, prefix: str
) -> None:
    """docs/clients.md: the others need what is no package of ours; `scripts/clients` runs them."""
    access = KafkaAccess(kafka)
    await publish(history(seed=22, pets=30, days=1), tmp_path, access, prefix)
    code = (PAGE.parent / "clients" / "python" / program).read_text("utf-8")
    assert r"^petstream\." in code
    script = tmp_path / program
    script.write_text(code.replace(r"^petstream\.", f"^{re.escape(prefix)}"), encoding="utf-8")
    environment = os.environ | {"PETSTREAM_KAFKA": kafka, "GROUP": f"{prefix}{program}"}
    printed = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(script)], env=environment, capture_output=True,
        text=True, timeout=2 * DEADLINE_S, check=True,
    )  # fmt: skip
    places = {tuple(line.split("\t")[:3]) for line in printed.stdout.splitlines()}
    logs = [await read_topic(access, topic.full_name(prefix)) for topic in (PETS, ORGS, EXPORTS)]
    assert len(places) == sum(map(len, logs))


async def committed(access: KafkaAccess, group: str) -> dict[TopicPartition, int]:
    """Return how far a group is; a broker that never had one takes a moment to keep offsets."""
    try:
        return await group_offsets(access, group)
    except GroupCoordinatorNotAvailableError:
        return {}


async def publish(feed: History, home: Path, access: KafkaAccess, prefix: str) -> None:
    """Let petstream read all days of a feed."""
    served = home / "ftp"
    served.mkdir()
    with serve_ftp(served, user="apikey-Ab3dEf9h", password="canary") as server:
        address = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=address, data_dir=home / "data", topic_prefix=prefix, settle_s=0, archive_days=0
        )
        for day in range(feed.days):
            write_export(served, feed, day)
            assert (await ingest(settings, access)).exit_status == 0


def assert_zstd(servers_dir: Path, topic: str) -> None:
    """Look at the log on the disk: whatever a client reads was compressed with zstd."""
    assert compressions(servers_dir, topic) == {_ZSTD}


async def publish_again(
    access: KafkaAccess, topic: str, late: list[ConsumerRecord], newest: ConsumerRecord
) -> None:
    """Put a part of the log behind it once more, and an event of a type that is new."""
    async with AIOKafkaProducer(
        bootstrap_servers=access.bootstrap, compression_type="zstd"
    ) as producer:
        noted = json.loads(newest.value or b"")
        noted = {"op": "noted", "animalId": noted["animalId"], "sequence": noted["sequence"] + 1}
        for record in (*late, structs.replace(newest, value=json.dumps(noted).encode())):
            await producer.send(
                topic, record.value, key=record.key, partition=record.partition,
                headers=list(record.headers),
            )  # fmt: skip


def started(code: str, client: str, home: Path, *, kafka: str, topic: str) -> subprocess.Popen[str]:
    """Start an example as it stands, but for the names of the server, the topic and the group."""
    for shown, ours in (
        ("localhost:9092", kafka), ("petstream.pets.v1", topic),
        (f"my-site-{client}", f"{topic}.{client}"),
    ):  # fmt: skip
        assert shown in code
        code = code.replace(shown, ours)
    script, runner = home / f"shown_{client}.txt", home / "run.py"
    script.write_text(code, encoding="utf-8")
    runner.write_text(_RUN, encoding="utf-8")
    with (home / f"{client}.out").open("w") as out, (home / f"{client}.err").open("w") as wrong:
        return subprocess.Popen(  # noqa: S603  our own page's code
            [sys.executable, str(runner), str(script)], stdout=out, stderr=wrong, text=True
        )
