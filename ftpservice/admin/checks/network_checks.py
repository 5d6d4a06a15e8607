"""Checks of a running service over the network for ``ftpservice doctor``, as a client sees it."""

from __future__ import annotations

import contextlib
import ftplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509

from ftpservice.admin.checks.finding import Finding, error, good, warning
from ftpservice.net.tls.certificate_file import renewal_lead
from ftpservice.wire.units import count_text

__all__ = [
    "CertificateCheck",
    "RemoteLogin",
    "ServicePort",
    "check_service",
    "expiry_finding",
    "own_address",
    "unverified_context",
]

CONNECT_SECONDS = 10.0
PROXY_HEADER = b"PROXY TCP4 127.0.0.1 127.0.0.1 50000 %d\r\n"
RESUMPTIONS = 24
"""How often a TLS session is offered: of several workers, the one that has made it resumes it."""


class ServicePort(NamedTuple):
    """Where a service listens; a port behind a balancer wants a PROXY header first."""

    host: str
    port: int
    is_proxied: bool = False

    def connection(self) -> socket.socket:
        """Connect, as a client of this machine would; raises `OSError`."""
        connected = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
        if self.is_proxied:
            connected.sendall(PROXY_HEADER % self.port)
        return connected


@dataclass(frozen=True)
class CertificateCheck:
    """What a certificate should be."""

    expiry: Callable[[str, x509.Certificate], Finding]
    """Returns the finding about its expiry, for a subject."""
    name: str | None = None
    """The name that clients connect to; None for the host that is checked."""


@dataclass(frozen=True)
class RemoteLogin:
    """The account to check data connections with."""

    name: str
    password: str


class ProbeClient(ftplib.FTP_TLS):
    """A client whose data connections resume the TLS session of the control connection."""

    trust_server_pasv_ipv4_address = True

    def open(self, where: ServicePort) -> None:
        """Connect and read the greeting, as `connect` does."""
        self.host, self.port = where.host, where.port
        self.sock = where.connection()
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        """Open a data connection."""
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if isinstance(self.sock, ssl.SSLSocket) and self._prot_p:  # type: ignore[attr-defined]
            session = self.sock.session
            data = self.context.wrap_socket(data, server_hostname=self.host, session=session)
        return data, size


def own_address() -> str:
    """Return the IPv4 address that this machine uses for other networks; empty without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737); nothing is sent
        return str(probe.getsockname()[0])
    return ""


def check_service(
    where: ServicePort,
    login: RemoteLogin | None = None,
    certificate: CertificateCheck | None = None,
) -> Iterator[Finding]:
    """Connect as a client: greeting, TLS and, with an account, data connections."""
    subject = f"{where.host} port {where.port}"
    try:
        with ProbeClient(timeout=CONNECT_SECONDS, context=unverified_context()) as client:
            client.open(where)
            yield good(subject, f"answers: {client.getwelcome()[:60]!r}")
            offers_tls = "AUTH TLS" in client.sendcmd("FEAT").upper()
            if not offers_tls:
                yield warning(subject, "offers no TLS; passwords are sent openly", "switch tls on")
            else:
                client.auth()
            if login is not None:
                yield from _check_data(subject, client, login, where.host, offers_tls)
    except (OSError, EOFError, ftplib.Error) as caught:
        advice = "is the service running, and do firewall and router let the port through?"
        yield error(subject, f"cannot be used: {caught or type(caught).__name__}", advice)
        return
    if offers_tls:
        yield from _check_tls(subject, where, certificate or CertificateCheck(expiry_finding))


def unverified_context() -> ssl.SSLContext:
    """Return a context for connections that only look at what a server presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _check_tls(subject: str, where: ServicePort, check: CertificateCheck) -> Iterator[Finding]:
    """Check certificate, trust and session reuse by connections of their own."""
    context = unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its session is there after the handshake
    try:
        with _tls(where, context) as first:
            certificate = x509.load_der_x509_certificate(first.getpeercert(True) or b"")
            session = first.session
        reused = any(_resumes(where, context, session) for _ in range(RESUMPTIONS))
    except (OSError, ValueError) as caught:
        advice = "run 'ftpservice config check', and read the log of the service"
        yield error(subject, f"TLS fails: {caught}", advice)
        return
    yield check.expiry(subject, certificate)
    if reused:
        yield good(subject, "TLS sessions are reused")
    else:
        yield warning(subject, "TLS sessions are not reused", "is there a proxy in between?")
    name = check.name or where.host
    try:
        with _tls(where, ssl.create_default_context(), name=name):
            yield good(subject, f"clients of this machine trust the certificate for {name}")
    except ssl.SSLCertVerificationError as caught:
        yield warning(
            subject,
            f"clients do not trust the certificate for {name}: {caught.verify_message}",
            "set certificate to one of a public authority with its chain, or give users the file",
        )
    except OSError as caught:
        yield error(subject, f"TLS fails: {caught}", "read the log of the service")


