"""Checks whether the service would start (``--check``), without creating or binding anything.

It does not check whether the ports are free: the running service may hold them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.concurrency.task import Task
from ftpservice.net.tls.certificate_file import key_exposure_warning
from ftpservice.net.tls.server import CertificateError, check_authorities
from ftpservice.service.acme_setup import check_acme_start
from ftpservice.service.assembly import listeners_for, portal_checkers_for, storage_source_for
from ftpservice.service.certificates.certificate_setup import acme_directory, load_certificates
from ftpservice.service.exposure import refuse_shipped_passwords
from ftpservice.service.listeners import Listener
from ftpservice.service.privileges import owner_for, privilege_warnings
from ftpservice.service.settings.directories import NO_CHANGE, Owner, acting_as
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.storage.interfaces import IStorageSource

__all__ = ["start_warnings"]

log = Logger("ftpservice")


def start_warnings(options: ServiceOptions, reactor: Any) -> Iterator[str]:
    """Yield what is wrong but does not prevent the start; raises `CannotStart`."""
    settings, checkers = options.settings, options.checkers
    yield from privilege_warnings(options)
    for listener in listeners_for(settings, reactor):
        address = _tcp_address(listener)
        if address is not None:
            refuse_shipped_passwords(listener, address, checkers)
    portal_checkers_for(settings, checkers)
    _check_certificates(settings)
    if settings.acme:
        check_acme_start(settings, reactor)
    _check_directories(settings, owner_for(options))
    if settings.offers_tls:
        keys = (key or chain for chain, key in settings.tls_files.certificates)
        yield from filter(None, map(key_exposure_warning, keys))
    if not settings.own_directories or os.path.isdir(settings.own_directories[-1]):
        _stop(storage_source_for(settings, reactor, owner_for(options)))
    with acting_as(owner_for(options)):
        lines = list(_account_warnings(checkers))
    yield from lines


def _stop(source: IStorageSource) -> None:
    """Stop a storage that was only opened to see whether that is possible."""

    async def stop() -> None:
        await source.stop()

    stopping = Task(stop()).done
    stopping.addErrback(lambda failure: log.failure("the storage could not be stopped", failure))


def _account_warnings(checkers: Iterable[object]) -> Iterator[str]:
    for checker in checkers:
        yield from _account_problems(checker)


def _account_problems(checker: object) -> Iterator[str]:
    if isinstance(checker, PasswordFileChecker):
        yield from (f"{checker.file.path}, {line}" for line in checker.file.contents.problems())
        if not checker.file.contents.accounts:
            yield f"{checker.file.path}: no usable account"
    elif isinstance(checker, StoreChecker):
        try:
            yield from checker.problems()
        except StoreUnavailable as error:
            yield f"logins would be refused with 421: {error}"


def _tcp_address(listener: Listener) -> IAddress | None:
    """Return the address that a TCP endpoint would bind; None for other endpoints."""
    endpoint = listener.endpoint
    interface, port = getattr(endpoint, "_interface", None), getattr(endpoint, "_port", None)
    if interface is None or port is None:
        return None
    kind = IPv6Address if ":" in interface else IPv4Address
    return kind("TCP", interface or "0.0.0.0", port)


def _check_certificates(settings: ServiceSettings) -> None:
    if not settings.offers_tls:
        return
    try:
        if settings.certificate:
            load_certificates(settings.tls_files)
        elif settings.tls_files.client_ca is not None:  # the service makes its own certificate
            check_authorities(settings.tls_files.client_ca)
    except (CertificateError, OSError) as error:
        raise CannotStart(f"no certificate: {error_text(error)}") from None


def _check_directories(settings: ServiceSettings, owner: Owner) -> None:
    """Raise `CannotStart` if a directory or the log could not be created or written to."""
    acme = [str(acme_directory(settings))] if settings.acme else []
    for path in (*settings.own_directories, *acme):
        # The user of the start creates what is missing.
        with acting_as(owner if os.path.isdir(path) else NO_CHANGE):
            _check_writable(path, os.path.isdir(path) or not os.path.lexists(path))
        if not os.path.isdir(path):
            break  # the directories inside it will be created with it
    if settings.log_file is not None:
        _check_writable(settings.log_file, not os.path.isdir(settings.log_file))


def _check_writable(path: str, has_right_type: bool) -> None:
    existing = path if os.path.lexists(path) else os.path.dirname(path)
    if not has_right_type:
        kind = "a directory" if os.path.isdir(path) else "not a directory"
        raise CannotStart(f"cannot write {path}: it is {kind}; choose another name")
    if not os.path.isdir(os.path.dirname(path)):
        raise CannotStart(f"cannot write {path}: its directory is missing; create it")
    if not os.access(existing, os.W_OK, effective_ids=True):
        raise CannotStart(f"cannot write {path}: permission denied; change its owner or mode")
