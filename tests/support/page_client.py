"""A browser without a page: logs in to a service over HTTP and asks for files."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.command_service import SECRET
from tests.support.service_process import PATIENCE, Program

__all__ = ["PageClient"]


class PageClient:
    """The login of an account, on connections of its own."""

    def __init__(self, served: Program, user: str = "ann", password: str = SECRET) -> None:
        self.port = int(served.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self._headers = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "Content-Type": "application/json",
        }
        answer, body = self.ask("POST", "/login", {"user": user, "password": password})
        assert answer.status == 200, body
        self.login = json.loads(body)
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self._headers |= {"Cookie": cookie, "X-CSRF-Token": self.login["csrf"]}

    def open(self, method: str, path: str, given: Any = None, **headers: str) -> Any:
        """Send a request; return the connection and the answer, whose body is not read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE)
        body = None if given is None else json.dumps(given)
        connection.request(method, path, body, self._headers | headers)
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, given: Any = None, **headers: str) -> Any:
        """Return the answer and its body."""
        connection, answer = self.open(method, path, given, **headers)
        body = answer.read()
        connection.close()
        return answer, body

    def files(self, word: str, **query: str) -> str:
        """Return the address of one of the files; a path is percent-encoded, byte by byte."""
        encoded = {name: text.encode("utf-8", "surrogateescape") for name, text in query.items()}
        return f"/api/v1/files/{word}?{urlencode(encoded, quote_via=quote)}"

    def get(self, word: str, **query: str) -> bytes:
        """Return the body of one of the files; fails unless the status is 200."""
        answer, body = self.ask("GET", self.files(word, **query))
        assert answer.status == 200, body
        found: bytes = body
        return found

    def post(self, word: str, **members: Any) -> int:
        """Change something; return the status."""
        status: int = self.ask("POST", f"/api/v1/files/{word}", members)[0].status
        return status
