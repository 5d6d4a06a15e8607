"""The hooks and gates of a service, from their settings; and who is told of which event."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import ref

from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    ensureDeferred,
    maybeDeferred,
    succeed,
)
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

__all__ = ["HookPlan", "HookService", "build_gates", "build_hooks", "check_hook"]

log = Logger("ftpservice.hooks")

DELAY_SECONDS = 0.02
"""How long events wait for others, so that a transfer costs one step of a list."""
NO_DOCUMENT: Mapping[str, Any] = {}
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
        self.settings = settings
        self.way = way
        self.needs_document = not settings.plugin
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


def _by_name(hooks: Sequence[_Hook]) -> dict[str, list[_Hook]]:
    """Return which hooks are told of an event, by its name."""
    names = {name for hook in hooks for name in hook.settings.on}
    return {name: [hook for hook in hooks if name in hook.settings.on] for name in names}


@dataclass(frozen=True)
class HookPlan:
    """The hooks and gates after a change of the settings; what has not changed is kept."""

    hooks: Sequence[tuple[HookSettings, Any]]
    gates: Sequence[tuple[HookSettings, GateRule]]


class HookService(Service):
    """Tells hooks of events, a moment later; ``gates`` are those that end with the service."""

    def __init__(self, hooks: Sequence[tuple[HookSettings, Any]], reactor: Any) -> None:
        self._hooks = [_Hook(settings, way) for settings, way in hooks]
        self._by_name = _by_name(self._hooks)
        self.gates: Sequence[GateRule] = ()
        self._gate_settings: Sequence[HookSettings] = ()
        self._old_gates: list[tuple[ref[GateRule], Any]] = []
        """Gates of settings that have changed, while their rules are those of sessions."""
        self._retired: dict[Any, Deferred[Any]] = {}
        """Hooks of such settings that have not ended, and when they have."""
        self._ends: dict[str, Deferred[Any]] = {}
        """By name: when the last hook with a spool has ended."""
        self._reactor = reactor
        self._waiting: list[Event] = []
        self._call: IDelayedCall | None = None
        self._stream: EventStream | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def ways(self) -> list[Any]:
        """How each hook is told of events, with a ``record`` and what is ``pending``."""
        return [hook.way for hook in self._hooks]

    def use_gates(self, gates: Iterable[tuple[HookSettings, GateRule]]) -> None:
        """Have these gates, with their settings."""
        gates = tuple(gates)
        self.gates = [rule for _, rule in gates]
        self._gate_settings = [settings for settings, _ in gates]

    def subscribe(self, stream: EventStream) -> None:
        """Be told of the events that a hook wants."""
        self._stream = stream
        of_names = (kind for name in self._by_name for kind in EVENT_KINDS[name])
        kinds = tuple(dict.fromkeys(of_names))
        if kinds:
            self._unsubscribe = stream.subscribe(self._happened, *kinds)

    def _unsubscribed(self) -> None:
        """Be told of no more events, and pass on those that wait."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        self._deliver()

    def plan(self, settings: Iterable[HookSettings], data_dir: str | None) -> HookPlan:
        """Return what other settings ask for; raises `ValueError`, and then nothing has changed."""
        ways = {hook.settings: hook.way for hook in self._hooks}
        rules = dict(zip(self._gate_settings, self.gates, strict=True))
        hooks, gates = [], []
        for one in settings:
            if one.gate:
                gates.append((one, rules.get(one) or build_gate(one, self._reactor)))
            else:
                hooks.append((one, ways.get(one) or build_hook(one, data_dir, self._reactor)))
        return HookPlan(hooks, gates)

    def use(self, plan: HookPlan) -> None:
        """Replace the hooks and gates; what runs of the others ends normally."""
        self._unsubscribed()
        old, kept = self._hooks, {settings for settings, _ in plan.hooks}
        known = {hook.settings for hook in old}
        self._hooks = [_Hook(settings, way) for settings, way in plan.hooks]
        self._by_name = _by_name(self._hooks)
        for hook in old:
            if hook.settings not in kept:
                self._retire(hook)
        for hook in self._hooks:
            if hook.settings not in known:
                self._start(hook)
        self._replace_gates(plan)
        if self._stream is not None:
            self.subscribe(self._stream)

    def _replace_gates(self, plan: HookPlan) -> None:
        """Have other gates; those before end when no session asks them any more."""
        kept = {rule for _, rule in plan.gates}
        for _rule, gate in [one for one in self._old_gates if one[0]() is None]:
            _stopped(gate)
        self._old_gates = [one for one in self._old_gates if one[0]() is not None]
        self._old_gates += [(ref(rule), rule.gate) for rule in self.gates if rule not in kept]
        self.use_gates(plan.gates)

    def _start(self, hook: _Hook) -> None:
        """Start a hook, after the one before it that has its spool."""
        if not self.running:
            return
        way, before = hook.way, self._ends.get(hook.settings.name)
        if before is not None and getattr(way, "is_exclusive", False):
            before.addCallback(lambda _none: way.start())
        else:
            way.start()

    def _retire(self, hook: _Hook) -> None:
        way, name = hook.way, hook.settings.name
        if getattr(way, "is_exclusive", False):
            before = self._ends.get(name, succeed(None))
            self._ends[name] = before.addCallback(lambda _none: _stopped(way))
            return
        ending = maybeDeferred(getattr(way, "retire", way.stop))
        self._retired[way] = ending
        ending.addErrback(_unexpected).addCallback(lambda _none: self._retired.pop(way))

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
        document: Mapping[str, Any] = NO_DOCUMENT
        for hook in self._by_name.get(event_name(event), ()):
            if hook.wants(event):
                if hook.needs_document and not document:
                    document = document_of(event)
                hook.way.deliver(event, document)

    def startService(self) -> None:
        """Begin to send what an earlier run has left."""
        super().startService()
        for hook in self._hooks:
            hook.way.start()

    def finish(self) -> Deferred[Any]:
        """Pass on what waits, and end all commands and requests; when no session is left."""
        self._unsubscribed()
        for way in self._retired:
            way.hurry()
        for hook in self._hooks:
            if hook.settings.name in self._ends:
                self._retire(hook)
        ways = [one.way for one in self._hooks if one.settings.name not in self._ends]
        gates = [rule.gate for rule in self.gates] + [gate for _, gate in self._old_gates]
        ending = [_stopped(part) for part in ways + gates]
        before = (*self._ends.values(), *self._retired.values())
        return DeferredList([*ending, *before], consumeErrors=True)


