"""What FTP servers say, and what we say to them: words to values, codes to clear lines. Pure.

Rule 1: no line names the user, the password, the directory or a file.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

from petstream.errors import PetstreamError


def refusal(code: str | None, error: Exception, host: str) -> PetstreamError | None:
    """Return the line for what waiting doesn't mend, or None: it may pass."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return PetstreamError(
            f"the FTP server {host} shows a certificate that isn't trusted "
            f"({error.verify_message}): mend it, or use ftp:// if the network is yours"
        )
    if code == "530":
        return PetstreamError(
            f"the FTP server {host} refuses the login: check user and password in "
            "PETSTREAM_FTP_URL (user apikey-KEY; both were e-mailed when the export was enabled)"
        )
    if code == "550":
        return PetstreamError(
            f"the FTP server {host} has no such directory: check the path in PETSTREAM_FTP_URL "
            "(the feed lies in the home directory: none is needed)"
        )
    return None


def without_tls(host: str) -> PetstreamError:
    """Return the line for a server that refuses TLS: nothing was sent to it."""
    return PetstreamError(
        f"the FTP server {host} offers no TLS, which ftps:// in PETSTREAM_FTP_URL asks for: "
        "no password was sent; ask its operator, or use ftp:// if the network is yours"
    )


def size_of(told: str) -> int:
    """Return a file's size in bytes from the answer to SIZE."""
    if not re.fullmatch(r"[0-9]{1,15}", told):
        raise ValueError("not a size")
    return int(told)


def time_of(told: str) -> datetime:
    """Return a file's time from the answer to MDTM, which is UTC."""
    return datetime.strptime(told[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def sent(text: str) -> str:
    """Return text so that UTF-8 goes over a wire that is read as latin-1."""
    return text.encode().decode("latin-1")


def base_name(path: str) -> str:
    """Return a name without its directory."""
    return path.rpartition("/")[2]
