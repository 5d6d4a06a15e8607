"""Small requests that are made in the reactor thread, without a thread of their own.

A request in a thread passes the lock of Python back and forth between that thread and the reactor
at each system call, which takes longer than a small request itself. Here, nothing waits: it is sent
in one piece over a connection that is kept, and the answer is read when it comes. Whatever is not
plain is left to a thread (`SignedRequests.send`), which repeats the request: without a connection
that is kept, with credentials that have to be fetched, and after anything but a success. So a call
must be one that can be carried out twice.
"""

from __future__ import annotations

import ssl
from http.client import HTTPConnection
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.s3.api.answer_head import AnswerHead, split_answer
from ftpservice.backends.s3.api.signed_requests import S3Answer, S3Call, SignedRequests

__all__ = ["MAX_PROMPT_BYTES", "PromptRequests"]

MAX_PROMPT_BYTES = 16 << 10
"""What every socket takes at once, and TLS has in one record."""
READ_SIZE = 16 << 10
PROMPT_SECONDS = 5
"""How long an answer may take before a thread repeats the request."""
WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PromptRequests:
    """Requests of ``requests`` in the thread of ``reactor``; all is called there.

    Only the head of an answer is read: a success must need no more.
    """

    def __init__(self, requests: SignedRequests, reactor: Any) -> None:
        self._requests = requests
        self._reactor = reactor
        self._under_way: set[_PromptRequest] = set()
        self._is_stopped = False

    def send(self, call: S3Call) -> Deferred[S3Answer | None] | None:
        """Send a request; None if that has to wait for something.

        The answer is None if there was none, or that of a failure.
        """
        if self._is_stopped:
            return None
        data = self._requests.signed_bytes(call)
        if data is None or len(data) > MAX_PROMPT_BYTES:
            return None
        connection = self._requests.idle_connection()
        if connection is None:
            return None
        try:
            connection.sock.settimeout(0)
            sent = connection.sock.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            connection.close()
            return None
        request = _PromptRequest(connection, self)
        self._under_way.add(request)
        self._reactor.addReader(request)
        return request.answered

    def tick(self) -> None:
        """Give up the requests whose answer takes too long; called every second."""
        for request in tuple(self._under_way):
            request.seconds += 1
            if request.seconds > PROMPT_SECONDS:
                self.end(request)

    def stop(self) -> None:
        """Give up all requests, and make none from now on."""
        self._is_stopped = True
        for request in tuple(self._under_way):
            self.end(request)

    def end(
        self,
        request: _PromptRequest,
        head: AnswerHead | None = None,
        is_reusable: bool = False,
    ) -> None:
        """End a request with the head of its answer, or without one."""
        if request not in self._under_way:
            return
        self._under_way.discard(request)
        self._reactor.removeReader(request)
        if is_reusable:
            self._requests.keep_connection(request.connection)
        else:
            request.connection.close()
        answer = None
        if head is not None and head.status < 300:
            answer = S3Answer(head.status, head.headers, b"", is_repeated=False)
        request.answered.callback(answer)


@implementer(IReadDescriptor)
class _PromptRequest:
    """A request that was sent."""

    def __init__(self, connection: HTTPConnection, owner: PromptRequests) -> None:
        self.connection = connection
        self.answered: Deferred[S3Answer | None] = Deferred()
        self.seconds = 0
        self._owner = owner
        self._number = connection.sock.fileno()
        self._received = b""

    def fileno(self) -> int:
        """Return the descriptor, also after the end."""
        return self._number

    def doRead(self) -> None:
        """Read what has come of the answer."""
        try:
            while True:
                data = self.connection.sock.recv(READ_SIZE)
                self._received += data
                found = split_answer(self._received)
                if found is not None:
                    head, body = found
                    is_whole = head.body_size == len(body)
                    self._owner.end(self, head, is_whole and head.keeps_connection)
                    return
                if not data:
                    self._owner.end(self)
                    return
        except WAITS:
            return
        except (OSError, ValueError):
            self._owner.end(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 - the interface has it
        """End without an answer."""
        self._owner.end(self)

    def logPrefix(self) -> str:
        """Return what the log calls it."""
        return "s3"
