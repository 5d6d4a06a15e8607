"""Builds what sessions need, from the settings: storage, accounts, realm, bans, protocol factories.

A process that serves sessions and nothing else builds these parts only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import ServerFactory

from ftpservice.accounts.account_record import has_records
from ftpservice.accounts.defence.bans import BanList
from ftpservice.accounts.portal_checkers import UnusableChecker, portal_checkers
from ftpservice.accounts.realm import Realm
from ftpservice.backends.directory_check import DirectoryCheck
from ftpservice.backends.mounts.mount_rules import MountRules
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.control.factory import FTPFactory
from ftpservice.control.implicit_tls import ImplicitTLSFactory
from ftpservice.events import LoggedIn
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.service.sessions.account_watch import AccountWatch
from ftpservice.service.sessions.ban_service import BAN_FILE, BanService
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.settings.directories import Owner, acting_as
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.shared_quotas import SharedQuotas

__all__ = [
    "account_watch_for",
    "apply_to_sessions",
    "bans_for",
    "portal_checkers_for",
    "realm_for",
    "session_factory_of",
    "storage_source_for",
]


def storage_source_for(settings: ServiceSettings, reactor: Any, owner: Owner) -> IStorageSource:
    """Return the storage of the setting ``root``, opened as by ``owner``; raises `CannotStart`."""
    try:
        with acting_as(owner):
            return build_source(settings.storage_string(settings.root), reactor)
    except (ValueError, OSError) as error:
        raise CannotStart(f"--root: {error_text(error)}") from None


def portal_checkers_for(
    settings: ServiceSettings, checkers: list[ICredentialsChecker]
) -> list[ICredentialsChecker]:
    """Return the checkers for the portal; raises `CannotStart`."""
    try:
        found = portal_checkers(checkers)
    except UnusableChecker as error:
        raise CannotStart(f"--auth: {error_text(error)}") from None
    offered = any(IAnonymous in checker.credentialInterfaces for checker in found)
    anonymous = [AllowAnonymousAccess()] if settings.anonymous and not offered else []
    return [*found, *anonymous]


def bans_for(
    settings: ServiceSettings, reactor: Any, owner: Owner, *, keeps: bool = True
) -> BanService:
    """Return the bans, read as by ``owner`` from the data directory; raises `CannotStart`.

    Without ``keeps`` they are neither read nor written: another process tells them.
    """
    path = Path(settings.data_dir, BAN_FILE) if settings.data_dir and keeps else None
    lists = (settings.allow_networks, settings.deny_networks)
    with acting_as(owner):
        return BanService(BanList(time.time, settings.ban_rules), path, lists, reactor)


def realm_for(
    settings: ServiceSettings,
    source: IStorageSource,
    checkers: list[ICredentialsChecker],
    reactor: Any,
    shared: SharedQuotas | None = None,
) -> Realm:
    """Return the realm of the accounts, on ``source``; ``shared`` are quotas of all processes."""
    records: list[Any] = [checker for checker in checkers if has_records(checker)]

    def open_source(text: str) -> IStorageSource:
        storage = settings.storage_string(text)
        settings.check_workers(storage)
        return build_source(storage, reactor)

    realm = Realm(
        source,
        records,
        open_source=open_source,
        anonymous=settings.anonymous_root if settings.anonymous else None,
    )
    realm.quotas = QuotaBook(reactor, settings.quota_recount, shared)
    realm.mount_rules = MountRules(reactor, settings.rename_across_mounts)
    realm.directories = DirectoryCheck(
        reactor, BlockingPool(reactor, "directories", threads=8, waiting=100)
    )
    return realm


def apply_to_sessions(settings: ServiceSettings, factory: FTPFactory, realm: Realm) -> None:
    """Put other settings into force for the sessions that begin from now on."""
    factory.apply(settings.session)
    if realm.quotas is not None:
        realm.quotas.recount_interval = settings.quota_recount
    if realm.mount_rules is not None:
        realm.mount_rules.rename_across = settings.rename_across_mounts


def session_factory_of(factory: FTPFactory, listener: Listener) -> IProtocolFactory:
    """Return the factory for a listener's protocol, over the sessions of ``factory``."""
    sessions: ServerFactory = factory
    if listener.simple:
        sessions = SimpleFactory(factory, secured=listener.implicit)
    elif listener.implicit:
        sessions = ImplicitTLSFactory(factory)
    if not listener.proxied:
        return sessions
    return ProxiedFactory(sessions, factory.reactor, exactly=listener.implicit)


def account_watch_for(options: ServiceOptions, factory: FTPFactory, reactor: Any) -> AccountWatch:
    """Return what ends the sessions of accounts that change."""
    events = factory.event_sink.events
    watch = AccountWatch(options.checkers, factory.sessions, reactor)
    watch.publish = events.publish
    events.subscribe(watch.new_logins.append, LoggedIn)
    factory.password_accepted = watch.new_logins.append
    return watch
