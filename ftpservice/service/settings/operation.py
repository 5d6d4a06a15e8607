"""The settings of the operation: user, log, control socket, bans, mounts, retention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from ftpservice.accounts.defence.bans import BanRules
from ftpservice.activity.event_log import Verbosity
from ftpservice.backends.mounts.mount_rules import RenameAcrossMounts
from ftpservice.retention.schedule import RetentionSchedule
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.parsers import (
    WORKERS,
    enum_parser,
    parse_time_of_day,
)
from ftpservice.service.settings.setting import COUNT, FLAG, SECONDS, SWITCH, TEXT, setting
from ftpservice.service.settings.web import WebSettings

__all__ = ["OperationSettings"]

MEMORY_SCHEME = "memory:"


@dataclass(frozen=True)
class OperationSettings(WebSettings):
    """What the administrator sees and steers of the running service."""

    workers: int = setting(
        WORKERS,
        1,
        "Processes that serve FTP and simple sessions, or auto for one for each processor; with "
        "more than 1 a further process has the ports, HTTP, the log and all that exists once.",
    )
    upgrade_grace: float = setting(
        SECONDS,
        21_600,
        "Time that running transfers may take to finish in the old workers after 'ftpservice "
        "upgrade'; new sessions are served by the new ones.",
        live=True,
    )
    uid: str | None = setting(
        TEXT,
        None,
        "User (name or number) to become after the ports are bound and before the first client is "
        "served; only root can.",
    )
    gid: str | None = setting(
        TEXT, None, "Group (name or number) to become with uid (default: that of the user)."
    )
    allow_root: bool = setting(
        FLAG, False, "Serve with the privileges of root, which is refused otherwise."
    )
    log: Verbosity = setting(
        TEXT,
        "all",
        "Events to log: all (logins, transfers, file changes, problems) or problems (failed "
        "logins, refused connections and commands, incomplete transfers).",
        enum_parser(Verbosity),
        live=True,
    )
    log_file: str | None = setting(
        TEXT,
        None,
        "File to append the log to; SIGUSR1 reopens it (default: the log of twistd, which is "
        "standard output in the foreground).",
    )
    control_socket: str | None = setting(
        TEXT,
        None,
        "UNIX socket for the ftpservice command, such as ftpservice who (default: control.sock in "
        "data-dir, if there is one; none: no socket).",
    )
    ban_after: int = setting(
        COUNT,
        40,
        "Points of failed logins, within an hour, that ban an address (IPv6: its /64): 1 for a "
        "wrong password, 2 for an unknown name. Addresses of this machine are never banned.",
        live=True,
    )
    ban_time: float = setting(
        SECONDS,
        600,
        "Duration of the first ban of an address; each further one within a week lasts twice as "
        "long, up to a week. 0 for no bans.",
        live=True,
    )
    allow_networks: str | None = setting(
        TEXT,
        None,
        "File with addresses and networks, one a line, that are never banned or denied; read again "
        "when it changes.",
    )
    deny_networks: str | None = setting(
        TEXT,
        None,
        "File with addresses and networks, one a line, whose connections are refused; read again "
        "when it changes.",
    )
    core_dumps: bool = setting(
        SWITCH,
        "off",
        "Whether a crash may write a core dump, and a debugger of the same user may attach: the "
        "memory of the service contains passwords of logins in progress.",
    )
    rename_across_mounts: RenameAcrossMounts = setting(
        TEXT,
        "refuse",
        "What a rename between two storages of an account (mounts) does: refuse, or copy (a file "
        "is copied, then removed where it was; directories are refused).",
        enum_parser(RenameAcrossMounts),
        live=True,
    )
    retention_time: time | None = setting(
        TEXT,
        "03:00",
        "Local time of the day at which files are deleted that accounts with retention no longer "
        "keep; none: only by ftpservice retention run.",
        parse_time_of_day,
        example='"03:00"',
        live=True,
    )
    retention_directories: bool = setting(
        SWITCH,
        "off",
        "Whether retention deletes empty directories, too.",
        live=True,
    )

    def check_workers(self, root: str) -> None:
        """Raise `SettingsConflict` if several processes could not serve ``root``."""
        if self.workers > 1 and root.startswith(MEMORY_SCHEME):
            raise SettingsConflict(
                f"--workers {self.workers}: files of {MEMORY_SCHEME} exist in one process only - "
                "choose another storage, or --workers 1"
            )

    @property
    def ban_rules(self) -> BanRules:
        """The rules for automatic bans."""
        return BanRules(self.ban_after if self.ban_time else 0, self.ban_time)

    @property
    def retention(self) -> RetentionSchedule:
        """When files are deleted by themselves."""
        return RetentionSchedule(self.retention_time, self.retention_directories)
