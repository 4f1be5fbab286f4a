"""docs/fields.md, docs/events.md and schemas/ say what the types say."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console import fields_page, schemas
from contracts import events, fields, topics
from contracts.codec import encode
from contracts.model import Organization, Pet

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
EVENTS_PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"^### `org\.petstream\.(\S+)`$.*?^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLE = re.compile(
    r"^### `org\.petstream\.(\S+)`$.*?^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = dict(EXAMPLE.findall(EVENTS_PAGE))
def test_examples_in_the_code_are_true(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
