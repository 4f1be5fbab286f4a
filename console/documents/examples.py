"""An example of every type of event, as the AsyncAPI document shows them."""

from __future__ import annotations

from typing import Any, Final

from petstream import events
from petstream.events import (
    DebtEvent,
    ExportEvent,
    OrganizationEvent,
    PetEvent,
    PictureEvent,
    PlanEvent,
    SnapshotRequest,
)

_EXPORT_ID: Final = "2026-11-23T08:12:04Z"
_PLAN_ID: Final = f"{_EXPORT_ID}.pets"
_BASE: Final = 1_795_421_524
_SEQUENCE: Final = _BASE * 4_000_000
_ASKED_AT: Final = 1_795_454_400_000_000
_FIRST_SEEN: Final = "2026-11-02T08:01:11Z"
_PET: Final = {
    "animalId": 22611034, "orgId": 701, "status": "Available",
    "updatedAt": "2026-11-23T02:40:11Z", "name": "Biscuit", "species": "Dog", "adoptionFee": "200",
}  # fmt: skip
_ORGANIZATION: Final = {
    "orgId": 701, "status": "Available", "name": "Paws & Co", "city": "Cambridge",
}  # fmt: skip
_COUNTS: Final = {
    "read": 6026, "added": 1980, "updated": 3641, "unchanged": 391, "removed": 0, "relisted": 12,
    "refused": 2,
}  # fmt: skip
_OF_A_REMOVAL: Final = {"changed": ["listed"], "old": {"listed": True}}
_PLAN: Final = {
    "planId": _PLAN_ID, "part": 1, "parts": 1, "removals": [22611034, 22611035], "entity": "pets",
}  # fmt: skip
_LOG: Final = {
    "ends": {
        "petstream.orgs.v1/0": {"offset": 0, "recordId": None, "timestampMs": 0},
        "petstream.pets.v1/0": {
            "offset": 22_417, "recordId": f"{_EXPORT_ID}/pet/22611034/{_SEQUENCE + 416}",
            "timestampMs": 1_795_425_040_113,
        },
    },
    "foldEnds": {"petstream.orgs.v1/0": 0, "petstream.pets.v1/0": 22_001},
    "snapshot": _SEQUENCE - 345_600_000_000, "unstated": {"pets": [22611040], "orgs": []},
}  # fmt: skip
_OF_THE_LOG: Final[dict[type[events.Event], dict[str, Any]]] = {
    DebtEvent: {
        "exportId": _EXPORT_ID, "owes": "snapshot", "at": "2026-11-24T08:20:00Z",
        "reason": "petstream.pets.v1/0 ends at 21,950 and had ended at 22,417",
        "partitions": ["petstream.pets.v1/0"], "base": _BASE,
    },
    SnapshotRequest: {
        "askedBy": "my-site", "sequence": _SEQUENCE + 416, "at": "2026-11-23T17:20:00Z",
        "reason": "12 pets of ours aren't in the log",
    },
}  # fmt: skip
_SUBJECTS: Final[dict[type[events.Event], str]] = {
    PetEvent: "pet/22611034",
    OrganizationEvent: "organization/701",
    ExportEvent: f"export/{_EXPORT_ID}",
    PlanEvent: f"removal-plan/{_PLAN_ID}/1",
    DebtEvent: f"debt/{_SEQUENCE}",
    SnapshotRequest: "request/my-site",
    PictureEvent: "picture/90125551",
}


def value_of(type_: str) -> dict[str, Any]:
    """Return a value of a type, without the fields of a record that would only be null."""
    shape, word = events.TYPES[type_], type_.rpartition(".")[2]
    if shape is PetEvent:
        changed = {"changed": ["adoptionFee"], "old": {"adoptionFee": "250"}}
        return _change(word, {"animalId": 22611034}, {"pet": _PET}, changed, "updatedpets_1.json")
    if shape is OrganizationEvent:
        changed = {"changed": ["city"], "old": {"city": "Boston"}}
        return _change(
            word, {"orgId": 701}, {"organization": _ORGANIZATION}, changed, "orgs_1.json"
        )
    if shape is ExportEvent:
        return {
            "exportId": _EXPORT_ID, "mode": "daily", "state": word, "at": "2026-11-23T09:30:40Z",
            "counts": {"pets": _COUNTS, "orgs": _COUNTS}, "base": _BASE,
            "plan": _PLAN if word == "held" else None,
            **(_LOG if word == "completed" else {}),
        }  # fmt: skip
    if shape is PlanEvent:
        return {
            "planId": _PLAN_ID, "exportId": _EXPORT_ID, "decision": word,
            "at": "2026-11-23T14:05:00Z", "by": "ann", "reason": None,
        }  # fmt: skip
    return _OF_THE_LOG[shape] if shape in _OF_THE_LOG else _picture(word)


def headers_of(type_: str, subject: str) -> dict[str, str]:
    """Return the headers of an example."""
    sequence = _ASKED_AT if events.TYPES[type_] is SnapshotRequest else _SEQUENCE
    return {
        "ce_specversion": "1.0",
        "ce_id": f"{_EXPORT_ID}/{subject}/{sequence}",
        "ce_source": events.SOURCE,
        "ce_type": f"{events.TYPE_PREFIX}{type_}",
        "ce_subject": subject,
        "ce_time": _EXPORT_ID,
        "content-type": "application/json",
        "ce_sequence": f"{sequence:019}",
        "ce_exportid": _EXPORT_ID,
        "ce_digest": "d92bcc8a38498cab95ebf4918ded8346",
    }


def subject_of(type_: str) -> str:
    """Return what an example is about."""
    shape = PlanEvent if type_ == "export.held" else events.TYPES[type_]
    return _SUBJECTS[shape]


def _change(
    word: str,
    key: dict[str, Any],
    record: dict[str, Any],
    changed: dict[str, Any],
    file: str,
) -> dict[str, Any]:
    none: dict[str, Any] = {"changed": [], "old": {}}
    what = {"updated": changed, "removed": _OF_A_REMOVAL}.get(word, none)
    if word == "removed":
        file = "petlist.csv" if "pet" in record else "orgs"
    source = {"exportId": _EXPORT_ID, "mode": "daily", "file": file, "row": 417}
    first_seen = _EXPORT_ID if word == "added" else _FIRST_SEEN
    return {
        "op": word, **key, "sequence": _SEQUENCE, **record, **what, "firstSeenAt": first_seen,
        "source": source,
    }  # fmt: skip


def _picture(word: str) -> dict[str, Any]:
    gone = {"op": "gone", "animalId": 22611034, "pictureId": 90125551}
    if word == "gone":
        return gone
    return gone | {
        "op": word, "storedAs": "22611034/90125551.jpg", "thumbnails": {},
        "contentType": "image/jpeg", "bytes": 81234, "width": 640, "height": 480,
    }  # fmt: skip
