"""The TLS of the service: OpenSSL contexts, one for each certificate, and their reload.

Control and data connections have the same context; otherwise a data connection could not resume the
session of its control connection. They differ in one thing: tickets (RFC 8446 §4.6.1) are sent on
control connections only. A client that just uploads closes without reading, and an unread ticket
makes its kernel answer with an RST, which loses the end of the file.

Sessions are stored on the server (`OP_NO_TICKET`: a ticket is the number of a session, not the
session itself, which would need a key that is changed regularly), and each connection gets one
ticket. Only this shows whose session a data connection resumes: OpenSSL reports one session number
per connection. The costs: clients that support only TLS 1.2 tickets make full handshakes, and so do
clients that use no ticket twice. Sessions are valid for two hours, which is OpenSSL's limit.

OpenSSL keeps the session of a connection (2 KiB) after its end, up to 20,480 of them, and has no
way to drop one that Python can call. So the sessions are not in the contexts of the certificates
but in caches, each a context of its own: new control connections get a new cache after
`SESSIONS_PER_CACHE`, and a cache is freed with the last session that was begun with it. A client
that connects again soon may find its session, later it makes a full handshake.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.net.tls.certificate_file import (
    CertificateError,
    CertificateSummary,
    load_certificate,
    read_pem_file,
    warn_if_exposed,
)
from ftpservice.wire.units import checked_path

__all__ = [
    "CertificateError",
    "CertificateSummary",
    "ServerTLS",
    "TLSContexts",
    "TLSFiles",
    "check_authorities",
    "load_contexts",
]


CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The ciphers of TLS 1.2: with forward secrecy and authentication; all of TLS 1.3 have both."""
KERNEL_TLS = getattr(ssl, "OP_ENABLE_KTLS", 0)
"""From CPython 3.12 on; OpenSSL uses it where it was built for it and the kernel has it."""
ALPN = "ftp"
SESSIONS_PER_CACHE = 32
"""A new cache takes half a millisecond and 12 KiB; an old one is kept by each session with it."""
MAX_SESSIONS_PER_CACHE = 512
"""Data connections may add to a cache: those under TLS 1.2 that do not resume."""
PAIRS_TEXT = "a tuple of pairs: (chain, key), or (chain, None) if the key is in the same file"


@dataclass(frozen=True)
class TLSFiles:
    """The files of the certificates; paths may be given as `str`.

    Raises `TypeError` for what is no path.
    """

    certificates: tuple[tuple[Path, Path | None], ...]
    """Chain and key in PEM.

    Without a key it is in the file of the chain. The first is the default.
    """
    client_ca: Path | None = None
    """The authorities whose client certificates are accepted; None: none is requested."""

    def __post_init__(self) -> None:
        given: object = self.certificates
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"certificates is {given!r}, not {PAIRS_TEXT}")
        object.__setattr__(self, "certificates", tuple(map(_pair_of_paths, given)))
        if self.client_ca is not None:
            object.__setattr__(self, "client_ca", checked_path("client_ca", self.client_ca))


def _pair_of_paths(pair: Any) -> tuple[Path, Path | None]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"certificates contains {pair!r}, and has to be {PAIRS_TEXT}")
    chain, key = pair
    return checked_path("certificates", chain), None if key is None else checked_path(
        "certificates", key
    )


class TLSContexts:
    """The contexts made by one reading of the files, with a cache of TLS sessions.

    The data connections of a session need the cache of its control connection.
    """

    def __init__(self, certificates: Sequence[CertificateSummary], first: ssl.SSLContext) -> None:
        self.certificates = certificates
        self._first = first
        self._cache = _session_cache(first)
        self._time_budget: TimeBudget | None = None

    @property
    def cached_sessions(self) -> int:
        """The number of sessions in the cache."""
        return self._cache.session_stats()["number"]

    def with_new_cache(self) -> TLSContexts:
        """Return the same contexts with an empty cache."""
        other = TLSContexts(self.certificates, self._first)
        other._time_budget = self._time_budget
        return other

    def wrap(self, own: socket.socket, *, data: bool) -> ssl.SSLSocket:
        """Return the server's side of a handshake that has not begun; owns the socket ``own``.

        ``data``: no ticket is sent. If the connection is lost already, the handshake reports it.
        """
        if data and self.cached_sessions >= MAX_SESSIONS_PER_CACHE:
            self._cache = _session_cache(self._first)
        cache = self._cache
        cache.num_tickets = 0 if data else 1  # copied when the connection is made
        wrapped = _server_side(own if own.fileno() >= 0 else socket.socket(), cache)
        wrapped.context = self._first  # OpenSSL still uses the cache of the former
        return wrapped

    def time_budget(self, reactor: Any) -> TimeBudget:
        """Return the shared time budget of the handshakes."""
        if self._time_budget is None:
            self._time_budget = TimeBudget(reactor)
        return self._time_budget


