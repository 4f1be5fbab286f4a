"""console/inspect/trouble/runbooks.json, made from the pages of docs/ops: packages have no docs.

Run ``python -m console.documents.runbooks_document`` after a change there; a test compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
OPS: Final = _ROOT / "docs" / "ops"
DOCUMENT: Final = _ROOT / "console" / "inspect" / "trouble" / "runbooks.json"
_ROW: Final = re.compile(r"^\| (\w+) \| (\w+) \| \[([\w-]+)\.md\]", re.MULTILINE)
_ITEM: Final = re.compile(r"^- ", re.MULTILINE)


def document() -> str:
    """Return the whole document: an entry for each alert, as docs/ops/README.md lists them."""
    listed = _ROW.findall((OPS / "README.md").read_text("utf-8"))
    entries = [_entry(alert, severity, page) for alert, severity, page in listed]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def _entry(alert: str, severity: str, page: str) -> dict[str, Any]:
    parts = re.split(r"^#+ .*\n", (OPS / f"{page}.md").read_text("utf-8"), flags=re.MULTILINE)
    _, means, look, mend, over = parts
    return {
        "alert": alert, "severity": severity, "page": page, "means": _one_line(means),
        "look": _items(look), "mend": _items(mend), "over": _one_line(over),
    }  # fmt: skip


def _items(text: str) -> list[str]:
    return [_one_line(item) for item in _ITEM.split(text) if item.strip()]


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
