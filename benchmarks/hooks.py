"""A hook and a gate that do nothing but accept: the cost of asking them is measured."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ftpservice.api import IEventSubscriber
from ftpservice.events import Event
from ftpservice.storage import (
    GateAnswer,
    GateRequest,
    IDeleteGate,
    IHeldFile,
    ILoginGate,
    IUploadGate,
)

__all__ = ["Gate", "Subscriber"]


@implementer(IEventSubscriber)
class Subscriber:
    """Counts events."""

    def __init__(self) -> None:
        self.count = 0

    def event_happened(self, _event: Event) -> None:
        """Count one."""
        self.count += 1


@implementer(IUploadGate, IDeleteGate, ILoginGate)
class Gate:
    """Accepts everything."""

    def check_upload(self, _request: GateRequest, _upload: IHeldFile) -> Deferred[GateAnswer]:
        """Accept."""
        return succeed(GateAnswer(accepts=True))

    def check_delete(self, _request: GateRequest) -> Deferred[GateAnswer]:
        """Accept."""
        return succeed(GateAnswer(accepts=True))

    def check_login(self, _request: GateRequest) -> Deferred[GateAnswer]:
        """Accept."""
        return succeed(GateAnswer(accepts=True))