def _resumes(where: ServicePort, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    """Return whether a connection of its own resumes a TLS session."""
    with _tls(where, context, session) as connection:
        return bool(connection.session_reused)


@contextlib.contextmanager
def _tls(
    where: ServicePort,
    context: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
    name: str | None = None,
) -> Iterator[ssl.SSLSocket]:
    with where.connection() as plain:
        for command in (b"", b"AUTH TLS\r\n"):
            plain.sendall(command)
            _read_reply(plain)
        with context.wrap_socket(
            plain, server_hostname=name or where.host, session=session
        ) as secured:
            yield secured


def _read_reply(connection: socket.socket) -> None:
    """Read to the end of a reply (RFC 959 §4.2); raises `OSError` unless it is positive."""
    text = b""
    while True:
        data = connection.recv(4096)
        text += data
        if not data:
            raise ConnectionError("the connection was closed")
        *lines, rest = text.split(b"\r\n")
        if not rest and lines and lines[-1][3:4] == b" " and lines[-1][:3] == lines[0][:3]:
            if not lines[-1].startswith(b"2"):
                raise ConnectionError(lines[-1].decode("utf-8", "replace"))
            return


def expiry_finding(subject: str, certificate: x509.Certificate) -> Finding:
    """Return how long a certificate is valid, and whether it is due for renewal."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    left = ends - datetime.now(UTC)
    text = (
        f"the certificate is valid until {ends:%Y-%m-%d %H:%M} UTC ({count_text(left.days, 'day')})"
    )
    if left.days < 0:
        return error(subject, f"the certificate expired on {ends:%Y-%m-%d %H:%M} UTC", "renew it")
    if left.total_seconds() < renewal_lead(begins.timestamp(), ends.timestamp()):
        return warning(subject, text, "renew it; the service loads new files by itself")
    return good(subject, text)


def _check_data(
    subject: str, client: ProbeClient, login: RemoteLogin, host: str, secured: bool
) -> Iterator[Finding]:
    client.login(login.name, login.password, secure=secured)
    if secured:
        client.prot_p()
    if client.af == socket.AF_INET:
        announced = ftplib.parse227(client.sendcmd("PASV"))[0]
        peer = str(client.sock.getpeername()[0]) if client.sock else host
        if announced != peer:
            is_private = ip_address(announced).is_private and not ip_address(peer).is_private
            advice = "set passive-address to the address that clients connect to"
            found = warning(
                subject, f"PASV announces {announced}, clients connect to {peer}", advice
            )
            yield found if is_private else good(subject, found.text)
    for verb in ("PASV", "EPSV"):
        client.af = socket.AF_INET if verb == "PASV" else socket.AF_INET6
        try:
            client.retrlines("NLST", lambda _line: None)
            yield good(subject, f"{verb}: a data connection works")
        except ftplib.error_perm as caught:
            yield warning(
                subject, f"{verb}: {caught}", "use an account that may list its directory"
            )
        except OSError as caught:
            advice = "open the range of passive-ports, or passive-port, in firewall and router"
            yield error(subject, f"{verb}: no data connection: {caught}", advice)
            return
