"""Questions to an HTTP service: a POST with JSON, answered in JSON in time; used in a thread.

Redirects are not followed, and proxies of the environment are not used: both would send passwords
elsewhere.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.external.http_settings import HTTPSettings
from ftpservice.accounts.external.store_string import read_secret

__all__ = ["ANSWER_SECONDS", "AccountsHTTPClient"]

ANSWER_SECONDS = 1.8
"""How long a login waits for the answer."""
MAX_ANSWER_BYTES = 1 << 20
READ_SIZE = 1 << 16
OK = 200


class AccountsHTTPClient:
    """The URL of a service; its methods may be called in several threads."""

    def __init__(self, settings: HTTPSettings) -> None:
        self.place = settings.place
        self._settings = settings

    def reach(self) -> None:
        """Connect, and ask nothing; raises `StoreUnavailable`."""
        connection = self._connection()
        try:
            connection.connect()
        except OSError as error:
            raise StoreUnavailable(f"{self.place}: {error}") from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        settings = self._settings
        if settings.tls is None:
            return HTTPConnection(settings.host, settings.port, timeout=ANSWER_SECONDS)
        return HTTPSConnection(
            settings.host, settings.port, timeout=ANSWER_SECONDS, context=settings.tls
        )

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        path = self._settings.token_file
        if path is not None:
            try:
                token = read_secret(path).decode("ascii")
            except (OSError, ValueError) as error:
                raise StoreUnavailable(f"{self.place}: token-file: {error}") from None
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a question; raises `StoreUnavailable`."""
        connection, headers = self._connection(), self._headers()
        deadline = Timer(ANSWER_SECONDS, _shut_down, (connection,))
        deadline.daemon = True
        try:
            deadline.start()
            connection.request("POST", self._settings.path, json.dumps(question), headers)
            body = self._body(connection.getresponse())
        except (OSError, HTTPException, RuntimeError, ValueError) as error:
            # Not the text of the error: it may quote the request or the answer.
            words = error if isinstance(error, OSError) else type(error).__name__
            raise StoreUnavailable(f"{self.place}: {words}") from None
        finally:
            deadline.cancel()
            connection.close()
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise StoreUnavailable(f"{self.place}: the answer is no JSON object")
        return answer

    def _body(self, response: HTTPResponse) -> bytes:
        if response.status != OK:
            raise StoreUnavailable(f"{self.place}: the answer has status {response.status}")
        body = bytearray()
        while data := response.read1(READ_SIZE):
            body += data
            if len(body) > MAX_ANSWER_BYTES:
                raise StoreUnavailable(f"{self.place}: the answer is too long")
        return bytes(body)


def _shut_down(connection: HTTPConnection) -> None:
    """End a request at its deadline, also if the answer trickles."""
    connected = connection.sock
    if connected is not None:
        try:
            connected.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
