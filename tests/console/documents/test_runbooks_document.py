"""What the console says to do is what docs/ops says."""

from __future__ import annotations

from console.documents.runbooks_document import DOCUMENT, document
from console.inspect.trouble.runbooks import runbook


def test_the_document_is_that_of_the_pages_of_docs_ops() -> None:
    """Run ``python -m console.documents.runbooks_document`` after a change of them."""
    assert DOCUMENT.read_text("utf-8") == document()


def test_a_page_is_read_whole() -> None:
    held = runbook("PetstreamRemovalsHeld")
    assert (held.severity, held.page) == ("warning", "removals-held")
    assert held.means.startswith("An export would remove more than is believable")
    assert held.mend[0] == "They really left: `petstream removals approve ID`."
    assert held.over == "No plan of the newest export waits."
