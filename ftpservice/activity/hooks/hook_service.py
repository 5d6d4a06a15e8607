"""The hooks and gates of a service, from their settings; and who is told of which event."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.hooks.command_hook import CommandGate, CommandHook
from ftpservice.activity.hooks.event_documents import EVENT_KINDS, document_of, event_name
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.activity.hooks.plugin_hook import PluginHook, plugin_gate
from ftpservice.activity.hooks.webhook_hook import WebhookHook
from ftpservice.activity.hooks.webhook_request import read_key
from ftpservice.backends.gates.gate_rules import GateRule
from ftpservice.backends.gates.path_patterns import PathPatterns
from ftpservice.events import Event, EventStream
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = ["HookService", "build_gates", "build_hooks", "check_hook"]

log = Logger("ftpservice.hooks")

DELAY_SECONDS = 0.02
"""How long events wait for others, so that a transfer costs one step of a list."""
SPOOL_DIRECTORY = "hooks"
"""In the data directory."""


def check_hook(settings: HookSettings, data_dir: str | None) -> None:
    """Raise `ValueError` if a hook could not work: its command, key or plugin is missing."""
    if settings.command:
        word = settings.command[0]
        found = shutil.which(word)
        if found is None or not (os.path.isabs(word) or "/" not in word):
            raise ValueError(f"hook {settings.name!r}: command {word!r} is not an executable file")
    if settings.webhook:
        try:
            read_key(settings.secret_file)
        except OSError as error:
            text = f"{settings.secret_file}: {error.strerror}"
            raise ValueError(f"hook {settings.name!r}: secret-file {text}") from None
        except ValueError as error:
            raise ValueError(f"hook {settings.name!r}: secret-file {error}") from None
        if data_dir is None:
            raise ValueError(f"hook {settings.name!r}: a webhook needs data-dir, for its spool")


class _Hook:
    """One hook: what it is told of, and how."""

    def __init__(self, settings: HookSettings, way: Any) -> None:
        self.on = frozenset(settings.on)
        self.way = way
        self._accounts, self._groups = frozenset(settings.accounts), frozenset(settings.groups)
        self._paths = PathPatterns(settings.paths)
        self._is_for_all = not (settings.accounts or settings.groups or settings.paths)

    def wants(self, event: Event) -> bool:
        """Return whether account, groups and path of an event are among its own."""
        if self._is_for_all:
            return True
        if self._accounts or self._groups:
            is_its = event.user in self._accounts or not self._groups.isdisjoint(event.info.groups)
            if not is_its:
                return False
        texts = (getattr(event, "path", ""), getattr(event, "target", ""))
        if self._paths.is_for_all:
            return True
        return any(self._matches(text) for text in texts if text)

    def _matches(self, text: str) -> bool:
        try:
            return self._paths.match(VirtualPath.parse(text))
        except BadPath:  # it was refused for that
            return False


class HookService(Service):
    """Tells hooks of events, a moment later; ``gates`` are those that end with the service."""

    def __init__(self, hooks: Sequence[tuple[HookSettings, Any]], reactor: Any) -> None:
        self._hooks = [_Hook(settings, way) for settings, way in hooks]
        self.gates: Sequence[GateRule] = ()
        self._reactor = reactor
        self._waiting: list[Event] = []
        self._call: IDelayedCall | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def ways(self) -> list[Any]:
        """How each hook is told of events, with a ``record`` and what is ``pending``."""
        return [hook.way for hook in self._hooks]

    def subscribe(self, stream: EventStream) -> None:
        """Be told of the events that a hook wants."""
        names = {name for hook in self._hooks for name in hook.on}
        kinds = tuple(dict.fromkeys(kind for name in names for kind in EVENT_KINDS[name]))
        if kinds:
            self._unsubscribe = stream.subscribe(self._happened, *kinds)

    def _happened(self, event: Event) -> None:
        self._waiting.append(event)
        if self._call is None:
            self._call = self._reactor.callLater(DELAY_SECONDS, self._deliver)

    def _deliver(self) -> None:
        """Pass on the events that wait."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            try:
                self._pass_on(event)
            except Exception:  # noqa: BLE001 - the other events follow
                log.failure("an event could not be passed on to hooks")

    def _pass_on(self, event: Event) -> None:
        name = event_name(event)
        told = [hook for hook in self._hooks if name in hook.on and hook.wants(event)]
        if told:
            document = document_of(event)
            for hook in told:
                hook.way.deliver(event, document)

    def startService(self) -> None:
        """Begin to send what an earlier run has left."""
        super().startService()
        for hook in self._hooks:
            hook.way.start()

    def finish(self) -> Deferred[Any]:
        """Pass on what waits, and end all commands and requests; when no session is left."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        self._deliver()
        parts = [hook.way for hook in self._hooks] + [rule.gate for rule in self.gates]
        ending = [_stopped(part) for part in parts if hasattr(part, "stop")]
        return DeferredList(ending, consumeErrors=True)


def _stopped(part: Any) -> Deferred[Any]:
    def stop() -> Any:
        ending = part.stop()
        return ending if isinstance(ending, Deferred) or ending is None else ensureDeferred(ending)

    return maybeDeferred(stop).addErrback(_unexpected)


def _unexpected(failure: Failure) -> None:
    log.failure("a hook could not be stopped", failure)


def build_gates(settings: Iterable[HookSettings], reactor: Any) -> list[GateRule]:
    """Return the gates among these hooks, in their order; raises `ValueError`."""
    rules = []
    for one in settings:
        if not one.gate:
            continue
        gate = CommandGate(one, reactor) if one.command else _named(one, plugin_gate)
        rules.append(
            GateRule(
                one.name,
                gate,
                frozenset(one.on),
                one.time_limit,
                one.on_failure == "accept",
                frozenset(one.accounts),
                frozenset(one.groups),
                PathPatterns(one.paths),
            )
        )
    return rules


def build_hooks(
    settings: Iterable[HookSettings], data_dir: str | None, reactor: Any
) -> HookService:
    """Return the service of the hooks that are no gates; raises `ValueError`."""
    hooks: list[tuple[HookSettings, Any]] = []
    for one in settings:
        check_hook(one, data_dir)
        if one.gate:
            continue
        if one.command:
            hooks.append((one, CommandHook(one, reactor)))
        elif one.webhook:
            directory = Path(str(data_dir), SPOOL_DIRECTORY)
            hooks.append((one, WebhookHook(one, directory, reactor)))
        else:
            hooks.append((one, _named(one, PluginHook)))
    return HookService(hooks, reactor)


def _named(settings: HookSettings, build: Callable[[HookSettings], Any]) -> Any:
    try:
        return build(settings)
    except ValueError as error:
        raise ValueError(f"hook {settings.name!r}: {error}") from None
