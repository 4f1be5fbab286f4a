"""Contacts of people, kept out of what is kept and published, whatever their key is called. Pure.

Rule 1: a key is a contact's if a word of it is a way to reach somebody, or a person's part; what
        the model declares as a field is no business of this module.
Rule 2: bytes that can't be parsed are cleaned by their looks: the values of such keys go, and so
        does whatever looks like an e-mail address or a telephone number.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_WAYS: Final = frozenset({
    "mail", "mails", "tel", "cell", "cells", "fax", "sms", "im", "ph", "voice", "mob",
})  # fmt: skip
_WAYS_ANYWHERE: Final = (
    "email", "phone", "mobile", "contact", "whatsapp", "skype", "telegram", "messenger", "pager",
)  # fmt: skip
_PEOPLE: Final = frozenset({"person", "people", "staff", "user", "author", "donor", "vet"})
_PEOPLE_ANYWHERE: Final = (
    "foster", "owner", "adopter", "coordinator", "volunteer", "caretaker", "caregiver", "finder",
    "surrender", "guardian", "applicant", "emergency",
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_FLAGS: Final = frozenset({"", "yes", "no", "true", "false", "0", "1"})
_MEMBER: Final = re.compile(
    rb'("(?:[^"\\]|\\.)*")(\s*:\s*)("(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,{}\[\]\s"]+)', re.DOTALL
)
_OF_OBJECT: Final = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:\s*[\[{]', re.DOTALL)
_EMAIL: Final = re.compile(rb"[A-Za-z0-9._%+'-]{1,64}(?:@|\\u0040|%40|&#64;)[A-Za-z0-9.-]{1,253}")
_TELEPHONE: Final = re.compile(
    rb"(?<![0-9])(?:\+?1[-. ]?)?\(?[0-9]{3}\)?[-. ]{1,2}[0-9]{3}[-. ][0-9]{4}(?![0-9])"
)
_LEFT_OUT: Final = b'"(left out)"'


def is_contact(name: str, value: Any) -> bool:
    """Tell whether a key that isn't a field's may hold how to reach a person, or who it is.

    >>> is_contact("fosterEmail", "a@b.c"), is_contact("HOME_PHONE", ""), is_contact("foster", "No")
    (True, True, False)
    """
    compact = re.sub(r"[^a-z]", "", name.lower())
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _WAYS or any(way in compact for way in _WAYS_ANYWHERE):
        return True
    if words & _PEOPLE or any(person in compact for person in _PEOPLE_ANYWHERE):
        return str(value).strip().lower() not in _FLAGS
    return False


def without_contacts(value: Any) -> Any:
    """Return a JSON value without the contacts at any depth of it."""
    if isinstance(value, dict):
        return {
            name: without_contacts(inner)
            for name, inner in value.items()
            if not is_contact(name, inner)
        }
    if isinstance(value, list | tuple):
        return [without_contacts(element) for element in value]
    return value


def bytes_without_contacts(raw: bytes) -> bytes:
    """Return a row that was refused, without what may be a contact (rule 2)."""
    for match in _OF_OBJECT.finditer(raw):
        if _is_contact_key(match[1], b"{"):
            raw = raw[: match.start()] + match[1] + b":" + _LEFT_OUT
            break  # where it ends nobody knows: the row may be broken there
    raw = _MEMBER.sub(_member, raw)
    return _TELEPHONE.sub(b"(left out)", _EMAIL.sub(b"(left out)", raw))


def _member(match: re.Match[bytes]) -> bytes:
    if not _is_contact_key(match[1], match[3]):
        return match[0]
    return match[1] + match[2] + _LEFT_OUT


def _is_contact_key(quoted: bytes, value: bytes) -> bool:
    try:
        name = json.loads(quoted)
    except ValueError:
        name = quoted.decode("latin-1")
    return is_contact(name, value.decode("latin-1").strip('"'))
