"""The hooks and gates of the settings, joined to the events and to the realm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.accounts.realm import Realm
from ftpservice.activity.hooks.hook_service import (
    HookService,
    build_gates,
    build_hooks,
    check_hook,
)
from ftpservice.backends.gates.gate_rules import GateBook
from ftpservice.events import EventStream
from ftpservice.service.settings.directories import Owner, acting_as
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["change_hooks", "check_changed_hooks", "hooks_for", "join_hooks"]


def hooks_for(settings: ServiceSettings, reactor: Any, owner: Owner) -> HookService:
    """Return the hooks of the settings, with their gates, for ``owner``; raises `CannotStart`."""
    try:
        with acting_as(owner):
            hooks = build_hooks(settings.hook, settings.data_dir, reactor)
            hooks.use_gates(build_gates(settings.hook, reactor))
    except ValueError as error:
        raise CannotStart(f"[[hook]]: {error_text(error)}") from None
    return hooks


def join_hooks(
    settings: ServiceSettings, realm: Realm, events: EventStream, reactor: Any, owner: Owner
) -> HookService:
    """Return the hooks, which are told of events; the realm asks the gates."""
    hooks = hooks_for(settings, reactor, owner)
    _ask_gates(realm, hooks, reactor)
    hooks.subscribe(events)
    return hooks


def _ask_gates(realm: Realm, hooks: HookService, reactor: Any) -> None:
    realm.gates = GateBook(hooks.gates, reactor) if hooks.gates else None


def check_changed_hooks(settings: ServiceSettings) -> None:
    """Raise `ValueError` if a hook of other settings could not work (blocks)."""
    try:
        for one in settings.hook:
            check_hook(one, settings.data_dir)
    except ValueError as error:
        raise ValueError(f"[[hook]]: {error_text(error)}") from None


def change_hooks(
    hooks: HookService, realm: Realm, settings: ServiceSettings, reactor: Any
) -> Callable[[], None]:
    """Return what replaces the hooks; raises `ValueError`, and then nothing has changed."""
    try:
        plan = hooks.plan(settings.hook, settings.data_dir)
    except ValueError as error:
        raise ValueError(f"[[hook]]: {error_text(error)}") from None

    def use() -> None:
        hooks.use(plan)
        _ask_gates(realm, hooks, reactor)

    return use