def _stopped(part: Any) -> Deferred[Any]:
    def stop() -> Any:
        ending = part.stop() if hasattr(part, "stop") else None
        return ending if isinstance(ending, Deferred) or ending is None else ensureDeferred(ending)

    return maybeDeferred(stop).addErrback(_unexpected)


def _unexpected(failure: Failure) -> None:
    log.failure("a hook could not be stopped", failure)


def build_gates(
    settings: Iterable[HookSettings], reactor: Any
) -> list[tuple[HookSettings, GateRule]]:
    """Return the gates among these hooks, in their order; raises `ValueError`."""
    return [(one, build_gate(one, reactor)) for one in settings if one.gate]


def build_gate(settings: HookSettings, reactor: Any) -> GateRule:
    """Return the gate of a table; raises `ValueError`."""
    gate = CommandGate(settings, reactor) if settings.command else _named(settings, plugin_gate)
    return GateRule(
        settings.name,
        gate,
        frozenset(settings.on),
        settings.time_limit,
        settings.on_failure == "accept",
        frozenset(settings.accounts),
        frozenset(settings.groups),
        PathPatterns(settings.paths),
    )


def build_hooks(
    settings: Iterable[HookSettings], data_dir: str | None, reactor: Any
) -> HookService:
    """Return the service of the hooks that are no gates; raises `ValueError`."""
    hooks: list[tuple[HookSettings, Any]] = []
    for one in settings:
        check_hook(one, data_dir)
        if not one.gate:
            hooks.append((one, build_hook(one, data_dir, reactor)))
    return HookService(hooks, reactor)


def build_hook(settings: HookSettings, data_dir: str | None, reactor: Any) -> Any:
    """Return how the hook of a table is told of events; raises `ValueError`."""
    if settings.command:
        return CommandHook(settings, reactor)
    if settings.webhook:
        return WebhookHook(settings, Path(str(data_dir), SPOOL_DIRECTORY), reactor)
    return _named(settings, PluginHook)


def _named(settings: HookSettings, build: Callable[[HookSettings], Any]) -> Any:
    try:
        return build(settings)
    except ValueError as error:
        raise ValueError(f"hook {settings.name!r}: {error}") from None
