"""Why Postgres, or a pooler before it, refuses us: phrases that say how to mend it. Pure.

Rule 1: what waiting mends has no phrase here.
Rule 2: no text of the server's is repeated: it may hold the user's name.
"""

from __future__ import annotations

import re
import ssl
from typing import Final

SETTING: Final = "PETSTREAM_DATABASE_URL"
NO_AUTHORITY: Final = (
    "is to show a certificate, and no file says which authorities may have signed it: add "
    f"sslrootcert=system to {SETTING}, or sslrootcert= and the name of a PEM file"
)
NAMELESS: Final = (
    f"can't be logged in to: {SETTING} names no user, and the user that petstream runs as has no "
    "name"
)
NO_SUCH_NAME: Final = "its name isn't known here"
_POOLER_SAYS: Final = {
    r"statement pooling": (
        "lends a connection for one statement only, and petstream needs transactions: set "
        "pool_mode=transaction or pool_mode=session in the pooler"
    ),
    r"(ssl|tls) required": f"takes nobody without TLS: add sslmode=require to {SETTING}",
    r"no such (database|user)|does not exist|auth(entication)? failed|wrong password|not allowed": (
        f"doesn't let petstream in: mend the user, password or database in {SETTING}"
    ),
}
_BUSY: Final = {
    "no more connections|too many|remaining connection": "it lets no more connections in",
    "server_login_retry|server login|cannot connect to server": "its pooler can't reach the server",
    "query_wait_timeout": "its pooler has no connection free",
}
_PARAMETER: Final = re.compile(r"unsupported startup parameter(?: in options)?: ['\"]?(\w+)")


def not_let_in(name: str) -> str:
    """Return what an error of this class means, where it is about who we are."""
    return f"doesn't let petstream in ({name}): mend the user, password or database in {SETTING}"


def refuses(name: str) -> str:
    """Return what an error of this class means, where waiting is no use."""
    return f"refuses what {SETTING} asks for ({name}): mend its user, database or options"


def other_login(name: str) -> str:
    """Return what an error of this class means, where no common way to log in is left."""
    return (
        f"asks for a login that isn't spoken here ({name}): let this user in by scram-sha-256, or "
        f"mend {SETTING}"
    )


def unsupported_parameter(message: str) -> str | None:
    """Return the parameter that a pooler doesn't take as a connection begins.

    >>> unsupported_parameter("unsupported startup parameter: jit")
    'jit'
    """
    match = _PARAMETER.search(message)
    return None if match is None else match[1]


def of_pooler(message: str) -> str | None:
    """Return what a pooler's own error means; None: waiting may help, or it isn't a pooler's."""
    parameter = unsupported_parameter(message)
    if parameter is not None:
        return (
            f"is a pooler that doesn't take {parameter}: set ignore_startup_parameters="
            f"{parameter} in it, or take {parameter} out of {SETTING}"
        )
    for pattern, meaning in _POOLER_SAYS.items():
        if re.search(pattern, message, re.IGNORECASE):
            return meaning
    return None


def of_busy(message: str) -> str | None:
    """Return why a server, or a pooler, lets nobody in for a while; None: it says something else.

    >>> of_busy("no more connections allowed (max_client_conn)")
    'it lets no more connections in'
    """
    for pattern, why in _BUSY.items():
        if re.search(pattern, message):
            return why
    return None


def of_encoding(encoding: str) -> str | None:
    """Return what is wrong with a database's encoding; None for UTF-8.

    >>> of_encoding("UTF8")
    """
    if encoding == "UTF8":
        return None
    why = "whose bytes nobody checks" if encoding == "SQL_ASCII" else "which lacks letters"
    return (
        f"keeps this database in {encoding}, {why}: make one by CREATE DATABASE … ENCODING 'UTF8' "
        f"TEMPLATE template0, and name it in {SETTING}"
    )


def of_read_only(*, is_standby: bool) -> str:
    """Return what is wrong where nothing can be written."""
    if is_standby:
        return f"is a standby, which can't be written: name the primary in {SETTING}"
    return (
        "lets this user only read (default_transaction_read_only is on): set it off for the user "
        f"and the database, or name another user in {SETTING}"
    )


def of_state(state: str, name: str) -> str | None:
    """Return what an error means by its SQLSTATE and the name of its class; None: no refusal."""
    match state:
        case "42501":
            return (
                "doesn't let this user do what petstream does: connect as the owner of the schema "
                f"petstream, and of the database to make it; mend the user in {SETTING}"
            )
        case "42P01" | "3F000" | "42703":
            return f"hasn't petstream's tables as they should be ({name}): run 'petstream migrate'"
        case "42P05" | "26000":
            return (
                f"is behind a pooler that mixes up statements ({name}): set pool_mode=transaction "
                "or pool_mode=session in it"
            )
    if state[:2] in {"58", "XX"}:
        return f"failed by itself ({name}): see its log"
    return None


def of_network(error: Exception) -> str | None:
    """Return what is wrong with a name, or with TLS; None: waiting may help."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"shows a certificate that isn't good for it ({error.verify_message}): mend "
                f"sslrootcert, sslmode or the host in {SETTING}"
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return None
        case ssl.SSLError():
            reason = (getattr(error, "reason", None) or "unknown").lower().replace("_", " ")
            return (
                f"doesn't speak TLS as we do ({reason}): mend sslmode, sslrootcert and sslcert in "
                f"{SETTING}"
            )
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return f"offers no TLS, and sslmode in {SETTING} asks for it"
        case UnicodeError():
            return f"has a name that no host can have: mend {SETTING}"
    return None
