"""Checks whether the service would start (``--check``), without creating or binding anything.

It refuses what the start refuses, in the order and with the text of the start. Only what the kernel
says of a port is left out: the running service may hold it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.external.store_string import secret_warnings
from ftpservice.accounts.stores.account_buckets import MAX_BUCKETS, account_buckets
from ftpservice.accounts.stores.store_checker import StoreChecker
from ftpservice.backends.strings import bucket_of, directory_of
from ftpservice.cluster.last_share import NEVER_JOINED_TEXT, SHARE_FILE, load_share
from ftpservice.concurrency.task import Task
from ftpservice.net.tls.certificate_file import key_exposure_warning
from ftpservice.service.acme_setup import check_acme_start
from ftpservice.service.activity.hook_setup import hooks_for
from ftpservice.service.activity.journal_setup import journal_plan
from ftpservice.service.activity.metrics_service import check_metrics_extra
from ftpservice.service.activity.otel_setup import check_otel_extra
from ftpservice.service.assembly import listeners_for
from ftpservice.service.certificates.certificate_setup import acme_directory, check_certificates
from ftpservice.service.cluster.cluster_setup import cluster_plan, cluster_problem
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
from ftpservice.service.settings.errors import CannotStart
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
    yield from _cluster_warnings(options.settings)
    with acting_as(owner_for(options)):
        lines = list(_bucket_warnings(options.settings))
        lines += _account_bucket_warnings(options.checkers)
    yield from lines


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
    yield from _balancer_warnings(settings)
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


def _cluster_warnings(settings: ServiceSettings) -> Iterator[str]:
    """Connect to the database of the cluster; yield why it cannot be used, if it cannot.

    Raises `CannotStart` if the node has never been in the cluster.
    """
    reason = cluster_problem(settings)
    if reason is None:
        return
    path = None if settings.data_dir is None else Path(settings.data_dir, SHARE_FILE)
    if path is None or load_share(path) is None:
        raise CannotStart(f"--cluster: {reason}; {NEVER_JOINED_TEXT}")
    yield f"--cluster: {reason}; the node would serve alone until the database can be used"


def _balancer_warnings(settings: ServiceSettings) -> Iterator[str]:
    """Yield the networks of load balancers that everybody is in."""
    for network in settings.passive_proxied:
        if network.prefixlen == 0:
            yield (
                f"--passive-proxied {network}: whoever connects to a passive port is trusted to "
                "name the client; give the addresses of the load balancers"
            )


def _bucket_warnings(settings: ServiceSettings) -> Iterator[str]:
    """Try the bucket of the files; yield why it cannot be used now, or what it does not keep.

    The service would start without it, and refuse logins: for a reason that does not pass by
    itself this raises `CannotStart`.
    """
    options = bucket_of(settings.root)
    if options is None:
        return
    from ftpservice.backends.s3.bucket_check import BucketUnusable, check_bucket

    place = f"--root: {options.shown}"
    try:
        missing = check_bucket(options)
    except BucketUnusable as error:
        if not error.may_pass:
            raise CannotStart(f"{place}: {error.line}") from None
        missing = [f"{error.line}; logins would be refused until it can be used"]
    yield from (f"{place}: {text}" for text in missing)


def _account_bucket_warnings(checkers: Iterable[object]) -> Iterator[str]:
    """Try the buckets of roots and mounts of accounts; yield what `_bucket_warnings` does."""
    buckets = account_buckets(checkers)
    if not buckets:
        return
    if find_spec("botocore") is None:
        yield f"{buckets[0][0]}: a bucket needs botocore: pip install 'ftpservice[s3]'"
        return
    from ftpservice.backends.s3.bucket_check import BucketUnusable, check_bucket

    for owners, options in buckets[:MAX_BUCKETS]:
        try:
            missing = check_bucket(options)
        except BucketUnusable as error:
            missing = [f"{error.line}; until it can be used, its files cannot be had"]
        yield from (f"{owners}: {options.shown}: {text}" for text in missing)


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
