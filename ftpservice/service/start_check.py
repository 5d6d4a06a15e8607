"""Tells whether the service would start (``--check``), without making or binding anything.

Not looked at: whether the ports are free, as the service that has them may be running.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.net.tls.certificate_file import key_exposure_warning
from ftpservice.net.tls.server import CertificateError, check_authorities
from ftpservice.service.assembly import listeners_for, portal_checkers_for, storage_source_for
from ftpservice.service.certificate_setup import load_certificates
from ftpservice.service.exposure import refuse_shipped_passwords
from ftpservice.service.listeners import Listener
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["start_warnings"]


def start_warnings(options: ServiceOptions, reactor: Any) -> Iterator[str]:
    """Yield what is wrong and does not keep the service from starting; raises `CannotStart`."""
    settings = options.settings
    for place in listeners_for(settings, reactor):
        address = _address(place)
        if address is not None:
            refuse_shipped_passwords(place, UnboundPort(address), options.checkers)  # type: ignore[arg-type]
    portal_checkers_for(settings, options.checkers)
    _see_certificates(settings)
    _see_directories(settings)
    if settings.offers_tls:
        keys = (key or chain for chain, key in settings.tls.certificates)
        yield from filter(None, map(key_exposure_warning, keys))
    if not settings.made or os.path.isdir(settings.made[-1]):
        storage_source_for(settings, reactor)
    for checker in options.checkers:
        if isinstance(checker, PasswordFileChecker):
            yield from (f"{checker.file.path}, {one}" for one in checker.file.contents.malformed)
            if not checker.file.contents.accounts:
                yield f"{checker.file.path}: there is no account in it"


class UnboundPort:
    """Stands for the port that would be bound."""

    def __init__(self, address: IAddress) -> None:
        self._address = address

    def getHost(self) -> IAddress:
        """Return its address."""
        return self._address


def _address(place: Listener) -> IAddress | None:
    """Return where a TCP endpoint would listen; None for other endpoints."""
    endpoint = place.endpoint
    interface, port = getattr(endpoint, "_interface", None), getattr(endpoint, "_port", None)
    if interface is None or port is None:
        return None
    kind = IPv6Address if ":" in interface else IPv4Address
    return kind("TCP", interface or "0.0.0.0", port)


def _see_certificates(settings: ServiceSettings) -> None:
    if not settings.offers_tls:
        return
    try:
        if settings.tls.certificates:
            load_certificates(settings.tls)
        elif settings.tls.client_ca is not None:  # the certificate is one of ours
            check_authorities(settings.tls.client_ca)
    except (CertificateError, OSError) as error:
        raise CannotStart(f"no certificate: {error_text(error)}") from None


def _see_directories(settings: ServiceSettings) -> None:
    """See that what is missing can be made, and what is there can be written to."""
    for path in settings.made:
        _see_writable(path, os.path.isdir(path) or not os.path.lexists(path))
        if not os.path.isdir(path):
            break  # what is in it will be made too
    if settings.log_file is not None:
        _see_writable(settings.log_file, not os.path.isdir(settings.log_file))


def _see_writable(path: str, fits: bool) -> None:
    there = path if os.path.lexists(path) else os.path.dirname(path)
    if not fits:
        kind = "a directory" if os.path.isdir(path) else "not a directory"
        raise CannotStart(f"cannot write {path}: it is {kind}; choose another name")
    if not os.path.isdir(os.path.dirname(path)):
        raise CannotStart(f"cannot write {path}: its directory is missing; make that")
    if not os.access(there, os.W_OK):
        raise CannotStart(f"cannot write {path}: this user may not; change its owner or mode")
