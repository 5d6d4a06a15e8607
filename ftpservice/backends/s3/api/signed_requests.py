"""HTTP requests to one bucket: signed, with time limits, and repeated after failures that pass.

Everything here blocks, and belongs in a thread. Credentials come from the usual chain of AWS:
environment, shared files, web identity, the role of a container or of the machine. botocore has
that chain (`credential_chain`); requests are signed and sent without it, which takes a fifth of the
time of its clients.
Without TLS the digest of the body is signed; with TLS the connection protects it.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from threading import Event, Lock
from time import monotonic, time
from urllib.parse import quote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.credential_chain import CredentialChain
from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.api.http_connections import HTTPConnections, HTTPRequest, PartBody
from ftpservice.backends.s3.api.memory_file import ObjectFile
from ftpservice.backends.s3.api.request_signature import Credentials, signed_headers
from ftpservice.backends.s3.api.xml_documents import error_in

__all__ = ["BytesBody", "PartBody", "S3Answer", "S3Call", "SignedRequests"]

ANSWER_SECONDS = 15.0
"""How long an answer, or its next bytes, may take."""
LONG_ANSWER_SECONDS = 120.0
"""The same for calls that copy on the server."""
SILENT_ANSWER_SECONDS = 4.0
"""The same while the server is silent: since a call that it has not answered in time."""
REPEAT_WITHIN_SECONDS = 20.0
"""No call is repeated after this time."""
MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.1
PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
FINAL_CODES = frozenset(
    {
        "ConfigParseError",
        "NoCredentials",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSLCertVerificationError",
    }
)
"""Failures without an answer of the server that do not pass by themselves."""
PASSING_CODES = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "SlowDown",
    }
)
CLOCK_SECONDS = 60.0
"""How often the clock of the server is compared with that of this machine."""
CLOCK_TOLERANCE_SECONDS = 3.0
"""A smaller difference may be that of whole seconds, and of the way of the answer."""


@dataclass(frozen=True)
class BytesBody:
    """A body in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self.data


@dataclass(frozen=True)
class S3Call:
    """A request; ``key`` is empty for one of the bucket itself."""

    method: str
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: PartBody = field(default_factory=lambda: BytesBody(b""))
    is_long: bool = False
    """Whether the server copies before it answers."""
    into: ObjectFile | None = None
    """See `HTTPRequest`."""
    streams: bool = False
    """See `HTTPRequest`."""


