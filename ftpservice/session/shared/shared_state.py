"""What counts over all sessions, in whatever process they are.

`ISharedState` has an implementation for a service of one process, `LocalState`, and one for several
processes of a machine, `TableState`. A method whose answer may have to come from elsewhere is a
coroutine; none is on the way of a command that has no limit or upload to ask about.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface, implementer

from ftpservice.accounts.defence.login_attempts import LoginAttempts
from ftpservice.session.active_uploads import ActiveUploads
from ftpservice.session.resume_offers import ResumeOffers
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.shared.ports_of_processes import PortsOfProcesses
from ftpservice.stream.rate_limit import SharedRateLimiters

__all__ = ["ISharedState", "LocalState"]


class ISharedState(Interface):
    """What the sessions of all processes count together."""

    login_attempts = Attribute("When an address may try a password: a `LoginAttempts`.")
    session_limits = Attribute("The sessions in all, by address and by user: a `SessionLimits`.")
    rate_limiters = Attribute("The rate limits of users: a `SharedRateLimiters`.")
    resume_offers = Attribute(
        "Interrupted uploads that no storage has a note of: a `ResumeOffers`."
    )
    uploads = Attribute("The uploads under way: an `ActiveUploads`.")
    ports_of_processes = Attribute(
        "Closes passive ports in whatever process: a `PortsOfProcesses`; None if there is only one."
    )


@implementer(ISharedState)
class LocalState:
    """What is counted by a process that serves alone."""

    def __init__(self, clock: IReactorTime) -> None:
        self.login_attempts = LoginAttempts(clock)
        self.session_limits = SessionLimits()
        self.rate_limiters = SharedRateLimiters(clock)
        self.resume_offers = ResumeOffers(clock.seconds)
        self.uploads = ActiveUploads()
        self.ports_of_processes: PortsOfProcesses | None = None
