"""An OAuth server of a moment: gives unsigned tokens to one client, as RFC 6749 has it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs


class OAuthServer:
    """Where it is, and what it was asked for."""

    def __init__(self, client: str, secret: str, subject: str, lasts_s: float) -> None:
        """Listen on a free port."""
        self.asked: list[str] = []
        self._login = base64.b64encode(f"{client}:{secret}".encode()).decode()
        self._subject, self._lasts_s = subject, lasts_s
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/token"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                if self.headers["Authorization"] != f"Basic {server._login}":
                    self.send_error(401)
                    return
                server.asked.append(" ".join(form["grant_type"] + form.get("scope", [])))
                body = json.dumps(server._answer()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def _answer(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"sub": self._subject, "iat": now, "exp": now + 3600}
        parts = [_encoded({"alg": "none"}), _encoded(claims), ""]
        return {
            "access_token": ".".join(parts), "expires_in": self._lasts_s, "token_type": "Bearer",
        }  # fmt: skip


@contextmanager
def oauth_server(
    *, client: str, secret: str, subject: str, lasts_s: float = 3600
) -> Iterator[OAuthServer]:
    """Run a server meanwhile."""
    server = OAuthServer(client, secret, subject, lasts_s)
    thread = Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
