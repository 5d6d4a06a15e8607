"""Which certificate a server may show: the authorities', a known one, or what a person accepts."""

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
from ftpservice_client.console.terminal.terminal import Screen

__all__ = ["TrustContext", "with_trust"]

Result = TypeVar("Result")
CHANGED_TEXT = (
    "WARNING: the certificate of {place} has CHANGED: somebody may be listening in. It has the "
    "fingerprint {shown}, and the one that is kept in {file} is {known}. If the server has a new "
    "certificate, remove the line there"
)
UNVERIFIED_TEXT = (
    "The certificate of {place} is not verified ({reason}): what is sent is encrypted, but "
    "somebody in between could read it. --tls=require refuses such servers."
)


class TrustContext(Protocol):
    """Who connects: a session of the shell, a script or a single command."""

    settings: Settings
    known_hosts: KnownHosts
    screen: Screen

    @property
    def can_ask_for_trust(self) -> bool:
        """Whether somebody can be asked."""

    async def ask(self, question: str, *, secret: bool = False, empty: bool = False) -> str:
        """Return the person's answer."""

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call what blocks, in a thread."""


async def with_trust(
    session: TrustContext, place: Destination, work: Callable[[Settings], Awaitable[Result]]
) -> Result:
    """Do ``work``, which connects to ``place``, with the certificates that are trusted there.

    What the command line says of trust holds. Otherwise the certificate that is kept for the
    server is taken, then what the system's authorities vouch for. For another one the person is
    asked once; where nobody can be asked, ``ftp://`` goes on without a verified certificate if
    TLS is only preferred (it would have gone on without TLS), and everything else fails.

    Raises `CertificateNotTrusted`, and what ``work`` raises.
    """
    settings = session.settings
    if settings.trust != Trust():
        return await work(settings)
    known = await session.in_thread(session.known_hosts.find, place)
    if known:
        try:
            return await work(replace(settings, trust=Trust(fingerprint=known)))
        except CertificateNotTrusted as error:
            changed = error
    elif not session.can_ask_for_trust and _is_unverified(session, place):
        return await work(replace(settings, trust=Trust(insecure=True)))
    try:
        return await work(settings)
    except CertificateNotTrusted as error:
        if known:
            raise _changed_certificate_error(session, place, changed, known) from error
        trust = await _ask_for_trust(session, place, error)
    return await work(replace(settings, trust=trust))


def _changed_certificate_error(
    session: TrustContext, place: Destination, error: CertificateNotTrusted, known: str
) -> CertificateNotTrusted:
    file = session.known_hosts.path
    text = CHANGED_TEXT.format(place=place, shown=error.fingerprint, known=known, file=file)
    return CertificateNotTrusted(text, error.fingerprint, error.certificate)


async def _ask_for_trust(
    session: TrustContext, place: Destination, error: CertificateNotTrusted
) -> Trust:
    """Return how a certificate that nobody vouches for is trusted.

    Raises `CertificateNotTrusted`.
    """
    if not error.certificate:
        raise error
    reason = str(error).partition(";")[0].rpartition(": ")[2]
    if session.can_ask_for_trust:
        session.screen.warn(f"The certificate of {place} is not trusted: {reason}.")
        session.screen.show(certificate_lines(error))
        answer = await session.ask("Trust it from now on? [y/N]", empty=True)
        if answer.strip().lower() not in ("y", "yes"):
            raise error
        await session.in_thread(session.known_hosts.keep, place, error.fingerprint)
        session.screen.remark(f"Kept in {session.known_hosts.path}.")
        return Trust(fingerprint=error.fingerprint)
    if _is_tls_optional(session, place):
        session.screen.warn(UNVERIFIED_TEXT.format(place=place, reason=reason))
        return Trust(insecure=True)
    raise error


def _is_tls_optional(session: TrustContext, place: Destination) -> bool:
    """Tell whether the connection would go on in clear if the server had no TLS."""
    return place.scheme is Scheme.FTP and session.settings.explicit_tls is ExplicitTLS.PREFER


def _is_unverified(session: TrustContext, place: Destination) -> bool:
    """Tell whether no certificate need be looked at: nobody can be in between."""
    return _is_tls_optional(session, place) and _is_loopback(place.host)


def _is_loopback(host: str) -> bool:
    """Tell whether nobody can be in between."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def certificate_lines(error: CertificateNotTrusted) -> Iterator[str]:
    """Yield what a person should know of a certificate, a line each."""
    try:
        shown = x509.load_der_x509_certificate(error.certificate)
        subject = _printable(shown.subject.rfc4514_string())
        yield f"  for      {subject or _alternative_names(shown)}"
        yield f"  names    {_alternative_names(shown)}"
        yield f"  by       {_printable(shown.issuer.rfc4514_string())}"
        yield (
            f"  valid    {shown.not_valid_before_utc:%Y-%m-%d %H:%M} to "
            f"{shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    except ValueError as problem:
        yield f"  it cannot be read: {_printable(str(problem))}"
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
