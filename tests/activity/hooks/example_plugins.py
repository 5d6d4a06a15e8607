"""Plugins that the settings of tests name."""

from twisted.plugin import IPlugin
from zope.interface import implementer

from ftpservice.activity.hooks.plugin_hook import IEventSubscriber, IHookPlugin
from ftpservice.storage.gates import GateAnswer, IUploadGate

__all__ = ["GATE", "Gate", "Incomplete", "NamedPlugin", "Subscriber", "broken"]


@implementer(IEventSubscriber)
class Subscriber:
    def __init__(self, argument="none"):
        self.argument = argument
        self.events = []

    def event_happened(self, event):
        self.events.append(event)
        if self.argument == "fails":
            raise ZeroDivisionError


@implementer(IEventSubscriber, IUploadGate)
class Incomplete:
    """Lacks a method, and has another one with too few arguments."""

    async def check_upload(self, _request):
        return GateAnswer(True)


@implementer(IUploadGate)
class Gate:
    async def check_upload(self, _request, upload):
        found = await upload.read(0, 100)
        return GateAnswer(found != b"bad", "It is bad.")


GATE = Gate()


def broken():
    raise ZeroDivisionError("boom")


@implementer(IPlugin, IHookPlugin)
class NamedPlugin:
    name = "named"

    def build(self, argument):
        return Subscriber(f"built with {argument}")
