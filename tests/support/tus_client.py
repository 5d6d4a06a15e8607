"""A client of the page's logins and of its resumable uploads, over real sockets."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import NamedTuple

from tests.support.service_process import PATIENCE

__all__ = ["BrowserClient", "Reply"]

BODY = "application/offset+octet-stream"


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def reason(self) -> str:
        """The member ``reason`` of a problem."""
        return str(json.loads(self.body)["reason"])

    @property
    def offset(self) -> int:
        """How much of the upload has arrived."""
        return int(self.headers["Upload-Offset"])


class BrowserClient:
    """Requests with the cookie of a login."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.port = port
        self._headers = {"Origin": f"http://127.0.0.1:{port}"}
        given = json.dumps({"user": user, "password": password}).encode()
        reply = self.ask("POST", "/login", given, {"Content-Type": "application/json"})
        if b"log in again" in reply.body:  # a change of the account was noticed meanwhile
            reply = self.ask("POST", "/login", given, {"Content-Type": "application/json"})
        assert reply.status == 200, reply.body
        csrf = json.loads(reply.body)["csrf"]
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        self._headers |= {"Cookie": cookie, "X-CSRF-Token": csrf}

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE)
        try:
            connection.request(method, path, body, {**self._headers, **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def announcement(self, path: str, length: int, replaces: bool = False) -> dict[str, str]:
        """Return the headers that announce an upload."""
        name = base64.b64encode(path.encode("utf-8", "surrogateescape")).decode()
        word = base64.b64encode(b"yes" if replaces else b"no").decode()
        metadata = f"path {name},replace {word}"
        facts = {"Upload-Length": str(length), "Upload-Metadata": metadata}
        return {"Tus-Resumable": "1.0.0", **facts}

    def create(self, path: str, length: int, body: bytes | None = None, **more: bool) -> Reply:
        """Announce an upload; ``body`` are bytes of it."""
        headers = self.announcement(path, length, **more)
        if body is not None:
            headers["Content-Type"] = BODY
        return self.ask("POST", "/api/v1/uploads", body or b"", headers)

    def head(self, place: str) -> Reply:
        """Ask how much has arrived."""
        return self.ask("HEAD", place, b"", {"Tus-Resumable": "1.0.0"})

    def patch(self, place: str, offset: int, body: bytes) -> Reply:
        """Send bytes."""
        return self.ask("PATCH", place, body, self._patch_headers(offset))

    def delete(self, place: str) -> Reply:
        """Give an upload up."""
        return self.ask("DELETE", place, b"", {"Tus-Resumable": "1.0.0"})

    def _patch_headers(self, offset: int) -> dict[str, str]:
        facts = {"Upload-Offset": str(offset), "Content-Type": BODY}
        return {"Tus-Resumable": "1.0.0", **facts}

    def begin_patch(self, place: str, offset: int, length: int, body: bytes) -> socket.socket:
        """Send the beginning of a request with ``length`` bytes; return its socket."""
        headers = {**self._headers, **self._patch_headers(offset)}
        lines = [f"PATCH {place} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {length}", "", ""]
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        connection.sendall("\r\n".join(lines).encode() + body)
        return connection
