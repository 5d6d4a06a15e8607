"""The first message of a TLS client, as much as tells which TLS session it wants to resume.

A client names that session in clear: TLS 1.2 in ``session_id`` (RFC 5246 §7.4.1.2), TLS 1.3 in the
identities of ``pre_shared_key`` (RFC 8446 §4.2.11). Anyone can name a session; only the handshake
shows whether the client has its secret.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["bytes_of_hello", "offered_sessions", "offers_only"]

RECORD_HEADER_SIZE = 5
MAX_RECORD_SIZE = 2**14
HANDSHAKE_RECORD = 22
TLS_MAJOR_VERSION = 3
CLIENT_HELLO = 1
CLIENT_HELLO_PREFIX_SIZE = 4 + 2 + 32
"""Type and length of the message, version, random number."""
MESSAGE_PLACE = RECORD_HEADER_SIZE + 4
SESSION_PLACE = RECORD_HEADER_SIZE + CLIENT_HELLO_PREFIX_SIZE
PRE_SHARED_KEY = 41
TICKET_AGE_SIZE = 4


def bytes_of_hello(early: bytes) -> int:
    """Return the size of the record that begins with ``early``; 0 if that is no TLS record.

    With too few bytes to tell, it is the number of bytes that tell.
    """
    if early and early[0] != HANDSHAKE_RECORD:
        return 0
    if len(early) < RECORD_HEADER_SIZE:
        return RECORD_HEADER_SIZE
    size = int.from_bytes(early[3:RECORD_HEADER_SIZE])
    is_tls = early[1] == TLS_MAJOR_VERSION and 0 < size <= MAX_RECORD_SIZE
    return RECORD_HEADER_SIZE + size if is_tls else 0


def offered_sessions(early: bytes) -> frozenset[bytes]:
    """Return the sessions that a ClientHello offers to resume; none if it is malformed.

    ``early`` is its record, all of `bytes_of_hello`. A hello in several records offers none.
    """
    try:
        return frozenset(filter(None, _offered(Reader(early))))
    except EndOfMessage:
        return frozenset()


def offers_only(early: bytes, session: bytes, version: str | None) -> bool:
    """Return whether a session is the only one that a client can have resumed in this version.

    ``early`` begins with the ClientHello. False also for one that is malformed, incomplete or in
    several records. A client that is told to send another hello (HelloRetryRequest, RFC 8446
    §4.1.4) can offer another session in that.
    """
    size = RECORD_HEADER_SIZE + int.from_bytes(early[3:RECORD_HEADER_SIZE])
    if not SESSION_PLACE < size <= len(early):
        return False
    message = b"%c%b" % (CLIENT_HELLO, (size - MESSAGE_PLACE).to_bytes(3))
    if early[RECORD_HEADER_SIZE:MESSAGE_PLACE] != message:
        return False
    if version != "TLSv1.3":
        named = b"%c%b" % (len(session), session)
        return early.startswith(named, SESSION_PLACE)
    identity = b"%b%b" % (len(session).to_bytes(2), session)
    identities = b"%b%b" % ((len(identity) + TICKET_AGE_SIZE).to_bytes(2), identity)
    place = early.rfind(identities, 0, size)  # in the last extension (RFC 8446 §4.2.11)
    extension = PRE_SHARED_KEY.to_bytes(2) + (size - place).to_bytes(2)
    return place >= 0 and early[:place].endswith(extension)


class EndOfMessage(Exception):
    """The message ends before a field that it announces."""


class Reader:
    """Reads the fields of a TLS message in order; raises `EndOfMessage`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._place >= len(self._content)

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self._place + size
        if end > len(self._content):
            raise EndOfMessage
        found, self._place = self._content[self._place : end], end
        return found

    def number(self, size: int) -> int:
        """Return a number of ``size`` bytes."""
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """Return bytes whose number precedes them, in ``size`` bytes."""
        return self.take(self.number(size))


def _offered(hello: Reader) -> Iterator[bytes]:
    hello.take(RECORD_HEADER_SIZE)
    if hello.take(CLIENT_HELLO_PREFIX_SIZE)[0] != CLIENT_HELLO:
        return
    yield hello.vector(1)  # session_id
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression methods
    extensions = Reader(hello.vector(2))
    while not extensions.is_at_end:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == PRE_SHARED_KEY:
            identities = Reader(Reader(content).vector(2))
            while not identities.is_at_end:
                yield identities.vector(2)
                identities.take(TICKET_AGE_SIZE)