@dataclass(frozen=True)
class S3Answer:
    """An answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_repeated: bool
    """Whether it is that of a repeated call: one before may have been carried out."""
    is_in_file: bool = False
    """Whether the body is in the file of the call."""
    stream: BodyStream | None = None
    """The body, if it is still to be received."""


class SignedRequests:
    """Requests to the bucket of ``options``; used by several threads at a time."""

    def __init__(self, options: BucketOptions, seconds: Callable[[], float] = monotonic) -> None:
        self._options = options
        self._seconds = seconds
        self._stopped = Event()
        self._opening = Lock()
        self._chain: CredentialChain | None = None
        self._connections: HTTPConnections | None = None
        self._path = ""
        self._is_silent = False
        self._compared_at = float("-inf")
        self.server_ahead = 0.0
        """Seconds by which the clock of the server is ahead of that of this machine, or behind."""
        self.region = options.region
        self._base = ""
        self.bucket = options.bucket

    @property
    def place(self) -> str:
        """What is called, to be read by a person."""
        self._open()
        return self._base

    @property
    def can_stream(self) -> bool:
        """Whether bodies can be left in connections."""
        return self._connections is not None and self._connections.can_stream

    def send(self, call: S3Call) -> S3Answer:
        """Return the answer of a successful call; raises `S3Failure`."""
        self._open()
        began, attempt = self._seconds(), 0
        within = 2 * SILENT_ANSWER_SECONDS if self._is_silent else REPEAT_WITHIN_SECONDS
        while True:
            try:
                return self._attempt(call, attempt > 0)
            except S3Failure as failure:
                attempt += 1
                if not _may_pass(failure) or attempt == MAX_ATTEMPTS:
                    raise
                pause = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1)
                wait = pause + (SILENT_ANSWER_SECONDS if self._is_silent else 0.0)
                if self._seconds() + wait - began > within:
                    raise
                if self._stopped.wait(pause):
                    raise

    def stop(self) -> None:
        """Repeat no more calls, and close the connections that are idle."""
        self._stopped.set()
        if self._connections is not None:
            self._connections.close()

    def _open(self) -> None:
        """Read the settings of AWS, once."""
        if self._base:
            return
        with self._opening:
            try:
                session = Session(profile=self._options.profile or None)
                region = self.region or session.get_config_variable("region") or ""
                bundle = self._options.ca_file or session.get_config_variable("ca_bundle")
                endpoint = self._options.endpoint or _configured_endpoint(session)
            except (BotoCoreError, ClientError) as error:
                raise S3Failure(0, type(error).__name__, str(error)) from None
            self.region = region or "us-east-1"
            base = self._base_of(endpoint)
            try:
                self._connections = HTTPConnections(base, bundle)
            except OSError as error:
                raise S3Failure(0, type(error).__name__, f"{bundle}: {error}") from None
            self._path = urlsplit(base).path
            self._chain = CredentialChain(session)
            self._base = base

    def _base_of(self, endpoint: str) -> str:
        """Return the URL of the bucket; Amazon's buckets are names of hosts, except odd ones."""
        bucket = self._options.bucket
        if endpoint:
            return f"{endpoint.rstrip('/')}/{bucket}"
        domain = f"s3.{self.region}.amazonaws.com"
        if "." in bucket or "_" in bucket or bucket != bucket.lower():
            return f"https://{domain}/{bucket}"
        return f"https://{bucket}.{domain}"

    def signed_bytes(self, call: S3Call) -> bytes | None:
        """Return a request as it is sent; None if that has to wait for credentials. Never blocks.

        The body is in memory. None, too, while the server is silent: a thread finds its end.
        """
        keys = self._chain.ready if self._base and self._chain is not None else None
        if keys is None or self._connections is None or self._is_silent:
            return None
        try:
            head = self._connections.head(self._request(call, keys))
        except ConnectionError:
            return None
        return head + b"".join(call.body.pieces())

    def idle_connection(self) -> HTTPConnection | None:
        """Return a connection that is kept; None without one."""
        return None if self._connections is None else self._connections.idle()

    def keep_connection(self, connection: HTTPConnection) -> None:
        """Keep a connection for further requests."""
        assert self._connections is not None
        self._connections.keep(connection)

    def _request(self, call: S3Call, keys: Credentials) -> HTTPRequest:
        target = f"{self._path}/{quote(call.key, safe='-._~/')}"
        if call.query:
            pairs = sorted(call.query.items())
            target += "?" + "&".join(f"{name}={quote(value, safe='-._~')}" for name, value in pairs)
        headers = self._signed(call, target, keys)
        return HTTPRequest(call.method, target, headers, call.body, call.into, call.streams)

    def _attempt(self, call: S3Call, is_repeated: bool) -> S3Answer:
        assert self._chain is not None
        assert self._connections is not None
        request = self._request(call, self._chain.current())
        seconds = SILENT_ANSWER_SECONDS if self._is_silent else ANSWER_SECONDS
        try:
            answer = self._connections.request(
                request, LONG_ANSWER_SECONDS if call.is_long else seconds
            )
        except OSError as error:
            self._is_silent |= isinstance(error, TimeoutError)
            raise S3Failure(0, type(error).__name__, str(error)) from None
        self._is_silent = False
        self._compare_clocks(answer.headers.get("date", ""))
        code, text = error_in(answer.status, answer.body)
        if answer.status >= 300 or code:
            raise S3Failure(answer.status, code, text or answer.reason)
        return S3Answer(
            answer.status,
            answer.headers,
            answer.body,
            is_repeated,
            answer.is_in_file,
            answer.stream,
        )

    def _compare_clocks(self, date: str) -> None:
        now = self._seconds()
        if now - self._compared_at < CLOCK_SECONDS:
            return
        try:
            ahead = parsedate_to_datetime(date).timestamp() - time()
        except (TypeError, ValueError):
            return
        self._compared_at = now
        self.server_ahead = ahead if abs(ahead) > CLOCK_TOLERANCE_SECONDS else 0.0

    def _signed(self, call: S3Call, target: str, keys: Credentials) -> dict[str, str]:
        """Return the headers with a signature (Signature Version 4)."""
        assert self._connections is not None
        headers = dict(call.headers)
        headers["X-Amz-Content-SHA256"] = _digest(call.body, self._base)
        if call.body.size or call.method in ("PUT", "POST"):
            headers["Content-Length"] = str(call.body.size)
        return signed_headers(
            (call.method, self._connections.host, target), headers, keys, self.region
        )


def _configured_endpoint(session: Session) -> str:
    configured: str | None = session.get_config_variable("endpoint_url")
    return os.environ.get("AWS_ENDPOINT_URL_S3") or configured or ""


def _digest(body: PartBody, url: str) -> str:
    if url.startswith("https:"):
        return "UNSIGNED-PAYLOAD"
    digest = hashlib.sha256()
    for piece in body.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _may_pass(failure: S3Failure) -> bool:
    if failure.code in FINAL_CODES or failure.is_full:
        return False
    return failure.status in (0, *PASSING_STATUSES) or failure.code in PASSING_CODES
