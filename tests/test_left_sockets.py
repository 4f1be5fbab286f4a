"""What a test marked `leaves_sockets` leaves to the garbage collector fails no other test."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Iterator

import pytest

LEFT: list[weakref.ref[socket.socket]] = []


@pytest.fixture(scope="module", autouse=True)
def _collected_when_asked_alone() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.leaves_sockets("to see what becomes of it")
def test_a_socket_is_left_in_a_circle() -> None:
    left = socket.socket()
    LEFT.append(weakref.ref(left))
    circle: list[object] = [left]
    circle.append(circle)


def test_it_is_gone_before_the_next_test() -> None:
    assert [reference() for reference in LEFT] == [None]
