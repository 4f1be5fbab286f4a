"""What the FTP server says it can, asked with FEAT."""

from __future__ import annotations

from ingest.source.ftp import WIRE_TROUBLE, connect, told
from petstream.settings import FtpUrl


async def abilities(ftp: FtpUrl, *, patience_s: float = 0) -> frozenset[str] | None:
    """Log in and return the commands that the server names; None: it doesn't say.

    Raises:
        PetstreamError: the login was refused, or the server can't be reached.
    """
    async with connect(ftp, patience_s=patience_s) as client:
        try:
            _, lines = await client.command("FEAT", "211")
        except WIRE_TROUBLE as error:
            if told(error).startswith("FTP 5"):
                return None
            raise
    words = (line.split() for line in lines[1:-1])
    return frozenset(found[0].upper() for found in words if found)
