"""Python plugins: subscribers of events and gates, by the name of a plugin or a dotted name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.plugin import IPlugin, getPlugins
from zope.interface import Attribute, Interface, Invalid
from zope.interface.verify import verifyObject

from ftpservice.activity.hooks.event_documents import event_name
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.backends.gates.run_record import HOOK_OUTCOMES, HookRun, RunRecord
from ftpservice.events import Event
from ftpservice.storage.gates import IDeleteGate, ILoginGate, IUploadGate

__all__ = ["IEventSubscriber", "IHookPlugin", "PluginHook", "plugin_gate", "plugin_of"]

log = Logger("ftpservice.hooks")


class IEventSubscriber(Interface):
    """Is told of events."""

    def event_happened(event: Event) -> None:
        """Use an event (`ftpservice.events`); called in the reactor's thread, must not block."""


class IHookPlugin(IPlugin):
    """Makes a subscriber or gate; found in ``twisted/plugins`` by its name."""

    name = Attribute("The name in the settings.")

    def build(argument: str) -> object:
        """Return an `IEventSubscriber`, `IUploadGate`, `IDeleteGate` or `ILoginGate`."""


GATES = {"upload": IUploadGate, "delete": IDeleteGate, "login": ILoginGate}


def plugin_of(settings: HookSettings) -> Any:
    """Return the object that a hook names; raises `ValueError`."""
    name, argument = settings.plugin, settings.argument
    try:
        for plugin in getPlugins(IHookPlugin):
            if plugin.name == name:
                return plugin.build(argument)
        found = _by_dotted_name(name)
        if not callable(found):
            return found
        return found(argument) if argument else found()
    except LookupError as error:
        raise ValueError(f"plugin {name}: {error.args[0]}") from None
    except Exception as error:
        raise ValueError(f"plugin {name}: {type(error).__name__}: {error}") from error


def _by_dotted_name(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    if not module:
        raise LookupError("there is no plugin of that name")
    found = import_module(module)
    try:
        return getattr(found, attribute)
    except AttributeError:
        raise LookupError(f"the module {module} has no {attribute}") from None


def plugin_gate(settings: HookSettings) -> Any:
    """Return the gate that a hook names; raises `ValueError`."""
    gate = plugin_of(settings)
    for action in settings.on:
        _require(gate, GATES[action], settings.plugin)
    return gate


def _require(found: Any, interface: Any, plugin: str) -> None:
    name = interface.__name__
    if not interface.providedBy(found):
        raise ValueError(f"plugin {plugin}: it does not provide {name}")
    try:
        verifyObject(interface, found)
    except Invalid as error:
        details = " ".join(str(error).split(f"{name}:", 1)[-1].split())
        raise ValueError(f"plugin {plugin}: it does not implement {name}: {details}") from None


class PluginHook:
    """Tells a subscriber of events; raises `ValueError` if there is none of that name."""

    pending = 0
    """It is told at once."""

    def __init__(self, settings: HookSettings) -> None:
        self._name = settings.name
        self.record = RunRecord(settings.name, HOOK_OUTCOMES)
        self._subscriber = plugin_of(settings)
        _require(self._subscriber, IEventSubscriber, settings.plugin)

    def deliver(self, event: Event, _document: Mapping[str, Any]) -> None:
        """Pass on an event, without its document; an error is logged."""
        started, outcome, record = time.time(), "delivered", self.record
        try:
            self._subscriber.event_happened(event)
        except Exception:  # noqa: BLE001 - a plugin may fail in any way
            outcome = "failed"
            log.failure("the hook {name} failed", name=self._name)
        seconds = max(0.0, time.time() - started)
        if record.listener is None:
            record.add_run(outcome, started, seconds)
            return
        about = (event_name(event), event.info.id, getattr(event, "transfer_id", ""))
        record.add(HookRun("hook", self._name, *about, started, seconds, outcome))

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> Deferred[None]:
        """Do nothing."""
        return succeed(None)
