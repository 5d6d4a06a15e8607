"""Assembles what gets a certificate by ACME: the listener for challenges and the renewal.

The extra ``acme`` is imported when a name is set, not before.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import random
from time import time
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IListeningPort

from ftpservice.events import Event
from ftpservice.linux import read_regular_file
from ftpservice.net.tls.certificate_file import CertificateSummary
from ftpservice.net.tls.server import CertificateError, check_authorities
from ftpservice.service.acme.acme_files import AcmeFiles
from ftpservice.service.acme.schedule import is_overdue
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.certificates.certificate_setup import acme_directory, issued_certificates
from ftpservice.service.sessions.listeners import Listener, Listeners, parse_listener
from ftpservice.service.settings.acme import AcmeChallenge
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.settings import ServiceSettings

if TYPE_CHECKING:  # the extra may be missing
    from ftpservice.service.acme.challenge import ChallengeResponder
    from ftpservice.service.acme.renewal import CertificateRenewal

__all__ = [
    "AcmeHooks",
    "AcmeServices",
    "acme_services",
    "check_acme_start",
    "expiry_advice",
]

MAX_KEY_BYTES = 4096
MIN_MAC_BYTES = 16
EAB_KEY = re.compile(rb"[A-Za-z0-9_-]+")
REQUIRED_PACKAGES = ("acme", "josepy", "requests")
MISSING_TEXT = "--acme: {name} is not installed; run: pip install 'ftpservice[acme]'"


@dataclass(frozen=True)
class AcmeHooks:
    """What the parts of ACME use of the service."""

    reload: CertificateReload | None
    """Puts a certificate into use; None without TLS."""
    publish: Callable[[Event], object]
    check: Callable[[Listener, IListeningPort], object]
    """Called with the listeners for challenges when they are bound."""
    fail: Callable[[str], object]
    """Called with one line if a listener that did not bind at once fails later."""


class AcmeServices(MultiService):
    """The listeners for challenges, and the renewal."""

    def __init__(self, listeners: Listeners, renewal: CertificateRenewal) -> None:
        super().__init__()
        self.renewal = renewal
        listeners.setServiceParent(self)
        renewal.setServiceParent(self)


def check_acme_start(settings: ServiceSettings, reactor: Any) -> list[Listener]:
    """Return the listeners for challenges.

    Raises `CannotStart` if no certificate could be got here.
    """
    for name in REQUIRED_PACKAGES:
        if find_spec(name) is None:
            raise CannotStart(MISSING_TEXT.format(name=name))
    if settings.acme_ca_file is not None:
        try:
            check_authorities(Path(settings.acme_ca_file))
        except CertificateError as error:
            raise CannotStart(f"--acme-ca-file: {error}") from None
    _account_key(settings)
    option, texts = settings.acme_listen
    return [parse_listener(reactor, text, option) for text in texts]


def acme_services(settings: ServiceSettings, hooks: AcmeHooks, reactor: Any) -> AcmeServices | None:
    """Return the services for the names of ``acme``, None without names; raises `CannotStart`."""
    reload = hooks.reload
    if not settings.acme or reload is None:
        return None
    listening = check_acme_start(settings, reactor)
    from ftpservice.service.acme.authority import AccountBinding, Authority, AuthorityAddress
    from ftpservice.service.acme.issuance import IssuanceParts
    from ftpservice.service.acme.renewal import CertificateRenewal, RenewalParts

    responder = _responder(settings.acme_challenge, reactor)
    key_id, key = settings.acme_eab_key_id, _account_key(settings)
    address = AuthorityAddress(
        settings.acme_directory,
        settings.acme_ca_file,
        settings.acme_email,
        AccountBinding(key_id, key) if key_id is not None and key is not None else None,
    )
    names = tuple(dict.fromkeys(settings.acme))
    issuance = IssuanceParts(
        names,
        AcmeFiles(acme_directory(settings)),
        responder,
        lambda key: Authority(address, key),
        reactor,
        time,
    )
    parts = RenewalParts(
        issuance,
        settings.acme_directory,
        lambda: reload.certificates[0].fingerprint,
        lambda: reload.load(lambda: issued_certificates(settings)),
        hooks.publish,
        random,
    )
    listeners = Listeners(listening, lambda _listener: responder.factory, hooks.check, hooks.fail)
    return AcmeServices(listeners, CertificateRenewal(parts))


def _account_key(settings: ServiceSettings) -> str | None:
    """Read the HMAC key of external account binding, once, as the user of the start."""
    path = settings.acme_eab_key_file
    if path is None:
        return None
    try:
        key = read_regular_file(path, MAX_KEY_BYTES, follows_links=True).strip().rstrip(b"=")
        if not EAB_KEY.fullmatch(key):
            raise ValueError("it has something else than a key")
        if len(urlsafe_b64decode(key + b"=" * (-len(key) % 4))) < MIN_MAC_BYTES:
            raise ValueError("the key is too short")
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"--acme-eab-key-file: {path}: {error_text(error)} - write the HMAC key there as the "
            "authority shows it, in base64url"
        ) from None
    return key.decode()


def expiry_advice(certificate: CertificateSummary, now: float) -> str:
    """Return what to do about a certificate that expires; nothing while its renewal is in time."""
    begin, end = certificate.not_before.timestamp(), certificate.not_after.timestamp()
    if is_overdue(begin, end, now):
        return "the log says why it was not renewed, or run ftpservice certificate show"
    return ""


def _responder(challenge: AcmeChallenge, reactor: Any) -> ChallengeResponder:
    if challenge is AcmeChallenge.HTTP:
        from ftpservice.service.acme.http_challenge import HTTPChallenges

        return HTTPChallenges(reactor)
    from ftpservice.service.acme.tls_alpn_challenge import TLSChallenges

    return TLSChallenges()
