"""Checks of certificates by ACME for ``ftpservice doctor``. They block."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from cryptography import x509

from ftpservice.activity.text_table import time_text
from ftpservice.admin.checks.finding import Finding, Level, error, good, warning
from ftpservice.admin.checks.network_checks import expiry_finding, unverified_context
from ftpservice.service.acme.challenge import ACME_PROTOCOL, HTTP_PATH, NOT_FOUND_TEXT
from ftpservice.service.acme.schedule import is_overdue
from ftpservice.wire.units import count_text

if TYPE_CHECKING:  # slow to import, and not needed without ACME
    from ftpservice.service.settings.acme import AcmeChallenge
    from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["challenge_finding", "check_acme", "renewed_expiry_finding"]

SUBJECT = "ACME"
HTTP_CHALLENGE = "http-01"
PORTS = {HTTP_CHALLENGE: (80, "acme-http"), "tls-alpn-01": (443, "acme-tls")}
"""The port of each challenge, and the setting for the endpoint."""
PROBE_SECONDS = 10.0
OUTSIDE_ADVICE = "routers often refuse this from inside: try it from another network"
RENEWAL_ADVICE = "is the service running? Its log says why the certificate was not renewed"


def check_acme(settings: ServiceSettings) -> Iterator[Finding]:
    """Check the names, the authority, the port of the challenge and the state of the attempts."""
    for name in settings.acme:
        found = _name_finding(name)
        yield found
        if found.level is not Level.ERROR:
            is_own = found.level is Level.GOOD
            yield challenge_finding(name, settings.acme_challenge, is_own)
    try:
        yield _authority_finding(settings)
    except ImportError:
        yield error(SUBJECT, "its packages are not installed", "pip install 'ftpservice[acme]'")
    yield from _state_findings(settings)


def renewed_expiry_finding(subject: str, certificate: x509.Certificate) -> Finding:
    """Return how long a certificate that ACME renews is valid, and whether that is overdue."""
    found = expiry_finding(subject, certificate)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.now(UTC).timestamp()
    if found.level is Level.WARNING and not is_overdue(begins.timestamp(), ends.timestamp(), now):
        return good(subject, found.text)
    return replace(found, advice=RENEWAL_ADVICE) if found.advice else found


def _name_finding(name: str) -> Finding:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return error(SUBJECT, f"{name} has no address in DNS", "create its A or AAAA record")
    addresses = sorted({str(one[4][0]) for one in found})
    if any(map(_is_own, addresses)):
        return good(SUBJECT, f"{name} leads to this machine")
    return warning(
        SUBJECT,
        f"{name} leads to {', '.join(addresses)}, which is no address of this machine",
        "right if a router forwards the port of the challenge; else correct the name in DNS",
    )


def _is_own(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def challenge_finding(
    name: str, challenge: AcmeChallenge, is_own: bool, port: int | None = None
) -> Finding:
    """Return what answers on the port of the challenge; the authority connects there, too.

    ``is_own``: the name leads to this machine. ``port`` is for tests.
    """
    usual_port, option = PORTS[challenge.value]
    port = usual_port if port is None else port
    probe = _http_problem if challenge.value == HTTP_CHALLENGE else _tls_problem
    try:
        problem = probe(name, port)
    except (OSError, HTTPException) as caught:
        text = f"port {port} of {name} cannot be reached from here: {caught}"
        if is_own:
            return error(SUBJECT, text, f"is the service running, and does {option} fit?")
        return warning(SUBJECT, text, OUTSIDE_ADVICE)
    if problem:
        text = f"port {port} of {name} is not answered by the service: {problem}"
        return error(SUBJECT, text, f"the authority must reach the service there; see {option}")
    return good(SUBJECT, f"port {port} of {name} is answered by the service")


def _http_problem(name: str, port: int) -> str:
    """Return what else than the service answers; empty if it does."""
    with closing(HTTPConnection(name, port, timeout=PROBE_SECONDS)) as connection:
        connection.request("GET", f"{HTTP_PATH}ftpservice-doctor")
        answer = connection.getresponse()
        if answer.read(len(NOT_FOUND_TEXT)) == NOT_FOUND_TEXT:
            return ""
        return f"HTTP status {answer.status} instead"


def _tls_problem(name: str, port: int) -> str:
    """Return what else than the service answers; empty if it does: it refuses other names."""
    context = unverified_context()
    context.set_alpn_protocols([ACME_PROTOCOL])
    with socket.create_connection((name, port), PROBE_SECONDS) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                protocol = secured.selected_alpn_protocol()
        except ssl.SSLError as caught:
            reason = caught.reason or str(caught)
            return "" if "UNRECOGNIZED_NAME" in reason else reason.lower().replace("_", " ")
    # an order may be in progress
    return "" if protocol == ACME_PROTOCOL else "another certificate is presented"


def _authority_finding(settings: ServiceSettings) -> Finding:
    from cryptography.hazmat.primitives.asymmetric import ec

    from ftpservice.service.acme.authority import Authority, AuthorityAddress
    from ftpservice.service.acme.authority_error import AuthorityError

    address = AuthorityAddress(settings.acme_directory, settings.acme_ca_file, None)
    authority = Authority(address, ec.generate_private_key(ec.SECP256R1()))
    try:
        authority.read_directory()
    except AuthorityError as caught:
        return error(SUBJECT, str(caught), caught.advice)
    finally:
        authority.close()
    return good(SUBJECT, f"{settings.acme_directory} answers")


def _state_findings(settings: ServiceSettings) -> Iterator[Finding]:
    from ftpservice.service.acme.acme_files import AcmeFiles, UnusableFile
    from ftpservice.service.certificates.certificate_setup import acme_directory

    files = AcmeFiles(acme_directory(settings))
    try:
        found, state = files.certificate(), files.state()
    except (UnusableFile, OSError) as caught:
        yield error(SUBJECT, str(caught), "run this command as the user of the service")
        return
    if found is None:
        yield warning(SUBJECT, "there is no certificate yet", "the service orders it at its start")
    else:
        yield renewed_expiry_finding(SUBJECT, x509.load_pem_x509_certificate(found.pem))
    if state.problem:
        failed = count_text(state.failures, "failed attempt")
        text = f"{failed}, the last one: {state.problem}"
        yield error(SUBJECT, text, f"the next one is at {time_text(state.next_attempt)} UTC")
