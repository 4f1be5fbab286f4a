"""Who the embedded Kafka lets in: one user, by SCRAM, with a generated password.

Rule 1: the password is in ``kafka.password``, its owner's alone. One that was lost is made anew.
Rule 2: clients of ours prove that they have it and never send it: whoever listens at Kafka's
        port while Kafka is away learns nothing.
Rule 3: the controller lets in a keeper by a password that lasts from one start to the next, and is
        in ``server.properties`` only, its owner's alone as well. The keeper makes the user known,
        also to a Kafka of an earlier version, which asked nobody who they are.
Rule 4: kcat as Debian 12 has it can't prove a password to this Kafka (librdkafka 2.0.2 makes the
        proof of a wrong nonce). It sends one as a visitor's, which lasts no longer than the
        keeper's: who learns it while Kafka is away can't use it when Kafka is back.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from console.embedded.process import write_private
from petstream.errors import PetstreamError
from petstream.kafka.scram import MECHANISM, set_password
from petstream.settings import KafkaAccess

USER: Final = "petstream"
PASSWORD_FILE: Final = "kafka.password"  # noqa: S105  a file's name
VISITOR: Final = "visitor"
_KEEPER: Final = "keeper"
_CLIENTS: Final = "CLIENTS"
_MODULES: Final = "org.apache.kafka.common.security"
_CONTROLLER: Final = re.compile(r"^controller\.quorum\.bootstrap\.servers=(.+)$", re.MULTILINE)
_SENT: Final = {name: re.compile(rf'user_{name}="([^"]+)"') for name in (_KEEPER, VISITOR)}


@dataclass(frozen=True)
class Passwords:
    """What the user proves, and what keeper and visitor send."""

    user: str = field(repr=False)
    keeper: str = field(repr=False)
    visitor: str = field(repr=False)


def passwords(data_dir: Path) -> Passwords:
    """Return those of the next start; the user's stays, if it is still there."""
    kept = data_dir / PASSWORD_FILE
    user = kept.read_text().strip() if kept.exists() else ""
    if not user:
        user = secrets.token_urlsafe(24)
        write_private(kept, user)
    return Passwords(user, secrets.token_urlsafe(24), secrets.token_urlsafe(24))


def access(data_dir: Path, port: int) -> KafkaAccess:
    """Return how to come in where it listens now.

    Raises:
        PetstreamError: it asks for a password, which isn't there any more.
    """
    bootstrap = f"127.0.0.1:{port}"
    if is_open(data_dir):
        return KafkaAccess(bootstrap)
    kept = data_dir / PASSWORD_FILE
    try:
        password = kept.read_text().strip()
    except OSError as error:
        raise PetstreamError(
            f"the embedded Kafka's password can't be read from {kept} ({error.strerror}): "
            "'petstream down' and then 'petstream up' makes it anew"
        ) from error
    return KafkaAccess(bootstrap, "SASL_PLAINTEXT", MECHANISM, USER, password)


def for_visitors(data_dir: Path, known: KafkaAccess) -> KafkaAccess:
    """Return how kcat comes in, where we come in by `known` (rule 4)."""
    password = _SENT[VISITOR].search(_properties(data_dir))
    if password is None:
        return known
    return replace(known, sasl_mechanism="PLAIN", sasl_username=VISITOR, sasl_password=password[1])


def is_open(data_dir: Path) -> bool:
    """Tell whether it was started as one that lets in everybody, as earlier versions did."""
    return f"{_CLIENTS}://" not in _properties(data_dir)


async def let_in(data_dir: Path) -> None:
    """Make the user known to the Kafka that runs; raises as aiokafka does."""
    properties = _properties(data_dir)
    at, password = _CONTROLLER.search(properties), _SENT[_KEEPER].search(properties)
    if at is None or password is None:
        raise PetstreamError(f"{data_dir}/kafka/server.properties isn't as it was written")
    keeper = KafkaAccess(at[1], "SASL_PLAINTEXT", "PLAIN", _KEEPER, password[1])
    user = access(data_dir, 0)
    await set_password(keeper, USER, str(user.sasl_password))


def listeners(port: int, controller_port: int, known: Passwords | None) -> dict[str, str]:
    """Return the properties of the listeners; `known`: None lets in everybody."""
    name, protocol = ("PLAINTEXT",) * 2 if known is None else (_CLIENTS, "SASL_PLAINTEXT")
    both = f"{name}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"
    settings = {
        "listeners": both,
        "advertised.listeners": both,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": name,
        "listener.security.protocol.map": f"CONTROLLER:{protocol},{name}:{protocol}",
    }
    return settings if known is None else settings | _who_comes_in(known)


def _who_comes_in(known: Passwords) -> dict[str, str]:
    return {
        "sasl.enabled.mechanisms": f"{MECHANISM},PLAIN",
        "sasl.mechanism.inter.broker.protocol": MECHANISM,
        f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config": (
            f'{_MODULES}.scram.ScramLoginModule required username="{USER}" password="{known.user}";'
        ),
        "listener.name.clients.plain.sasl.jaas.config": (
            f'{_MODULES}.plain.PlainLoginModule required user_{VISITOR}="{known.visitor}";'
        ),
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{_MODULES}.plain.PlainLoginModule required username="{_KEEPER}" '
            f'password="{known.keeper}" user_{_KEEPER}="{known.keeper}";'
        ),
    }


def _properties(data_dir: Path) -> str:
    try:
        return (data_dir / "kafka" / "server.properties").read_text()
    except OSError:
        return ""