def _session_cache(certified: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context without certificates, and otherwise with the settings of ``certified``."""
    cache = _context()
    cache.verify_mode = certified.verify_mode
    return cache


def _server_side(own: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return what ``context.wrap_socket`` would, for a stream socket; ``own`` is detached.

    That method takes three times as long: it makes six system calls for facts that are known here.
    """
    family = super(socket.socket, own).family  # without the enumeration of `socket`
    wrapped: Any = ssl.SSLSocket.__new__(ssl.SSLSocket)
    socket.socket.__init__(wrapped, family, socket.SOCK_STREAM, 0, own.detach())
    wrapped.setblocking(False)
    wrapped._context, wrapped._session, wrapped._connected = context, None, True
    wrapped.server_side, wrapped.server_hostname = True, None
    wrapped.do_handshake_on_connect = wrapped.suppress_ragged_eofs = False
    wrapped._sslobj = context._wrap_socket(  # type: ignore[attr-defined]
        wrapped, True, None, owner=wrapped, session=None
    )
    return wrapped  # type: ignore[no-any-return]


def load_contexts(files: TLSFiles) -> TLSContexts:
    """Read the files (blocks); raises `CertificateError`."""
    if not files.certificates:
        raise CertificateError("no certificate is given")
    certificates = [load_certificate(*pair) for pair in files.certificates]
    for chain, key in files.certificates:
        warn_if_exposed(key or chain)
    contexts = [_certified(pair, files.client_ca) for pair in files.certificates]
    first = contexts[0]
    if len(contexts) > 1:
        first.sni_callback = _choice(list(zip(certificates, contexts, strict=True)))
    return TLSContexts(certificates, first)


def _context() -> ssl.SSLContext:
    """Return a context with what all have in common; most of it is copied to each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols([ALPN])
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | KERNEL_TLS
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a cut is not an end
    return context


def _certified(pair: tuple[Path, Path | None], client_ca: Path | None) -> ssl.SSLContext:
    context = _context()
    chain, key = pair
    try:
        context.load_cert_chain(chain, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(f"{chain} is of no use: {_said(error)}") from None
    if client_ca is not None:
        _ask_for_certificates(context, client_ca)
    return context


def check_authorities(authorities: Path) -> None:
    """Raise `CertificateError` or `OSError` unless the file has certificates of authorities."""
    _ask_for_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), authorities)


def _ask_for_certificates(context: ssl.SSLContext, authorities: Path) -> None:
    content = read_pem_file(authorities)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise CertificateError(f"{authorities} has no certificates in PEM") from None
    context.verify_mode = ssl.CERT_OPTIONAL


def _said(error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return reason.replace("_", " ").lower()


def _choice(
    offered: Iterable[tuple[CertificateSummary, ssl.SSLContext]],
) -> Callable[[ssl.SSLObject | ssl.SSLSocket, str | None, ssl.SSLContext], None]:
    """Return a callback that chooses the first context whose certificate has the requested name."""
    by_name: dict[str, ssl.SSLContext] = {}
    for certificate, context in offered:
        for name in certificate.names:
            by_name.setdefault(name.lower(), context)

    def choose(own: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        wanted = (name or "").lower().rstrip(".")
        context = by_name.get(wanted) or by_name.get(f"*.{wanted.partition('.')[2]}")
        if context is not None:
            own.context = context

    return choose


class ServerTLS:
    """The TLS settings of all connections of the service.

    A session keeps the contexts of its control connection for its data connections: only those know
    its TLS session.
    """

    def __init__(self, files: TLSFiles, contexts: TLSContexts) -> None:
        self._files = files
        self.contexts = contexts

    @classmethod
    def load(cls, files: TLSFiles) -> ServerTLS:
        """Read the files (blocks); raises `CertificateError`."""
        if not isinstance(files, TLSFiles):
            raise TypeError(f"files is a TLSFiles, not {files!r}")
        return cls(files, load_contexts(files))

    @property
    def files(self) -> TLSFiles:
        """The files of the certificates in use."""
        return self._files

    @property
    def certificates(self) -> Sequence[CertificateSummary]:
        """The certificates in use, the default one first."""
        return self.contexts.certificates

    def next_contexts(self) -> TLSContexts:
        """Return the contexts of the next control connection."""
        if self.contexts.cached_sessions >= SESSIONS_PER_CACHE:
            self.contexts = self.contexts.with_new_cache()
        return self.contexts

    def wrap(self, own: socket.socket, *, data: bool) -> ssl.SSLSocket:
        """Return the server's side of a handshake that has not begun (see `TLSContexts.wrap`)."""
        return self.contexts.wrap(own, data=data)

    def reload(self) -> None:
        """Read the files again (blocks).

        Raises `CertificateError`, and the old ones stay in use.
        """
        self.contexts = load_contexts(self._files)

    def adopt(self, other: ServerTLS) -> None:
        """Use the files and certificates of another instance from now on."""
        self._files, self.contexts = other._files, other.contexts
