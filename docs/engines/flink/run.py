"""Runs the statements of tables.sql on a Flink in this process, until it is ended."""

import os
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
SHADED = "org.apache.flink.kafka.shaded."
"""Where the connector for SQL has Kafka's own classes, the one that logs in among them."""


def words() -> dict[str, str]:
    """Return what stands for the braces of tables.sql: where Kafka and the sink are."""
    properties = {"bootstrap.servers": os.environ["PETSTREAM_KAFKA"]}
    path = os.environ.get("KAFKA_CLIENT_PROPERTIES")  # of `petstream env`: the login
    for line in Path(path).read_text().splitlines() if path else ():
        name, _, value = line.partition("=")
        properties[name] = re.sub(r"^(?=org\.apache\.kafka\.)", SHADED, value)
    quoted = {name: value.replace("'", "''") for name, value in properties.items()}
    kafka = "".join(f"'properties.{name}' = '{value}', " for name, value in quoted.items())
    jdbc = (
        f"'url' = '{os.environ['SINK_URL']}?stringtype=unspecified', "
        f"'username' = '{os.environ['SINK_USER']}', 'password' = '{os.environ['SINK_PASSWORD']}', "
        "'sink.buffer-flush.interval' = '500ms'"
    )
    prefix = os.environ.get("PETSTREAM_TOPIC_PREFIX", "petstream.")
    return {"prefix": prefix, "kafka": kafka, "jdbc": jdbc}


def main() -> None:
    """Run both jobs as one."""
    os.chdir(HERE)
    shutil.rmtree("tmp", ignore_errors=True)  # 40 MB of an earlier run, which Flink leaves
    Path("tmp").mkdir()
    os.environ.setdefault("JVM_ARGS", "-Xmx512m -Djava.io.tmpdir=tmp")
    from pyflink.table import EnvironmentSettings, TableEnvironment  # noqa: PLC0415  begins Java

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = environment.get_config()
    jars = sorted((HERE / "jars").glob("*.jar"))
    config.set("pipeline.jars", ";".join(f"file://{jar}" for jar in jars))
    config.set("parallelism.default", "1")
    config.set("execution.checkpointing.interval", "10 s")  # else the first error ends the job
    # and without a bound none would: the fifth within an hour is shown
    config.set("restart-strategy.exponential-delay.attempts-before-reset-backoff", "5")
    text = re.sub(r"^--.*$", "", (HERE / "tables.sql").read_text(), flags=re.MULTILINE)
    for name, value in words().items():
        text = text.replace(f"{{{name}}}", value)
    inserts = environment.create_statement_set()
    for statement in filter(None, map(str.strip, text.split(";\n"))):
        if statement.startswith("INSERT"):
            inserts.add_insert_sql(statement.rstrip(";"))
        else:
            environment.execute_sql(statement.rstrip(";"))
    sys.stdout.write("running\n")
    sys.stdout.flush()
    inserts.execute().wait()


if __name__ == "__main__":
    main()
