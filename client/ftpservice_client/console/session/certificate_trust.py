"""Which certificate a server may show: the authorities', a known one, or what a person accepts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

from cryptography import x509

from ftpservice_client import Destination, ExplicitTLS, Scheme, Settings, Trust, Untrusted
from ftpservice_client.console.session.known_hosts import KnownHosts
from ftpservice_client.console.terminal.terminal import Screen

__all__ = ["Trusting", "with_trust"]

Result = TypeVar("Result")
CHANGED = (
    "WARNING: the certificate of {place} has CHANGED: somebody may be listening in. It has the "
    "fingerprint {shown}, and the one that is kept in {file} is {known}. If the server has a new "
    "certificate, remove the line there"
)
UNVERIFIED = (
    "The certificate of {place} is not verified ({reason}): what is sent is encrypted, but "
    "somebody in between could read it. --tls=require refuses such servers."
)


class Trusting(Protocol):
    """Who connects: a session of the shell, a script or a single command."""

    settings: Settings
    known_hosts: KnownHosts
    screen: Screen

    @property
    def asks_for_trust(self) -> bool:
        """Whether somebody can be asked."""

    async def ask(self, question: str, *, secret: bool = False, empty: bool = False) -> str:
        """Return the person's answer."""

    async def aside(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call what blocks, in a thread."""


async def with_trust(
    session: Trusting, place: Destination, work: Callable[[Settings], Awaitable[Result]]
) -> Result:
    """Do ``work``, which connects to ``place``, with the certificates that are trusted there.

    What the command line says of trust holds. Otherwise the certificate that is kept for the
    server is taken, then what the system's authorities vouch for. For another one the person is
    asked once; where nobody can be asked, ``ftp://`` goes on without a verified certificate if
    TLS is only preferred (it would have gone on without TLS), and everything else fails.

    Raises `Untrusted`, and what ``work`` raises.
    """
    settings = session.settings
    if settings.trust != Trust():
        return await work(settings)
    known = await session.aside(session.known_hosts.find, place)
    if known:
        try:
            return await work(replace(settings, trust=Trust(fingerprint=known)))
        except Untrusted as error:
            changed = error
    elif not session.asks_for_trust and _is_unverified(session, place):
        return await work(replace(settings, trust=Trust(anyone=True)))
    try:
        return await work(settings)
    except Untrusted as error:
        if known:
            raise _changed(session, place, changed, known) from error
        trust = await _accepted(session, place, error)
    return await work(replace(settings, trust=trust))


def _changed(session: Trusting, place: Destination, error: Untrusted, known: str) -> Untrusted:
    file = session.known_hosts.path
    text = CHANGED.format(place=place, shown=error.fingerprint, known=known, file=file)
    return Untrusted(text, error.fingerprint, error.certificate)


async def _accepted(session: Trusting, place: Destination, error: Untrusted) -> Trust:
    """Return how a certificate that nobody vouches for is trusted; raises `Untrusted`."""
    if not error.certificate:
        raise error
    reason = str(error).partition(";")[0].rpartition(": ")[2]
    if session.asks_for_trust:
        session.screen.warn(f"The certificate of {place} is not trusted: {reason}.")
        session.screen.show(described(error))
        answer = await session.ask("Trust it from now on? [y/N]", empty=True)
        if answer.strip().lower() not in ("y", "yes"):
            raise error
        await session.aside(session.known_hosts.keep, place, error.fingerprint)
        session.screen.remark(f"Kept in {session.known_hosts.path}.")
        return Trust(fingerprint=error.fingerprint)
    if _is_preferred(session, place):
        session.screen.warn(UNVERIFIED.format(place=place, reason=reason))
        return Trust(anyone=True)
    raise error


def _is_preferred(session: Trusting, place: Destination) -> bool:
    """Tell whether the connection would go on in clear if the server had no TLS."""
    return place.scheme is Scheme.FTP and session.settings.explicit_tls is ExplicitTLS.PREFER


def _is_unverified(session: Trusting, place: Destination) -> bool:
    """Tell whether no certificate need be looked at: nobody can be in between."""
    return _is_preferred(session, place) and _is_this_machine(place.host)


def _is_this_machine(host: str) -> bool:
    """Tell whether nobody can be in between."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def described(error: Untrusted) -> Iterator[str]:
    """Yield what a person should know of a certificate, a line each."""
    try:
        shown = x509.load_der_x509_certificate(error.certificate)
        yield f"  for      {_printable(shown.subject.rfc4514_string()) or _names(shown)}"
        yield f"  names    {_names(shown)}"
        yield f"  by       {_printable(shown.issuer.rfc4514_string())}"
        yield (
            f"  valid    {shown.not_valid_before_utc:%Y-%m-%d %H:%M} to "
            f"{shown.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    except ValueError as problem:
        yield f"  it cannot be read: {_printable(str(problem))}"
    yield f"  SHA-256  {error.fingerprint}"


def _names(shown: x509.Certificate) -> str:
    try:
        others = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "none"
    addresses = map(str, others.get_values_for_type(x509.IPAddress))
    return _printable(", ".join([*others.get_values_for_type(x509.DNSName), *addresses]))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
