"""The tables ``[[hook]]`` of the TOML file: they are no options."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.activity.hooks.hook_settings import HookSettings, parse_hook, refuse_same_names
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.setting import TABLES, setting

__all__ = ["HookTables"]


@dataclass(frozen=True)
class HookTables:
    """The hooks and gates, in their order."""

    hook: tuple[HookSettings, ...] = setting(
        TABLES,
        (),
        "Tables [[hook]], in the file only: commands, webhooks and plugins that are told of "
        "events, or that may refuse uploads, deletions and logins ([hooks](hooks.md)).",
        parse_hook,
        live=True,
        example='name = "log", on = ["upload"], command = ["/usr/bin/logger"]',
    )

    def check_hooks(self) -> None:
        """Raise `SettingsConflict` if two hooks have one name."""
        try:
            refuse_same_names(self.hook)
        except ValueError as error:
            raise SettingsConflict(f"[[hook]]: {error}") from None
