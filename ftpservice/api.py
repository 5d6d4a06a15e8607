"""Everything that a Twisted program needs to serve files: factories, accounts, settings, events.

Nothing is defined here; each name is documented where it is defined. The storages that these
names serve are described in `ftpservice.storage`, what subscribers receive in `ftpservice.events`.
Guide: ``docs/developers.md``. This door imports Twisted's FTP module, and so the reactor: a program
that uses another reactor than the default one installs it first.
"""

from ftpservice.accounts.account import (
    Account,
    IAccount,
    ICertificateCredentials,
    IPeerCredentials,
    PeerCredentials,
)
from ftpservice.accounts.account_record import (
    AccountRecord,
    CertificateUse,
    IAccountRecords,
    IStartable,
)
from ftpservice.accounts.account_store import (
    AccountExists,
    AccountStoreError,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable, PasswordFileChecker
from ftpservice.accounts.defence.bans import Ban, BanList, BanRules
from ftpservice.accounts.defence.login_refusal import LoginRefused
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.password_hash import hash_password
from ftpservice.accounts.portal_checkers import UnusableChecker, portal_checkers
from ftpservice.accounts.realm import Realm
from ftpservice.activity.hooks.plugin_hook import IEventSubscriber, IHookPlugin
from ftpservice.activity.report import ActivityReport
from ftpservice.backends.strings import BadStorageString, build_source
from ftpservice.control.factory import FTPFactory
from ftpservice.control.implicit_tls import ImplicitTLSFactory
from ftpservice.data.peer_policy import AddressRule, DataSettings, parse_address_rule
from ftpservice.events import EventStream
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.net.tls.server import CertificateError, ServerTLS, TLSFiles
from ftpservice.service.assembly import assemble
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.session.services import EventSink
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSPolicy
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.rights import PRESETS, Right

__all__ = [
    "PRESETS",
    "Account",
    "AccountExists",
    "AccountRecord",
    "AccountStoreError",
    "ActivityReport",
    "AddressRule",
    "BadStorageString",
    "Ban",
    "BanList",
    "BanRules",
    "CannotStart",
    "CertificateError",
    "CertificateUse",
    "ControlTLS",
    "DataSettings",
    "DataTLS",
    "EventSink",
    "EventStream",
    "FTPFactory",
    "IAccount",
    "IAccountRecords",
    "IAccountStore",
    "ICertificateCredentials",
    "IEventSubscriber",
    "IHookPlugin",
    "IPeerCredentials",
    "IStartable",
    "ImplicitTLSFactory",
    "InvalidAccount",
    "LoginBusy",
    "LoginRefused",
    "LoginUnavailable",
    "NoSuchAccount",
    "PasswordFile",
    "PasswordFileChecker",
    "PasswordFileStore",
    "PeerCredentials",
    "ProxiedFactory",
    "QuotaBook",
    "Realm",
    "RestrictedStorage",
    "Right",
    "ServerTLS",
    "ServiceOptions",
    "SessionSettings",
    "SimpleFactory",
    "StoreUnavailable",
    "TLSFiles",
    "TLSPolicy",
    "UnusableChecker",
    "assemble",
    "build_source",
    "hash_password",
    "parse_address_rule",
    "portal_checkers",
]
