"""Certificates that the program accepts: verified, in ``known_hosts``, or accepted by the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

from cryptography import x509

from ftpservice_client import (
    CertificateNotTrusted,
    Destination,
    ExplicitTLS,
    Scheme,
    Settings,
    Trust,
)
from ftpservice_client.console.session.known_hosts import KnownHosts
from ftpservice_client.console.terminal.screen import Screen

__all__ = ["TrustContext", "with_trust"]

Result = TypeVar("Result")
CHANGED_TEXT = (
    "WARNING: the certificate of {destination} has CHANGED: the connection may be intercepted. "
    "Its fingerprint is {shown}, but {file} has {known}. If the server has a new certificate, "
    "remove the old line from that file"
)
UNVERIFIED_TEXT = (
    "The certificate of {destination} is not verified ({reason}): the connection is encrypted, but "
    "it may be intercepted. Use --tls=require to refuse such servers."
)


class TrustContext(Protocol):
    """What `with_trust` needs of a session."""

    settings: Settings
    known_hosts: KnownHosts
    screen: Screen

    @property
    def can_ask_for_trust(self) -> bool:
        """Whether the user can be asked about a certificate."""

    async def ask(self, question: str, *, secret: bool = False, empty: bool = False) -> str:
        """Return the user's answer."""

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a blocking function in a thread."""


async def with_trust(
    session: TrustContext, destination: Destination, work: Callable[[Settings], Awaitable[Result]]
) -> Result:
    """Call ``work``, which connects to ``destination``, with settings that say what to trust.

    1. Trust options of the command line override everything else.
    2. A certificate in ``known_hosts`` is accepted for its server.
    3. A certificate of the system's certificate authorities is accepted.
    4. For any other certificate the user is asked once.
    5. Without a terminal, ``ftp://`` with ``--tls=prefer`` continues unverified: without the
       server's TLS it would continue in plaintext. Everything else fails.

    Raises `CertificateNotTrusted`, and what ``work`` raises.
    """
    settings = session.settings
    if settings.trust != Trust():
        return await work(settings)
    known = await session.in_thread(session.known_hosts.find, destination)
    if known:
        try:
            return await work(replace(settings, trust=Trust(fingerprint=known)))
        except CertificateNotTrusted as error:
            changed = error
    elif not session.can_ask_for_trust and _skips_verification(session, destination):
        return await work(replace(settings, trust=Trust(insecure=True)))
    try:
        return await work(settings)
    except CertificateNotTrusted as error:
        if known:
            raise _changed_certificate_error(session, destination, changed, known) from error
        trust = await _ask_for_trust(session, destination, error)
    return await work(replace(settings, trust=trust))


def _changed_certificate_error(
    session: TrustContext, destination: Destination, error: CertificateNotTrusted, known: str
) -> CertificateNotTrusted:
    file = session.known_hosts.path
    text = CHANGED_TEXT.format(
        destination=destination, shown=error.fingerprint, known=known, file=file
    )
    return CertificateNotTrusted(text, error.fingerprint, error.certificate)


async def _ask_for_trust(
    session: TrustContext, destination: Destination, error: CertificateNotTrusted
) -> Trust:
    """Return the trust in an unverified certificate; raises `CertificateNotTrusted`."""
    if not error.certificate:
        raise error
    reason = str(error).partition(";")[0].rpartition(": ")[2]
    if session.can_ask_for_trust:
        session.screen.print_warning(f"The certificate of {destination} is not trusted: {reason}.")
        session.screen.print_lines(certificate_lines(error))
        answer = await session.ask("Trust this certificate permanently? [y/N]", empty=True)
        if answer.strip().lower() not in ("y", "yes"):
            raise error
        await session.in_thread(session.known_hosts.add, destination, error.fingerprint)
        session.screen.print_status(f"Saved in {session.known_hosts.path}.")
        return Trust(fingerprint=error.fingerprint)
    if _is_tls_optional(session, destination):
        session.screen.print_warning(UNVERIFIED_TEXT.format(destination=destination, reason=reason))
        return Trust(insecure=True)
    raise error


def _is_tls_optional(session: TrustContext, destination: Destination) -> bool:
    """Return whether the connection would continue in plaintext if the server had no TLS."""
    return destination.scheme is Scheme.FTP and session.settings.explicit_tls is ExplicitTLS.PREFER


def _skips_verification(session: TrustContext, destination: Destination) -> bool:
    """Return whether an unverified certificate needs no warning: the server is on this machine."""
    return _is_tls_optional(session, destination) and _is_loopback(destination.host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def certificate_lines(error: CertificateNotTrusted) -> Iterator[str]:
    """Yield the lines that describe a certificate to the user."""
    try:
        shown = x509.load_der_x509_certificate(error.certificate)
        subject = _printable(shown.subject.rfc4514_string())
        yield f"  subject  {subject or _alternative_names(shown)}"
        yield f"  names    {_alternative_names(shown)}"
        yield f"  issuer   {_printable(shown.issuer.rfc4514_string())}"
        yield (
            f"  valid    {shown.not_valid_before_utc:%Y-%m-%d %H:%M} to "
            f"{shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    except ValueError as problem:
        yield f"  it cannot be parsed: {_printable(str(problem))}"
    yield f"  SHA-256  {error.fingerprint}"


def _alternative_names(shown: x509.Certificate) -> str:
    try:
        others = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "none"
    addresses = map(str, others.get_values_for_type(x509.IPAddress))
    return _printable(", ".join([*others.get_values_for_type(x509.DNSName), *addresses]))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
