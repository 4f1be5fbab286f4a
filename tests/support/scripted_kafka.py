"""A broker that says which requests it knows and where brokers listen, and nothing else."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1

OF_3_5: Final = {0: 9, 1: 15, 2: 8, 8: 8, 19: 7, 24: 3}
OF_3_6: Final = {**OF_3_5, 24: 4}
"""As those brokers say it, of what matters here."""
_METADATA: Final = 3
_API_VERSIONS: Final = 18


@asynccontextmanager
async def scripted_kafka(
    advertised: Sequence[tuple[str, int]] | None = None,
    known: Mapping[int, int] | None = None,
) -> AsyncIterator[int]:
    """Run it on 127.0.0.1; give its port.

    Args:
        advertised: where it says that brokers listen; None: where it does itself.
        known: the newest version of each request that it knows, by the request's number.
    """
    versions = {**(OF_3_6 if known is None else known), _METADATA: 1, _API_VERSIONS: 0}

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation = struct.unpack(">hhi", (await reader.readexactly(size))[:8])
                if key == _API_VERSIONS:
                    listed = [(number, 0, newest) for number, newest in versions.items()]
                    answer = ApiVersionResponse_v0(0, listed).encode()
                elif key == _METADATA:
                    brokers = advertised or [("127.0.0.1", port)]
                    answer = MetadataResponse_v1(
                        [(number, *at, None) for number, at in enumerate(brokers)], 0, []
                    ).encode()
                else:
                    break
                writer.write(struct.pack(">ii", len(answer) + 4, correlation) + answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        await asyncio.sleep(0)
        ended = [task for task in serving if task is not None]
        if ended:
            await asyncio.wait(ended, timeout=5)
