"""Checks whether the service would start (``--check``), without creating or binding anything.

It refuses what the start refuses, in the order and with the text of the start. Only what the kernel
says of a port is left out: the running service may hold it.
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
from ftpservice.accounts.external.store_string import secret_warnings
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.backends.strings import directory_of
from ftpservice.concurrency.task import Task
from ftpservice.net.tls.certificate_file import key_exposure_warning
from ftpservice.service.acme_setup import check_acme_start
from ftpservice.service.activity.hook_setup import hooks_for
from ftpservice.service.activity.journal_setup import journal_plan
from ftpservice.service.activity.metrics_service import check_metrics_extra
from ftpservice.service.activity.otel_setup import check_otel_extra
from ftpservice.service.assembly import listeners_for
from ftpservice.service.certificates.certificate_setup import acme_directory, check_certificates
from ftpservice.service.cluster.cluster_setup import cluster_plan
from ftpservice.service.control_socket import check_socket_path
from ftpservice.service.log.setup import check_log
from ftpservice.service.log.transfer_log_file import check_transfer_log
from ftpservice.service.privileges import Privileges, owner_for
from ftpservice.service.sessions.exposure import refuse_shipped_passwords
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.sessions.session_assembly import (
    bans_for,
    portal_checkers_for,
    storage_source_for,
)
from ftpservice.service.settings.directories import Owner, acting_as, check_directories
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.service.web_setup import check_factor_extras
from ftpservice.storage.interfaces import IStorageSource

__all__ = ["settings_warnings", "start_warnings"]

log = Logger("ftpservice")


def start_warnings(options: ServiceOptions, reactor: Any) -> Iterator[str]:
    """Yield what is wrong but does not prevent the start; raises `CannotStart`."""
    Privileges(options, str).refuse_root()
    yield from settings_warnings(options, reactor)
    yield from _cluster_problems(options.settings)


def settings_warnings(options: ServiceOptions, reactor: Any) -> Iterator[str]:
    """Yield the `start_warnings`, whether or not this user may serve; raises `CannotStart`."""
    settings, checkers = options.settings, options.checkers
    privileges = Privileges(options, str)
    owner = owner_for(options)
    listeners = listeners_for(settings, reactor)
    check_log(settings.log_file, owner)
    check_transfer_log(settings.xferlog, owner)
    _check_extras(settings)
    check_factor_extras(settings)
    _check_files(settings, reactor, owner)
    portal_checkers_for(settings, checkers)
    hooks_for(settings, reactor, owner)
    if settings.acme:
        check_acme_start(settings, reactor)
    if settings.control_socket_path is not None:
        _check_control_socket(settings.control_socket_path, settings)
    for listener in listeners:
        address = _tcp_address(listener)
        if address is not None:
            refuse_shipped_passwords(listener, address, checkers)
    yield from privileges.check_drop()
    if settings.offers_tls:
        keys = (key or chain for chain, key in settings.tls_files.certificates)
        yield from filter(None, map(key_exposure_warning, keys))
    for hook in settings.hook:
        yield from secret_warnings(hook.secret_file or None)
    with acting_as(owner):
        lines = list(_account_warnings(checkers))
    yield from lines


def _check_extras(settings: ServiceSettings) -> None:
    """Raise `CannotStart` if what observers need is not installed."""
    if settings.metrics:
        check_metrics_extra()
    if settings.otel_endpoint is not None:
        check_otel_extra()


def _check_files(settings: ServiceSettings, reactor: Any, owner: Owner) -> None:
    """Check the directories, the certificates, the root and the files of the bans."""
    created = _created_directories(settings)
    check_directories(created, owner)
    check_certificates(settings, owner)
    root = directory_of(settings.root)
    if root not in created or os.path.isdir(root):
        _stop(storage_source_for(settings, reactor, owner))
    bans_for(settings, reactor, owner)
    journal_plan(settings)
    cluster_plan(settings)


def _cluster_problems(settings: ServiceSettings) -> Iterator[str]:
    """Connect to the database of the cluster, and yield why it cannot be used, if it cannot."""
    url = cluster_plan(settings)
    if url is None:
        return
    from ftpservice.cluster.cluster_connection import ClusterConnection

    connection = ClusterConnection(url)
    try:
        connection.call(bool)
    except StoreUnavailable as error:
        yield f"--cluster: {error}; the node would serve alone until the database can be used"
    finally:
        connection.close()


def _created_directories(settings: ServiceSettings) -> list[str]:
    """Return the directories that the start creates if they are missing."""
    acme = [str(acme_directory(settings))] if settings.acme else []
    return [*settings.own_directories, *acme]


def _check_control_socket(path: str, settings: ServiceSettings) -> None:
    """Raise `CannotStart` if the control socket could not be made."""
    directory = os.path.dirname(path)
    if os.path.isdir(directory) or directory not in _created_directories(settings):
        check_socket_path(path)


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
    if listener.tcp_place is None:
        return None
    interface, port = listener.tcp_place
    kind = IPv6Address if ":" in interface else IPv4Address
    return kind("TCP", interface or "0.0.0.0", port)
