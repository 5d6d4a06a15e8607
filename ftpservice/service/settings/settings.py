"""What the administrator decided, as one frozen value; knows of no reactor and no file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftpservice.accounts.account_record import is_storage_string
from ftpservice.activity.event_log import Verbosity
from ftpservice.data.peer_policy import DataSettings
from ftpservice.net.tls.server import TLSFiles
from ftpservice.service.settings.table import SETTINGS
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import ControlTLS, DataTLS, TLSPolicy
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["ServiceSettings", "SettingsConflict", "settings_from"]

LOCAL_SCHEME = "local:"
DURABLE_OPTION = ":durable="
DATA_DIRECTORY = "var"
PATH_SETTINGS = ("root", "data-dir", "certificate", "key", "client-ca", "log-file")
FILES_DIRECTORY = "files"
"""The served directory inside the data directory, when no root is given."""


class SettingsConflict(ValueError):
    """Settings that cannot hold together; ``str`` of it is one line that says which and why."""


@dataclass(frozen=True)
class ServiceSettings:
    """All settings but who may log in."""

    listen: tuple[str, ...]
    root: str
    """A storage string."""
    made: tuple[str, ...] = ()
    """Directories of the service's own, outermost first: made if they are missing."""
    implicit: tuple[str, ...] = ()
    simple: tuple[str, ...] = ()
    simple_tls: tuple[str, ...] = ()
    tls: TLSFiles = field(default_factory=lambda: TLSFiles(()))
    """Without a certificate in it the service makes its own."""
    anonymous_root: VirtualPath = ROOT
    durable: bool = False
    grace: float = 30.0
    """Seconds that transfers may go on when the service stops."""
    log: Verbosity = Verbosity.ALL
    """Which events have a line in the log."""
    log_file: str | None = None
    """Where the log goes; None for where ``twistd`` is told to log."""
    session: SessionSettings = field(default_factory=SessionSettings)

    def places(self, option: str) -> tuple[str, ...]:
        """Return where to listen, by the name of the option that says so."""
        found: tuple[str, ...] = getattr(self, option.replace("-", "_"))
        return found

    @property
    def offers_tls(self) -> bool:
        """Whether there is TLS at all."""
        return self.session.tls.control is not ControlTLS.OFF

    def kept(self, text: str) -> str:
        """Return a storage string with what ``durable`` asks of it."""
        plain = text.startswith(LOCAL_SCHEME) and DURABLE_OPTION not in text
        return f"{text}{DURABLE_OPTION}yes" if self.durable and plain else text


def settings_from(given: Mapping[str, Any], base: str = "") -> ServiceSettings:
    """Return the settings for the values given by name; the table's defaults fill in.

    Relative paths are seen from ``base``. Raises `SettingsConflict`.
    """
    values = {setting.name: setting.initial for setting in SETTINGS} | dict(given)
    _see_that_tls_is_possible(values)
    _make_paths_absolute(values, base)
    root, made = _places(values["root"], values["data-dir"])
    return ServiceSettings(
        listen=values["listen"],
        root=root,
        made=made,
        implicit=values["implicit"],
        simple=values["simple"],
        simple_tls=values["simple-tls"],
        tls=_tls_files(values),
        anonymous_root=values["anonymous-root"],
        durable=values["durable"],
        grace=values["grace"],
        log=values["log"],
        log_file=values["log-file"],
        session=_session(values),
    )


def _make_paths_absolute(values: dict[str, Any], base: str) -> None:
    """A daemon may change its directory before it uses them."""
    if values["root"] is None and values["data-dir"] is None:
        values["data-dir"] = DATA_DIRECTORY
    for name in PATH_SETTINGS:
        value = values[name]
        if isinstance(value, tuple):
            values[name] = tuple(_absolute(path, base) for path in value)
        elif value is not None and not (name == "root" and is_storage_string(value)):
            values[name] = _absolute(value, base)


def _absolute(path: str, base: str) -> str:
    return os.path.abspath(os.path.join(base, path))


def _places(root: str | None, data_dir: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the storage string and the directories to make."""
    made = (data_dir,) if data_dir is not None else ()
    if root is not None:
        return root if is_storage_string(root) else _local(root), made
    files = os.path.join(*made, FILES_DIRECTORY)
    return _local(files), (*made, files)


def _see_that_tls_is_possible(values: Mapping[str, Any]) -> None:
    for name in ("tls", "tls-data"):
        if values["implicit"] and values[name].value == "off":
            raise SettingsConflict(
                f"--implicit is TLS for commands and data: take --{name} off away"
            )
    if values["simple-tls"] and values["tls"] is ControlTLS.OFF:
        raise SettingsConflict("--simple-tls is TLS: take --tls off away")
    if values["tls"] is ControlTLS.OFF and values["tls-data"] is DataTLS.REQUIRED:
        raise SettingsConflict(
            "--tls-data required would let nobody transfer anything with --tls off"
        )
    if values["key"] and len(values["key"]) != len(values["certificate"]):
        raise SettingsConflict("--key: give one for each --certificate, in the same order, or none")


def _tls_files(values: Mapping[str, Any]) -> TLSFiles:
    certificates = [Path(path) for path in values["certificate"]]
    keys: list[Path | None] = [Path(path) for path in values["key"]]
    keys = keys or [None] * len(certificates)
    authorities = values["client-ca"]
    return TLSFiles(
        tuple(zip(certificates, keys, strict=True)),
        Path(authorities) if authorities is not None else None,
    )


def _local(path: str) -> str:
    return LOCAL_SCHEME + path.replace("\\", "\\\\").replace(":", "\\:")


def _session(values: Mapping[str, Any]) -> SessionSettings:
    return SessionSettings(
        welcome=values["welcome"],
        anonymous=values["anonymous"],
        max_sessions=values["max-sessions"],
        max_sessions_per_address=values["max-sessions-per-address"],
        max_sessions_per_user=values["max-sessions-per-user"],
        login_timeout=values["login-timeout"],
        idle_timeout=values["idle-timeout"],
        umask=values["umask"],
        ascii=values["ascii"],
        host_names=frozenset(values["host-names"]),
        rate_down=values["rate-down"],
        rate_up=values["rate-up"],
        upload_digest=values["upload-digest"],
        tls=_policy(values),
        data=_data(values),
    )


def _policy(values: Mapping[str, Any]) -> TLSPolicy:
    return TLSPolicy(
        values["tls"],
        values["tls-data"],
        plaintext=values["allow-plaintext"],
        clear_commands=values["allow-ccc"],
        handshake_timeout=values["tls-handshake-timeout"],
    )


def _data(values: Mapping[str, Any]) -> DataSettings:
    return DataSettings(
        passive_ports=values["passive-ports"],
        passive_addresses=values["passive-address"],
        data_timeout=values["data-timeout"],
        stall_timeout=values["stall-timeout"],
        handshake_timeout=values["tls-handshake-timeout"],
        require_session_reuse=values["require-session-reuse"],
        allow_truncated=values["tls-allow-truncated"],
    )
