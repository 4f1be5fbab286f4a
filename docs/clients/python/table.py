"""What `scripts/clients` prints: client, version, records given, records right.

Given is what the log holds, by Confluent's client with its offsets; a line is right if
type, subject and length of the value are those that are in the log.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

WORK = Path(sys.argv[1])
ADDRESS = os.environ["PETSTREAM_KAFKA"]
PYTHON = {
    "confluent-kafka": "read_confluent.py",
    "aiokafka": "read_aiokafka.py",
    "kafka-python": "read_kafka_python.py",
    "cloudevents": "read_cloudevents.py",
}
NAMES = {
    "security.protocol": "SECURITY_PROTOCOL", "sasl.mechanism": "SASL_MECHANISM",
    "sasl.username": "SASL_USERNAME", "sasl.password": "SASL_PASSWORD",
}  # fmt: skip
LOGIN = {
    key: os.environ[f"PETSTREAM_KAFKA_{name}"]
    for key, name in NAMES.items()
    if f"PETSTREAM_KAFKA_{name}" in os.environ
}


def log() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return what every record of the log is: by topic, partition and offset."""
    consumer = Consumer({
        "bootstrap.servers": ADDRESS, "group.id": "petstream-clients-log",
        "enable.auto.commit": False, "enable.partition.eof": True,
        "auto.offset.reset": "earliest", **LOGIN,
    })  # fmt: skip
    topics = consumer.list_topics(timeout=20).topics
    places = [
        TopicPartition(name, partition, 0)
        for name, topic in topics.items()
        if name.startswith("petstream.") and name.endswith(".v1")
        for partition in topic.partitions
    ]
    consumer.assign(places)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    ends = 0
    while ends < len(places):
        for record in consumer.consume(1000, timeout=10):
            if record.error():
                ends += 1
                continue
            headers = dict(record.headers() or [])
            if "ce_id" not in headers:  # somebody else's
                continue
            place = (record.topic(), str(record.partition()), str(record.offset()))
            kind, subject = headers["ce_type"].decode(), headers["ce_subject"].decode()
            known[place] = (kind, subject, str(len(record.value() or b"")))
    consumer.close()
    return known


def printed_by(command: list[str], folder: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return what a client says it read, and nothing if it failed."""
    group = f"petstream-clients-{time.time_ns()}"
    run = subprocess.run(
        command, cwd=folder, env=os.environ | {"GROUP": group}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    if run.returncode:
        print(run.stderr[-500:], file=sys.stderr)
    lines = [line.split("\t") for line in run.stdout.splitlines()]
    return {tuple(line[:3]): tuple(line[3:]) for line in lines if len(line) > 3}


def kcat(known: dict[tuple[str, ...], tuple[str, ...]]) -> int:
    """Return how many lines of kcat's JSON are UTF-8 and JSON."""
    right = 0
    for topic in sorted({place[0] for place in known}):
        run = subprocess.run(
            ["kcat", "-b", ADDRESS, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"],
            capture_output=True, check=True, timeout=300,
        )  # fmt: skip
        for line in run.stdout.split(b"\n"):
            try:
                record = json.loads(line.decode())
            except ValueError:
                continue
            right += (topic, str(record["partition"]), str(record["offset"])) in known
    return right


def main() -> int:  # noqa: C901  one step for each language, in the order of the page
    """Run every client that is on this machine."""
    known = log()
    rows: list[tuple[str, str, int]] = []

    def add(name: str, release: str, command: list[str], folder: Path) -> None:
        lines = printed_by(command, folder)
        rows.append((name, release, sum(lines.get(place) == what for place, what in known.items())))

    for name, program in PYTHON.items():
        add(f"Python: {name}", version(name), [sys.executable, program], WORK / "python")
    if shutil.which("npm"):
        node = WORK / "node"
        subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=node, check=True)
        for package, option in (("kafkajs", ""), ("cloudevents", "--cloudevents")):
            manifest = json.loads((node / "node_modules" / package / "package.json").read_text())
            add(f"Node: {package}", manifest["version"], ["node", "read.js", option], node)
    if shutil.which("go"):
        go = WORK / "go"
        subprocess.run(["go", "build", "-o", "read", "."], cwd=go, check=True)
        modules = dict(
            line.split()[-2:] for line in (go / "go.mod").read_text().splitlines()
            if line.startswith(("\t", "require ")) and "indirect" not in line
        )  # fmt: skip
        add("Go: franz-go", modules["github.com/twmb/franz-go"], ["./read"], go)
        sdk = modules["github.com/cloudevents/sdk-go/v2"]
        add("Go: cloudevents", sdk, ["./read", "-cloudevents"], go)
    if shutil.which("mvn"):
        java = WORK / "java"
        build = ["mvn", "-q", "-B", "compile", "dependency:build-classpath",
                 "-Dmdep.outputFile=classpath"]  # fmt: skip
        subprocess.run(build, cwd=java, check=True, stdout=subprocess.DEVNULL)
        jars = (java / "classpath").read_text()
        run = ["java", "-cp", f"target/classes:{jars}", "Read"]
        for name in ("kafka-clients", "cloudevents-kafka"):
            (jar,) = (part for part in jars.split(":") if f"/{name}/" in part)
            option = ["--cloudevents"] if name.startswith("cloudevents") else []
            add(f"Java: {name}", Path(jar).parent.name, run + option, java)
    if shutil.which("kcat"):
        release = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=False)
        number = release.stdout.partition("Version ")[2].split()[0]
        rows.append(("kcat -J", number, kcat(known)))
    missing = [tool for tool in ("npm", "go", "mvn", "kcat") if not shutil.which(tool)]
    print("| client or SDK | version | records given | records right |\n|---|---|---|---|")
    for name, release_, right in rows:
        print(f"| {name} | {release_} | {len(known)} | {right} |")
    if missing:
        print(f"not on this machine, and not tried: {', '.join(missing)}")
    return int(any(right != len(known) for *_, right in rows))


sys.exit(main())
