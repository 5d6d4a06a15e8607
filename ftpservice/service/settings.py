"""What the administrator decided, as one frozen value; knows of no reactor and no file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftpservice.accounts.records import is_storage_string
from ftpservice.data.policy import DataSettings
from ftpservice.service.table import SETTINGS
from ftpservice.session.settings import SessionSettings
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["Settings", "settings_from"]

LOCAL = "local:"
DURABLE = ":durable="
DATA_DIRECTORY = "var"
FILES = "files"
"""The served directory inside the data directory, when no root is given."""


@dataclass(frozen=True)
class Settings:
    """All settings but who may log in."""

    listen: tuple[str, ...]
    root: str
    """A storage string."""
    made: tuple[str, ...] = ()
    """Directories of the service's own, outermost first: made if they are missing."""
    anonymous_root: VirtualPath = ROOT
    durable: bool = False
    grace: float = 30.0
    """Seconds that transfers may go on when the service stops."""
    session: SessionSettings = field(default_factory=SessionSettings)

    def kept(self, text: str) -> str:
        """Return a storage string with what ``durable`` asks of it."""
        plain = text.startswith(LOCAL) and DURABLE not in text
        return f"{text}{DURABLE}yes" if self.durable and plain else text


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings for the values given by name; the table's defaults fill in."""
    values = {setting.name: setting.initial for setting in SETTINGS} | dict(given)
    root, made = _places(values["root"], values["data-dir"])
    return Settings(
        listen=values["listen"],
        root=root,
        made=made,
        anonymous_root=values["anonymous-root"],
        durable=values["durable"],
        grace=values["grace"],
        session=_session(values),
    )


def _places(root: str | None, data_dir: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the storage string and the directories to make.

    Paths become absolute here: a daemon may change its directory before it uses them.
    """
    own = data_dir or (DATA_DIRECTORY if root is None else None)
    made = (os.path.abspath(own),) if own is not None else ()
    if root is not None:
        return root if is_storage_string(root) else _local(os.path.abspath(root)), made
    files = os.path.join(*made, FILES)
    return _local(files), (*made, files)


def _local(path: str) -> str:
    return LOCAL + path.replace("\\", "\\\\").replace(":", "\\:")


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
        rate_down=values["rate-down"],
        rate_up=values["rate-up"],
        upload_digest=values["upload-digest"],
        data=DataSettings(
            passive_ports=values["passive-ports"],
            passive_addresses=values["passive-address"],
            data_timeout=values["data-timeout"],
            stall_timeout=values["stall-timeout"],
        ),
    )
