"""`.env` and the settings in it: all that is wrong is said, and no secret with it.

Rule 1: settings are loaded, or refused by one `UsageError`; nothing else is raised.
Rule 2: a secret is in no message, and in no repr.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from petstream.errors import UsageError
from petstream.settings import NAMES, load, texts

LONGEST_BYTES: Final = 1_024

_CANARY: Final = "canary7s3cret"
_SECRETS: Final = {
    "PETSTREAM_FTP_URL", "PETSTREAM_DATABASE_URL", "PETSTREAM_KAFKA_SASL_PASSWORD",
    "PETSTREAM_CONSOLE_TOKEN",
    "PETSTREAM_CONSOLE_DATABASE_URL",
}  # fmt: skip
_DIRECTORY: Final = tempfile.TemporaryDirectory(prefix="petstream-fuzz-")


def run(data: bytes) -> None:
    """Load a file of these bytes; then each of its lines as the environment."""
    file = Path(_DIRECTORY.name) / ".env"
    file.write_bytes(data)
    _load({}, file)
    lines = data.decode("utf-8", "replace").replace("\0", "").splitlines()
    environ = dict(line.partition("=")[::2] for line in lines if "=" in line)
    _load(environ, file.with_name("none"))


def _load(environ: dict[str, str], file: Path) -> None:
    try:
        written = texts(environ, file)
        hidden = all(_is_hidden(name, text) for name, text in written.items())
    except UsageError as error:  # a line that can't be read is named by its number
        _judge(str(error), hidden=True)
        return
    try:
        settings = load(environ, file)
    except UsageError as error:
        _judge(str(error), hidden=hidden)
        return
    is_host = settings.ftp is not None and _CANARY in settings.ftp.host
    if hidden and not is_host:
        assert _CANARY not in repr(settings), "a repr tells a secret"


def _is_hidden(name: str, text: str) -> bool:
    """Tell whether the secret stands only where a secret is looked for."""
    begins = re.match(r"\w*", name, re.ASCII)
    named = begins is not None and _CANARY in begins[0]
    return not named and (_CANARY not in text or name in _SECRETS or name not in NAMES)


def _judge(message: str, *, hidden: bool) -> None:
    for line in message.split("\n"):
        assert re.match(r"PETSTREAM_|.*\.env", line), "a line that names no setting"
    assert not (hidden and _CANARY in message), "a message tells a secret"


def seeds() -> dict[str, bytes]:
    """Return files as people write them."""
    return {
        "usual": b"PETSTREAM_FTP_URL=ftp://apikey-x:canary7s3cret@ftp.example/\n"
        b"PETSTREAM_KAFKA=localhost:9092 # ours\nexport PETSTREAM_SETTLE_S='6'\n",
        "secrets": b"PETSTREAM_DATABASE_URL=postgresql://me:canary7s3cret@[::1/pets\n"
        b'PETSTREAM_KAFKA_SASL_PASSWORD=canary7s3cret\nPETSTREAM_CONSOLE_TOKEN="canary7s3cret"\n',
        "bom": b"\xef\xbb\xbfPETSTREAM_WINDOW=04:00-12:00\r\nPETSTREAM_THUMBNAILS=320,960\r\n",
        "wrong": b"PETSTREAM_X=1\nPETSTREAM_REMOVAL_MAX_SHARE=2\nPETSTREAM_CONSOLE=:1\nA=$B${C}\n",
        "name": b"'PETSTREAM_LOG=json\nPETSTREAM_CONSOLE_TOKEN=canary7s3cret\nPETSTREAM_X='\n",
        "quote": b"PETSTREAM_LOG='json\nPETSTREAM_SCRUB=off\n",
        "kafka": b"PETSTREAM_KAFKA=k:1,l:2\nPETSTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL\n"
        b"PETSTREAM_KAFKA_SSL_CAFILE=/nowhere\nPETSTREAM_PICTURES=s3://b/p\n",
    }  # fmt: skip


WORDS: Final = (
    b"PETSTREAM_FTP_URL=", b"PETSTREAM_KAFKA=", b"PETSTREAM_DATABASE_URL=", b"PETSTREAM_PICTURES=",
    b"PETSTREAM_WINDOW=", b"PETSTREAM_CONSOLE=", b"PETSTREAM_REMOVED_DAYS=forever\n", b"ftp://",
    b"ftps://", b"postgresql://", b"canary7s3cret", b"@", b"[::1]", b":99999", b"%0a", b"%00",
    b"\xc2\xb2", b"\xd9\xa1", b"export ", b"'", b'"', b"\\", b"${", b"}", b" #", b"\r\n",
    b"\xef\xbb\xbf", b"=", b"file:///", b"s3://", b"PETSTREAM_SETTLED=1\n", b"PETSTREAM_DATA_DIR=",
    b"PETSTREAM_SETTLE_S=", b"PETSTREAM_TOPIC_PREFIX=", b"PETSTREAM_KAFKA_SSL_KEYFILE=",
    b"PETSTREAM_PICTURE_TRUSTED_HOSTS=", b"PETSTREAM_REMOVAL_MAX_COUNT=",
)  # fmt: skip
