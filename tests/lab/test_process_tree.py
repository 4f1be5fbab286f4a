"""The children of a process, also of one that ends meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys

from lab.process_tree import children, descendants


def test_who_has_just_ended_has_no_children() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        assert list(descendants(ended.pid)) == []


def test_a_child_is_named_as_long_as_it_lives() -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:  # noqa: S603  our own
        assert child.pid in set(children(os.getpid()))
        child.communicate()
