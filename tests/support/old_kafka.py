"""An older Apache Kafka, of jars that are fetched by their version."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import jgo
from jgo.maven import MvnResolver, PythonResolver
from listening import until_listening

from console.embedded import jars
from console.embedded.process import port_for

_READY_S: Final = 60.0
_CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qk"


@contextmanager
def old_kafka(version: str, directory: Path) -> Iterator[str]:
    """Run it with its own settings but for where it listens; give its address."""
    mvn = shutil.which("mvn")
    resolver = PythonResolver() if mvn is None else MvnResolver(Path(mvn))
    environment = jgo.build(
        f"org.apache.kafka:kafka_2.13:{version}+org.apache.kafka:kafka-clients:{version}",
        cache_dir=directory / "jars", resolver=resolver,
    )  # fmt: skip
    classpath = ":".join(sorted({str(jar) for jar in environment.all_jars}))
    port, controller = port_for(directory, "kafka"), port_for(directory, "controller")
    properties = {
        "process.roles": "broker,controller", "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": "log", "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1", "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": "8388608",
    }  # fmt: skip
    config = directory / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    java = [jars.java(), "-Xmx300m", "-cp", classpath]
    tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", config.name]
    subprocess.run([*java, *tool], cwd=directory, check=True, capture_output=True)  # noqa: S603  ours
    with (
        (directory / "log.txt").open("w") as log,
        subprocess.Popen(  # noqa: S603  ours
            [*java, "kafka.Kafka", config.name], cwd=directory, stdout=log, stderr=log
        ) as broker,
    ):
        try:
            until_listening(broker, port, directory / "log.txt", within_s=_READY_S)
            yield f"127.0.0.1:{port}"
        finally:
            broker.kill()
