"""The protocols that a client offers in its TLS ClientHello (ALPN, RFC 7301).

OpenSSL continues without a protocol if client and server have none in common, and Python cannot
change that. RFC 7301 §3.2 requires that the handshake ends then: a browser that was directed to an
FTP port must not take the replies for HTTP.
"""

from __future__ import annotations

__all__ = [
    "NO_APPLICATION_PROTOCOL_ALERT",
    "alpn_fits_control",
    "alpn_fits_data",
    "offered_protocols",
    "protocol_names_text",
]

FTP = b"ftp"
HTTP_PROTOCOLS = ("h2", "h3", "http", "spdy")
NO_APPLICATION_PROTOCOL_ALERT = b"\x15\x03\x03\x00\x02\x02\x78"
"""The record of a fatal alert no_application_protocol(120)."""
HANDSHAKE, CLIENT_HELLO = 22, 1
ALPN_TYPE = b"\0\x10"
"""The type of the extension (RFC 7301 §3.1)."""
RECORD_HEADER, MESSAGE_HEADER, VERSION_AND_RANDOM = 5, 4, 34
MAX_HELLO_SIZE = 16 * 1024
"""Maximum size of a ClientHello; a larger one, and anything else, is left to OpenSSL."""


def alpn_fits_control(offered: tuple[bytes, ...]) -> bool:
    """Return whether the client accepts a control connection of FTP."""
    return FTP in offered


def alpn_fits_data(offered: tuple[bytes, ...]) -> bool:
    """Return whether the client accepts a data connection.

    Clients offer separate names for these.
    """
    return not all(name.decode("latin-1").lower().startswith(HTTP_PROTOCOLS) for name in offered)


def protocol_names_text(offered: tuple[bytes, ...]) -> str:
    """Return the names as text for the log."""
    return ", ".join(name[:32].decode("ascii", "backslashreplace") for name in offered[:8])


def offered_protocols(data: bytes) -> tuple[bytes, ...] | None:
    """Return the names that a client offers, read from its first bytes; None: more must arrive.

    There are none if it offers no protocols, or if this is no ClientHello.
    """
    message = _client_hello(data)
    if message is None or ALPN_TYPE not in message:
        return None if message is None else ()
    position = VERSION_AND_RANDOM
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        position += width + int.from_bytes(message[position : position + width])
    position += 2
    while position + 4 <= len(message):
        end = position + 4 + int.from_bytes(message[position + 2 : position + 4])
        if message[position : position + 2] == ALPN_TYPE:
            return _names(message[position + 6 : end])
        position = end
    return ()


def _client_hello(data: bytes) -> bytes | None:
    """Return the body of the ClientHello, empty for anything else; None while more must arrive."""
    message, position = b"", 0
    while True:
        header = data[position : position + RECORD_HEADER]
        if header and header[0] != HANDSHAKE:
            return b""
        size = int.from_bytes(header[3:5]) if len(header) == RECORD_HEADER else MAX_HELLO_SIZE
        position += RECORD_HEADER
        message += data[position : position + size]
        if message and message[0] != CLIENT_HELLO:
            return b""
        end = MESSAGE_HEADER + int.from_bytes(message[1:4])
        if len(message) >= MESSAGE_HEADER and (len(message) >= end or end > MAX_HELLO_SIZE):
            return message[MESSAGE_HEADER:end] if end <= MAX_HELLO_SIZE else b""
        position += size
        if position >= len(data):
            return None


def _names(names: bytes) -> tuple[bytes, ...]:
    found: list[bytes] = []
    while names:
        found.append(names[1 : 1 + names[0]])
        names = names[1 + names[0] :]
    return tuple(found)
