"""What sessions count together."""

from __future__ import annotations

from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from ftpservice.session.shared.shared_state import ISharedState, LocalState


def test_a_process_alone_has_everything_that_counts() -> None:
    assert verifyObject(ISharedState, LocalState(Clock()))
