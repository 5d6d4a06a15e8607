"""Events of sessions, as frozen values, and the stream on which all events are published.

Publishers do not depend on subscribers: an exception in a subscriber is reported, and affects
neither the publisher nor other subscribers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = [
    "NO_SESSION",
    "CommandFailed",
    "CommandRefused",
    "Event",
    "EventStream",
    "FileChanged",
    "FileExpired",
    "HandshakeFailed",
    "LoggedIn",
    "LoginFailed",
    "LoginRefusal",
    "Outcome",
    "Refused",
    "SessionClosed",
    "SessionInfo",
    "SessionOpened",
    "SessionStalled",
    "TransferEnded",
    "TransferStarted",
    "UploadRefused",
    "event_value",
]


C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def event_value(kind: type[C]) -> type[C]:
    """Make a class of events: frozen for type checkers, plain slots at run time.

    A check of each assignment at run time would take six times as long as to make the event, and
    each small transfer has two.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


def _no_name(_path: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is the same for many events of a session: one object that they share."""

    id: str = ""
    """Unique among all sessions of all runs and machines; empty where there is no session."""
    protocol: str = ""
    """``ftp``, ``simple``, or ``http`` for a login to the page."""
    tls: str = ""
    """Version and cipher of the control connection; empty: plaintext."""
    groups: tuple[str, ...] = ()
    """The groups of the account, the first one counts most."""
    storage_name: Callable[[str], str | None] = _no_name
    """Returns the storage's own name of a path of the account, without asking the storage.

    For ``local:`` that is the path on the disk. None: the storage has no such names.
    """
    owner: str = ""
    """The name that the trash and the interrupted uploads of the account are kept under: an account
    that was renamed has that of before. Empty: the name of the account.
    """


NO_SESSION = SessionInfo()


@event_value
class Event:
    """The base of all events."""

    when: float
    """Seconds since the epoch."""
    session: int
    """The number of the session, unique in this process."""
    peer: str
    """The client's IP address; ``local`` for a UNIX socket."""
    user: str
    """The account's name; empty before login."""
    info: SessionInfo = field(default=NO_SESSION, kw_only=True, compare=False, repr=False)


class LoginRefusal(StrEnum):
    """Why a login was refused, for the operator: every client gets the same reply.

    But outside its hours an account with the right password is told that.
    """

    WRONG_PASSWORD = "wrong password"
    UNKNOWN_NAME = "unknown name"
    UNUSABLE_LINE = "unusable line"
    """The account's line is malformed."""
    DISABLED = "disabled"
    EXPIRED = "expired"
    OUTSIDE_HOURS = "outside its hours"
    """The password is right, but the account may not log in at this time; no failed login."""
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
    STORE_UNAVAILABLE = "account store unavailable"
    """A store that may have the account is down."""
    WRONG_FACTOR = "wrong second factor"
    """The password was right, the one-time code, the recovery code or the passkey was not."""
    NO_FACTOR = "no second factor"
    """The password was right, but the account needs a second factor and has none."""
    GATE = "refused by a gate"
    """A hook of the settings said no; the detail has its name and its text."""
    NO_FILES = "files unavailable"
    """The account's storage could not be opened."""
    REFUSED = "refused"
    """By a checker or realm that gives no reason."""
    CHECKER_FAILED = "checker failed"
    """A checker raised an unexpected error; the log has its traceback."""


@event_value
class SessionOpened(Event):
    """A client connected and was greeted."""

    protocol: str = "ftp"
    """``ftp``, ``simple`` for the simple protocol, or ``http`` for a login to the page."""


@event_value
class SessionClosed(Event):
    """A session that was opened has ended, and its transfers.

    ``user`` is the account of its last login.
    """

    reason: str = ""
    """Why the control connection was closed, as text."""
    seconds: float = 0.0
    """The duration of the session."""
    files_up: int = 0
    """Complete uploads."""
    bytes_up: int = 0
    """Bytes received, also by incomplete uploads."""
    files_down: int = 0
    bytes_down: int = 0


@event_value
class SessionStalled(Event):
    """A session is ended because its client made no progress for the stall timeout."""

    reason: str
    """What the client did not do, as text."""


@event_value
class LoggedIn(Event):
    """A login succeeded."""

    tls: str = ""
    """Version and cipher of the control connection; empty: plaintext."""


@event_value
class LoginFailed(Event):
    """A login was refused; ``user`` is the name that was tried."""

    reason: LoginRefusal = LoginRefusal.REFUSED
    detail: str = ""
    """The circumstances, as text for the operator: which line, which network, since when."""


@event_value
class HandshakeFailed(Event):
    """The TLS handshake of a control connection failed."""

    reason: str
    """The reason, as text."""


@event_value
class Refused(Event):
    """A connection or session was refused: over a limit, or not allowed."""

    reason: str
    """The reason, as text."""


@event_value
class CommandFailed(Event):
    """A command failed with an unexpected error; the log has the traceback."""

    command: str
    """The verb."""
    detail: str
    """The error, as text."""


@event_value
class CommandRefused(Event):
    """A command was answered with an error, and no other event describes it."""

    command: str
    """The verb; empty for a line that is no command."""
    path: str
    """The file as the account sees it, absolute; empty if the command is not about a file."""
    code: int | str
    """The reply code in FTP, a word in the simple protocol."""
    text: str
    """The text of the reply."""
    detail: str = ""
    """Details that the reply does not contain."""


class Outcome(Enum):
    """How a transfer ended."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    """Ended before it was complete: by the client, the network, a timeout or ABOR."""
    REFUSED = "refused"
    """Ended by the storage: it is full, over quota, does not permit it, or has failed."""


@event_value
class TransferStarted(Event):
    """A transfer began."""

    path: str
    """The file as the account sees it, absolute."""
    upload: bool
    """Whether the client sends the file; otherwise it is a download."""
    transfer: int = 0
    """The number of the transfer in its session, from 1."""
    size: int | None = None
    """Bytes to be transferred, if that is known."""

    @property
    def transfer_id(self) -> str:
        """Return what names the transfer among all of all sessions."""
        return f"{self.info.id}-{self.transfer}"


@event_value
class TransferEnded(Event):
    """A transfer ended, complete or not; there is one for each `TransferStarted`."""

    path: str
    """The file as the account sees it, absolute."""
    upload: bool
    """Whether the client sent the file; otherwise it is a download."""
    outcome: Outcome
    size: int
    """Bytes transferred; fewer than the file has if the transfer was resumed."""
    seconds: float
    """The duration."""
    detail: str = ""
    """Why it is not complete, as text."""
    digest: str = ""
    """``ALGORITHM:hex``; empty if it was not computed."""
    transfer: int = 0
    """The number of the transfer in its session, as in its `TransferStarted`."""
    ascii: bool = False
    """Whether line ends were converted (TYPE A)."""

    @property
    def transfer_id(self) -> str:
        """Return what names the transfer among all of all sessions."""
        return f"{self.info.id}-{self.transfer}"

    @property
    def rate(self) -> float:
        """Return bytes per second."""
        return self.size / self.seconds if self.seconds else 0.0


@event_value
class UploadRefused(CommandRefused):
    """An upload was refused: before it began, or when its bytes had arrived."""

    transfer: int = 0
    """The number of the transfer, whose `TransferEnded` came before; 0 if none began."""
    refused_by: str = ""
    """What refused it; empty for the storage and its rules."""


@event_value
class FileChanged(Event):
    """A file or directory was created, removed, renamed or changed; uploads are transfers."""

    action: str
    """One of ``delete``, ``mkdir``, ``rmdir``, ``rename``, ``restore``, ``attributes`` and ``drop
    partial``."""
    path: str
    """For ``restore`` the path that the file had when it was deleted or overwritten."""
    target: str = ""
    """The new path of a rename, or of a file that was restored."""


@event_value
class FileExpired(Event):
    """The retention of an account has deleted a file; it belongs to no session (0)."""

    path: str
    """The file as the account sees it, absolute."""
    size: int
    """Bytes."""
    age: float
    """Seconds since it was changed or created."""
    rule: str
    """The rule, as in the retention of the account: ``/in: 7d``.

    ``30d of 'ben'`` if it is that of another account with the file, which keeps it longer.
    """
    is_directory: bool = False
    """Whether it was an empty directory."""


E = TypeVar("E", bound=Event)
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

    @overload
    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]: ...

    @overload
    def subscribe(
        self, subscriber: Callable[[E], None], kind: type[E], /, *kinds: type[Event]
    ) -> Callable[[], None]: ...

    def subscribe(
        self, subscriber: Callable[[Any], None], *kinds: type[Event]
    ) -> Callable[[], None]:
        """Call ``subscriber`` with events of these kinds, or all; returns a function to end that.

        It is called in the reactor's thread and must not block.
        """
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
