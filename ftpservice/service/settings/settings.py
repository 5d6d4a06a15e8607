"""Every setting of the service, declared once: `ServiceSettings`.

Options, TOML keys, ``--help``, the reference page and the reload on SIGHUP all read `SETTINGS`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ftpservice.accounts.account_record import is_storage_string
from ftpservice.accounts.groups.home_template import has_fields
from ftpservice.data.peer_policy import DataSettings
from ftpservice.net.tls.server import TLSFiles
from ftpservice.service.settings.acme import AcmeSettings
from ftpservice.service.settings.cluster import ClusterSettings
from ftpservice.service.settings.data_connections import DataConnectionSettings
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.hooks import HookTables
from ftpservice.service.settings.journal import JournalSettings
from ftpservice.service.settings.logs import LogSettings
from ftpservice.service.settings.operation import OperationSettings
from ftpservice.service.settings.parsers import (
    enum_parser,
    parse_anonymous_root,
    parse_digest,
    parse_host,
    parse_listen_address,
)
from ftpservice.service.settings.relative_paths import NO_SOCKET, make_paths_absolute
from ftpservice.service.settings.setting import (
    COUNT,
    FLAG,
    SECONDS,
    SWITCH,
    TEXT,
    TEXTS,
    declared_settings,
    setting,
)
from ftpservice.service.settings.web import require_endpoint
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSPolicy
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import parse_size, parse_umask

__all__ = ["SETTINGS", "ServiceSettings", "settings_from"]

LOCAL_SCHEME = "local:"
DURABLE_OPTION = ":durable="
DEFAULT_DATA_DIRECTORY = "var"
SOCKET_FILE = "control.sock"
"""The control socket in the data directory."""
FILES_DIRECTORY = "files"
"""The directory inside the data directory that is served when no root is given."""


@dataclass(frozen=True)
class ServiceSettings(
    AcmeSettings,
    ClusterSettings,
    JournalSettings,
    LogSettings,
    OperationSettings,
    HookTables,
    DataConnectionSettings,
):
    """The values of all settings; paths are absolute, durations are in seconds."""

    listen: tuple[str, ...] = setting(
        TEXTS,
        ("tcp:2121:interface=127.0.0.1",),
        "Endpoint for FTP clients: tcp:2121, tcp6:2121, unix:/run/ftp.sock, "
        "systemd:domain=INET:index=0, haproxy:tcp:2121 or any other Twisted endpoint.",
        parse_listen_address,
        example='["tcp:2121"]',
    )
    implicit: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Endpoint for clients of implicit FTPS (TLS from the first byte), such as tcp:990.",
        parse_listen_address,
        example='["tcp:990"]',
    )
    simple: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Endpoint for clients of the simple protocol, such as tcp:1452.",
        parse_listen_address,
        example='["tcp:1452"]',
    )
    simple_tls: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Endpoint for clients of the simple protocol with TLS from the first byte.",
        parse_listen_address,
        example='["tcp:1453"]',
    )
    tls: ControlTLS = setting(
        TEXT,
        "offered",
        "TLS on control connections (AUTH TLS): off, offered, required-login (for logins with a "
        "password) or required (for all logins).",
        enum_parser(ControlTLS),
        example='"required"',
        live=True,
    )
    tls_data: DataTLS = setting(
        TEXT,
        "offered",
        "TLS on data connections (PROT P): off, offered or required.",
        enum_parser(DataTLS),
        example='"required"',
        live=True,
    )
    allow_plaintext: bool = setting(
        FLAG,
        False,
        "Accept plaintext passwords from other machines too, where TLS is not required.",
        live=True,
    )
    allow_ccc: bool = setting(
        FLAG,
        False,
        "Let clients return the control connection to plaintext (CCC), where TLS is not required.",
        live=True,
    )
    certificate: tuple[str, ...] = setting(
        TEXTS,
        (),
        "PEM file with a certificate and its chain; with several, the client's SNI selects one "
        "(default: a self-signed certificate, kept in the data directory).",
        example='["/etc/ftpservice/fullchain.pem"]',
        live=True,
    )
    key: tuple[str, ...] = setting(
        TEXTS,
        (),
        "PEM file with the private key of each certificate, in the same order (default: the "
        "certificate's file).",
        example='["/etc/ftpservice/privkey.pem"]',
        live=True,
    )
    client_ca: str | None = setting(
        TEXT,
        None,
        "PEM file with the authorities whose client certificates are accepted (see tls-cert in "
        "passwd.db).",
        live=True,
    )
    require_session_reuse: bool = setting(
        FLAG,
        False,
        "Accept only data connections that resume the TLS session of their control connection; "
        "some clients cannot.",
        live=True,
    )
    tls_allow_truncated: bool = setting(
        FLAG,
        False,
        "Accept an upload that ends without close_notify as complete; some old clients never send "
        "close_notify.",
        live=True,
    )
    tls_handshake_timeout: float = setting(
        SECONDS, 20, "Time limit of a TLS handshake; 0 for no limit.", live=True
    )
    root: str = setting(
        TEXT,
        None,
        "The files to serve: a directory, or a storage string such as local:/srv/ftp or memory: "
        "(default: the directory files in the data directory).",
    )
    auth: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Where accounts come from: passwd:FILE, or another kind that --help-auth lists (default: "
        "passwd:passwd.db, if that file exists and anonymous is not set).",
        example='["passwd:passwd.db"]',
    )
    anonymous: bool = setting(
        FLAG, False, "Allow read-only logins as anonymous or ftp, with any password."
    )
    anonymous_root: VirtualPath = setting(
        TEXT, "/", "The directory under root that anonymous users see.", parse_anonymous_root
    )
    welcome: str = setting(TEXT, "ftpservice ready", "The greeting.", live=True)
    max_sessions: int = setting(COUNT, 10_000, "Maximum number of sessions.", live=True)
    max_sessions_per_address: int = setting(
        COUNT, 200, "Maximum number of sessions per client address (IPv6: per /64).", live=True
    )
    max_sessions_per_user: int = setting(
        COUNT, 200, "Maximum number of sessions per account.", live=True
    )
    login_timeout: float = setting(
        SECONDS, 60, "Time limit from the connection to the login; 0 for no limit.", live=True
    )
    idle_timeout: float = setting(
        SECONDS,
        300,
        "Time without a command and without a transfer after which a session is closed; 0 for no "
        "limit.",
        live=True,
    )
    stall_timeout: float = setting(
        SECONDS, 60, "Time without progress that ends a transfer or session; 0: never.", live=True
    )
    rate_down: int = setting(
        TEXT,
        "0",
        "Rate limit of each session's downloads in bytes per second, such as 20M; 0 for no limit.",
        parse_size,
        live=True,
    )
    rate_up: int = setting(
        TEXT,
        "0",
        "Rate limit of each session's uploads in bytes per second, such as 20M; 0 for no limit.",
        parse_size,
        live=True,
    )
    upload_digest: str = setting(
        TEXT,
        "none",
        "Digest to compute while an upload arrives: none, CRC32, MD5, SHA-1, SHA-256 or SHA-512. "
        "HASH with this algorithm then does not read the file again.",
        parse_digest,
    )
    quota_recount: float = setting(
        SECONDS, 3600, "Time between counts of the files under quotas; 0 for never.", live=True
    )
    data_dir: str | None = setting(
        TEXT,
        None,
        "Directory for the service's own files, created if missing (default: var, if root is not "
        "set).",
    )
    durable: bool = setting(
        FLAG, False, "Confirm an upload only after its data is on the disk (fsync)."
    )
    grace: float = setting(
        SECONDS,
        30,
        "Time that running transfers may take to finish when the service stops; 0 aborts them.",
        live=True,
    )
    ascii: bool = setting(
        SWITCH,
        "on",
        "Convert line ends in TYPE A; off treats TYPE A as TYPE I, for clients that never send "
        "TYPE I but need unchanged files.",
        live=True,
    )
    host_names: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Name that the command HOST accepts; any other is refused with 504 (default: every name "
        "is accepted and has no effect).",
        parse_host,
        example='["ftp.example.com"]',
        live=True,
    )
    umask: int = setting(
        TEXT,
        "022",
        "Permission bits to clear in new files and directories, in octal digits.",
        parse_umask,
        example='"022"',
        live=True,
    )
    own_directories: tuple[str, ...] = ()
    """The data directory and what is served from it, outermost first: created if missing."""

    def value(self, name: str) -> Any:
        """Return the value of a setting by its name (``max-sessions``)."""
        return getattr(self, name.replace("-", "_"))

    @property
    def offers_tls(self) -> bool:
        """Whether any connection can be encrypted."""
        return self.tls is not ControlTLS.OFF

    @property
    def tls_files(self) -> TLSFiles:
        """The certificates to load; empty if the service makes its own."""
        keys = self.key or (None,) * len(self.certificate)
        pairs = zip(self.certificate, keys, strict=True)
        files = tuple((Path(chain), Path(key) if key else None) for chain, key in pairs)
        return TLSFiles(files, None if self.client_ca is None else Path(self.client_ca))

    @cached_property
    def session(self) -> SessionSettings:
        """The settings of the sessions."""
        policy = TLSPolicy(
            self.tls,
            self.tls_data,
            plaintext=self.allow_plaintext,
            clear_commands=self.allow_ccc,
            handshake_timeout=self.tls_handshake_timeout,
        )
        data = DataSettings(
            **self._fields_of(DataSettings),
            passive_addresses=self.passive_address,
            handshake_timeout=self.tls_handshake_timeout,
            allow_truncated=self.tls_allow_truncated,
        )
        values = self._fields_of(SessionSettings) | {"host_names": frozenset(self.host_names)}
        return SessionSettings(**values | {"tls": policy, "data": data})

    @property
    def control_socket_path(self) -> str | None:
        """The path of the control socket; None for no socket."""
        if self.control_socket is None:
            return os.path.join(self.data_dir, SOCKET_FILE) if self.data_dir else None
        return None if self.control_socket == NO_SOCKET else self.control_socket

    def _fields_of(self, kind: type[Any]) -> dict[str, Any]:
        """Return the values for those fields of a dataclass that have the name of a setting."""
        names = (field.name for field in fields(kind))
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def storage_string(self, text: str) -> str:
        """Return a storage string with ``durable`` added where it says nothing about that."""
        adds = self.durable and text.startswith(LOCAL_SCHEME) and DURABLE_OPTION not in text
        return f"{text}{DURABLE_OPTION}yes" if adds else text

    def check(self) -> None:
        """Raise `SettingsConflict` if settings contradict each other."""
        require_endpoint(self.value)
        for name in ("tls", "tls-data"):
            if self.implicit and self.value(name).value == "off":
                raise SettingsConflict(f"--implicit needs TLS: remove --{name} off")
        if self.simple_tls and self.tls is ControlTLS.OFF:
            raise SettingsConflict("--simple-tls needs TLS: remove --tls off")
        if self.tls is ControlTLS.OFF and self.tls_data is DataTLS.REQUIRED:
            raise SettingsConflict("--tls off with --tls-data required would refuse every transfer")
        if has_fields(self.root):
            raise SettingsConflict(f"--root: {self.root!r} is for all accounts: no {{user}}")
        if self.key and len(self.key) != len(self.certificate):
            raise SettingsConflict("--key: give one for each --certificate, in order, or none")
        self.check_workers(self.root)
        self.check_web(self.offers_tls, self.data_dir)
        self.check_metrics(bool(self.http or self.https))
        self.check_journal(self.data_dir)
        self.check_hooks()
        self.check_passive_port()
        if self.acme:
            self.check_acme(self.offers_tls, bool(self.certificate), self.data_dir)


SETTINGS = declared_settings(ServiceSettings)
"""Every setting by name, in the order of the reference page."""


def settings_from(values: Mapping[str, Any], base: str = "") -> ServiceSettings:
    """Return the settings with values given by name, and defaults for the others.

    Relative paths start at ``base``. Raises `SettingsConflict`.
    """
    given = {name.replace("-", "_"): value for name, value in values.items()}
    root, data_dir = given.get("root"), given.get("data_dir")
    if root is None and data_dir is None:
        given["data_dir"] = DEFAULT_DATA_DIRECTORY
    make_paths_absolute(given, base)
    own = (given["data_dir"],) if given.get("data_dir") is not None else ()
    if root is None:
        given["root"] = os.path.join(*own, FILES_DIRECTORY)
        own = (*own, given["root"])
    if not is_storage_string(given["root"]):
        given["root"] = LOCAL_SCHEME + given["root"].replace("\\", "\\\\").replace(":", "\\:")
    settings = ServiceSettings(**given, own_directories=own)
    settings.check()
    return settings
