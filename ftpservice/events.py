"""What happened, as frozen values, and the stream they are published on.

Publishers know nothing of subscribers; a subscriber that fails is reported and does not disturb
the publisher or its neighbours. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

__all__ = [
    "CommandFailed",
    "CommandRefused",
    "Event",
    "EventStream",
    "FileChanged",
    "HandshakeFailed",
    "LoggedIn",
    "LoginFailed",
    "LoginRefusal",
    "Outcome",
    "Refused",
    "SessionClosed",
    "SessionOpened",
    "TransferEnded",
    "TransferStarted",
]


class Outcome(Enum):
    """How a transfer ended."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    """Ended before it was complete, by the peer, the network, a timeout or ABOR."""
    REFUSED = "refused"
    """Ended by the storage: full, over quota, denied, failed."""


class LoginRefusal(StrEnum):
    """Why a login was refused; for the operator only, every client gets the same reply."""

    WRONG_PASSWORD = "wrong password"
    UNKNOWN_NAME = "unknown name"
    UNUSABLE_LINE = "unusable line"
    """The account's line is malformed."""
    DISABLED = "disabled"
    EXPIRED = "expired"
    WRONG_NETWORK = "wrong network"
    NO_TLS = "no TLS"
    NO_CERTIFICATE = "no client certificate"
    OTHER_CERTIFICATE = "client certificate of another name"
    SHIPPED_PASSWORD = "shipped password"
    """The account still has the password that is published with the sources."""
    NO_ANONYMOUS = "anonymous login not allowed"
    THROTTLED = "too many failures"
    """The address has failed too often; the password was not checked."""
    TOO_MANY_SESSIONS = "too many sessions"
    BUSY = "too many logins at once"
    NO_FILES = "files unavailable"
    """The account's storage could not be opened."""
    REFUSED = "refused"
    """By a checker or realm that does not say why."""
    CHECKER_FAILED = "checker failed"
    """A checker raised an unexpected error; the log has its traceback."""


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that happened in a session; ``when`` is seconds since the epoch."""

    when: float
    session: int
    """A number that no other session of this process has."""
    peer: str
    """The client's address, or what stands for it."""
    user: str
    """The account's name; empty before login."""


@dataclass(frozen=True, slots=True)
class SessionOpened(Event):
    """A client connected and was greeted."""

    protocol: str = "ftp"


@dataclass(frozen=True, slots=True)
class SessionClosed(Event):
    """A session that was opened has ended."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class LoggedIn(Event):
    """A login succeeded."""

    tls: str = ""
    """Version and cipher of the control connection; empty: plaintext."""


@dataclass(frozen=True, slots=True)
class LoginFailed(Event):
    """A login was refused; ``user`` is the name that was tried."""

    reason: LoginRefusal = LoginRefusal.REFUSED
    detail: str = ""
    """The circumstances, for a person: which line, which network, since when."""


@dataclass(frozen=True, slots=True)
class HandshakeFailed(Event):
    """The TLS handshake of a control connection failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class TransferStarted(Event):
    """A transfer began."""

    path: str
    upload: bool


@dataclass(frozen=True, slots=True)
class TransferEnded(Event):
    """A transfer ended, complete or not."""

    path: str
    upload: bool
    outcome: Outcome
    size: int
    """Bytes transferred."""
    seconds: float
    detail: str = ""
    digest: str = ""
    """``ALGORITHM:hex`` when known."""


@dataclass(frozen=True, slots=True)
class FileChanged(Event):
    """A name was made, removed or renamed."""

    action: str
    """``delete mkdir rmdir rename attributes``, ``drop partial`` of an interrupted upload."""
    path: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A connection or session was refused: over a limit, or not allowed."""

    reason: str


@dataclass(frozen=True, slots=True)
class CommandFailed(Event):
    """A command failed with an unexpected error; the log has the traceback."""

    command: str
    detail: str


@dataclass(frozen=True, slots=True)
class CommandRefused(Event):
    """A command was answered with an error; logins and transfers that began have other events."""

    command: str
    """The verb; empty for a line that is no command."""
    path: str
    """What it was about, as the account sees it; empty where that is no file."""
    code: int | str
    """A number in FTP, a word in the simple protocol."""
    text: str
    """The text of the reply."""
    detail: str = ""
    """Details that the reply does not contain."""


Subscriber = Callable[[Event], None]
Subscription = tuple[Subscriber, tuple[type[Event], ...]]


class EventStream:
    """Calls each subscriber once with each event, in the order they subscribed.

    ``report_failure`` is called with the exception of a subscriber that fails, and the event.
    """

    def __init__(self, report_failure: Callable[[Exception, Event], None]) -> None:
        self._subscriptions: list[Subscription] = []
        self._subscribers: dict[type[Event], tuple[Subscriber, ...]] = {}
        """Of each kind that was published since the last change of the subscriptions."""
        self._report_failure = report_failure

    def subscribe(self, subscriber: Subscriber, *kinds: type[Event]) -> Callable[[], None]:
        """Add a subscriber of these kinds of events, or of all; returns what removes it."""
        subscription = (subscriber, kinds or (Event,))
        self._subscriptions.append(subscription)
        self._subscribers.clear()

        def unsubscribe() -> None:
            self._subscriptions.remove(subscription)
            self._subscribers.clear()

        return unsubscribe

    def _subscribers_of(self, kind: type[Event]) -> tuple[Subscriber, ...]:
        found = tuple(
            subscriber for subscriber, kinds in self._subscriptions if issubclass(kind, kinds)
        )
        self._subscribers[kind] = found
        return found

    def publish(self, event: Event) -> None:
        """Call the subscribers with ``event``; never raises."""
        kind = type(event)
        subscribers = self._subscribers.get(kind)
        for subscriber in self._subscribers_of(kind) if subscribers is None else subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - a subscriber may fail in any way
                self._report_failure(error, event)
