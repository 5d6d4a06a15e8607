"""One signed request of a webhook, by the scheme of Standard Webhooks; it blocks.

The signature is the HMAC-SHA256 of ``ID.TIMESTAMP.BODY``, in base64 after ``v1,``. The time stamp
is that of the attempt, so a receiver can refuse old requests; the id is that of the event, and the
same for each attempt. Redirects are not followed, and proxies of the environment are not used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
import time
from contextlib import suppress
from enum import Enum
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Lock, Timer
from typing import NamedTuple
from urllib.parse import urlsplit

from ftpservice import __version__
from ftpservice.accounts.external.store_string import read_secret
from ftpservice.activity.hooks.webhook_spool import Delivery

__all__ = ["Answer", "Verdict", "WebhookClient", "read_key", "signature"]

KEY_PREFIX = b"whsec_"
MIN_KEY_BYTES = 16
MAX_ANSWER_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0
"""Time limit of each address to connect to: until then, a stop cannot end the request."""
LATER_STATUSES = (408, 409, 425, 429)
"""What a receiver answers that may accept the same request later; so does any 5xx."""


class Verdict(Enum):
    """What became of a request."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver will not accept it later either."""
    FAILED = "failed"


class Answer(NamedTuple):
    """The result of a request, and what the receiver or the network said."""

    verdict: Verdict
    detail: str


def read_key(path: str) -> bytes:
    """Return the key in a file: its first line, or what that encodes after ``whsec_``.

    Raises `OSError` and `ValueError`.
    """
    text = read_secret(path)
    if text.startswith(KEY_PREFIX):
        try:
            text = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(f"{path}: what follows whsec_ is not base64") from None
    if len(text) < MIN_KEY_BYTES:
        raise ValueError(f"{path}: the key has fewer than {MIN_KEY_BYTES} bytes")
    return text


def signature(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a request."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class WebhookClient:
    """Makes the requests to ``url``, each within ``time_limit``."""

    def __init__(self, url: str, secret_file: str, time_limit: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._secret_file = secret_file
        self._time_limit = time_limit
        self._lock = Lock()
        self._current: HTTPConnection | None = None
        self._is_stopped = False

    def post(self, delivery: Delivery, now: float) -> Answer:
        """Make one request; ``now`` is its time stamp. Raises nothing."""
        try:
            key = read_key(self._secret_file)
        except (OSError, ValueError) as error:
            return Answer(Verdict.FAILED, f"secret-file: {error}")
        stamp = int(now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"ftpservice/{__version__}",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(key, delivery.id, stamp, delivery.body),
            "webhook-attempt": str(delivery.attempts + 1),
        }
        connection, ends = self._connection(), time.monotonic() + self._time_limit
        deadline = Timer(self._time_limit, _shut_down, (connection,))
        deadline.daemon = True
        try:
            with self._lock:
                self._current = connection
            if self._is_stopped:
                raise TimeoutError
            deadline.start()
            connection.connect()
            if self._is_stopped or time.monotonic() >= ends:  # what would end it had no socket yet
                raise TimeoutError
            connection.sock.settimeout(self._time_limit)
            connection.request("POST", self._target, delivery.body, headers)
            return _answer(connection.getresponse())
        except (OSError, HTTPException, RuntimeError, ValueError) as error:
            text = str(error) or type(error).__name__
            if isinstance(error, TimeoutError) or time.monotonic() >= ends:
                text = f"no answer within {self._time_limit:g} s"
            return Answer(Verdict.FAILED, "stopped" if self._is_stopped else text)
        finally:
            deadline.cancel()
            with self._lock:
                self._current = None
            connection.close()

    def _connection(self) -> HTTPConnection:
        seconds = min(self._time_limit, CONNECT_SECONDS)
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=seconds)
        return HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)

    def stop(self) -> None:
        """End the request that is being made; from any thread."""
        self._is_stopped = True
        with self._lock:
            if self._current is not None:
                _shut_down(self._current)


def _answer(response: HTTPResponse) -> Answer:
    """Return what the status says: a body that does not come does not make the event come again."""
    status = response.status
    with suppress(OSError, HTTPException, ValueError):
        response.read(MAX_ANSWER_BYTES)
    detail = f"status {status} {response.reason}"
    if 200 <= status < 300:
        return Answer(Verdict.DELIVERED, detail)
    is_final = 400 <= status < 500 and status not in LATER_STATUSES
    return Answer(Verdict.REFUSED if is_final else Verdict.FAILED, detail)


def _shut_down(connection: HTTPConnection) -> None:
    """End a request at its deadline, also if the answer trickles."""
    connected = connection.sock
    if connected is not None:
        try:
            connected.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
