"""The feed by dlt: an FTP resource, merged into Postgres by the key.

Usage: as the plain script. dlt's own filesystem source can't read ftp://, so its
resource reads the files as the plain script does.
"""

from __future__ import annotations

import ftplib
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import dlt

from lab.bench.peers.plain_script import rows


@dlt.resource(  # type: ignore[untyped-decorator]  # it isn't installed where types are checked
    primary_key="animalID", write_disposition="merge", columns={"pictures": {"data_type": "json"}}
)
def pets() -> Iterator[list[dict[str, Any]]]:
    """Return the rows of pets_n, a file at a time."""
    address = urlsplit(os.environ["PETSTREAM_FTP_URL"])
    with ftplib.FTP() as ftp:  # noqa: S321  the feed is served so
        ftp.connect(address.hostname or "", address.port or 21)
        ftp.login(unquote(address.username or ""), unquote(address.password or ""))
        ftp.cwd(address.path)
        for name in sorted(ftp.nlst()):
            if name.startswith("pets_"):
                yield [*rows(ftp, name)]


def main() -> None:
    """Load all pets."""
    destination = dlt.destinations.postgres(os.environ["PETSTREAM_DATABASE_URL"])
    pipeline = dlt.pipeline("bench", destination=destination, dataset_name="feed")
    pipeline.run(pets())


if __name__ == "__main__":
    main()
