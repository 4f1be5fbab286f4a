"""A user made known to Kafka, with a password that is proved and never sent (SCRAM).

Rule 1: who makes users comes in over a listener of the controller's, by a password of its own
        (PLAIN): it is sent, so it goes only to a server that was just started by whoever sends it.
Rule 2: Kafka gets what a password can be checked with, and not the password.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from petstream.settings import KafkaAccess

MECHANISM: Final = "SCRAM-SHA-512"
_ITS_NUMBER: Final = 2
_ITERATIONS: Final = 4096
_WITHIN_S: Final = 10.0


async def set_password(controller: KafkaAccess, user: str, password: str) -> None:
    """Let a user in, by a password; raises as aiokafka does.

    Args:
        controller: one address, the controller's, with the name and password of who may do this.
        user: who is let in; the password it had is forgotten.
        password: the new one.
    """
    host, _, port = controller.bootstrap.rpartition(":")
    async with asyncio.timeout(_WITHIN_S):
        with _in_the_clear():
            connection = await create_conn(
                host, int(port), security_protocol=controller.security_protocol,
                sasl_mechanism=controller.sasl_mechanism,
                sasl_plain_username=controller.sasl_username,
                sasl_plain_password=controller.sasl_password,
            )  # fmt: skip
        try:
            answer = await connection.send(_AlterUsers(user, password))
        finally:
            connection.close()
    for _, code, *_ in answer.results:
        if code:
            raise for_code(code)


@contextmanager
def _in_the_clear() -> Iterator[None]:
    """Keep aiokafka from warning of rule 1: on loopback, nobody listens who isn't root."""

    def is_another(record: logging.LogRecord) -> bool:
        return "in the clear" not in record.getMessage()

    logger = logging.getLogger("aiokafka.conn")
    logger.addFilter(is_another)
    try:
        yield
    finally:
        logger.removeFilter(is_another)


class _Altered(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(
            ("user", CompactString("utf-8")), ("error_code", Int16),
            ("error_message", CompactString("utf-8")), ("tags", TaggedFields),
        )),
        ("tags", TaggedFields),
    )  # fmt: skip


class _Alter(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Altered
    SCHEMA = Schema(
        ("deletions", CompactArray(
            ("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)
        )),
        ("upsertions", CompactArray(
            ("name", CompactString("utf-8")), ("mechanism", Int8), ("iterations", Int32),
            ("salt", CompactBytes), ("salted_password", CompactBytes), ("tags", TaggedFields),
        )),
        ("tags", TaggedFields),
    )  # fmt: skip


class _AlterUsers(Request[_Alter]):  # type: ignore[misc]  # aiokafka ships no types
    """Kafka's request to make users known, which aiokafka doesn't know."""

    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._salt = secrets.token_bytes(32)
        self._salted = hashlib.pbkdf2_hmac("sha512", password.encode(), self._salt, _ITERATIONS)

    def build(self, request_struct_class: type[_Alter]) -> _Alter:
        check = (_ITS_NUMBER, _ITERATIONS, self._salt, self._salted)
        no_tags: dict[int, bytes] = {}
        return request_struct_class([], [(self._user, *check, no_tags)], no_tags)
