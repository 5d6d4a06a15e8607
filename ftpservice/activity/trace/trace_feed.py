"""A trace: the transcript of a session, or of all sessions of an account, while they run.

Records are JSON objects with ``session`` (its number), ``at`` (seconds since the trace began) and
one of: ``opened``, ``joined``, ``command``, ``reply`` with ``lines``, ``transfer``, ``closed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.trace.redaction import REDACTED, Redactor
from ftpservice.control.factory import FTPFactory
from ftpservice.control.protocol import ControlProtocol
from ftpservice.control.session_tap import tap_session
from ftpservice.events import Event, LoggedIn, SessionClosed, SessionOpened, TransferEnded
from ftpservice.wire.commands import Command
from ftpservice.wire.replies import Reply

__all__ = ["TRACE_VERSION", "TraceFeed", "trace_for"]

TRACE_VERSION = 1
MAX_RECORDS_BEFORE_LOGIN = 200
"""Of a session whose account is not known yet."""

Record = dict[str, Any]


class TracedSession:
    """The records of one session; they are held back until ``release``."""

    def __init__(self, send: Callable[[Record], object], is_held: bool) -> None:
        self._send = send
        self._held: list[Record] | None = [] if is_held else None
        self._dropped = 0
        self.untap: Callable[[], object] = bool

    @property
    def is_held(self) -> bool:
        """Whether the account is not known yet."""
        return self._held is not None

    def add(self, record: Record) -> None:
        """Send a record, or hold it back."""
        if self._held is None:
            self._send(record)
        elif len(self._held) < MAX_RECORDS_BEFORE_LOGIN:
            self._held.append(record)
        else:
            self._dropped += 1

    def release(self) -> None:
        """Send what was held back, and what follows."""
        held, self._held = self._held or [], None
        for record in held:
            self._send(record)
        if self._dropped:
            place = {key: held[-1][key] for key in ("session", "at")}
            self._send({**place, "dropped": self._dropped})


class TraceFeed:
    """The trace of ``session``, or of all sessions of ``user``, also those that begin later."""

    def __init__(
        self, factory: FTPFactory, user: str, session: int | None, hides_names: bool
    ) -> None:
        self._factory = factory
        self._services = factory.services()
        self._user = user
        self._session = session
        self._redactor = Redactor(user, hides_names)
        self._traced: dict[int, TracedSession] = {}
        self._send: Callable[[Record], object] = bool
        self._unsubscribe: Callable[[], object] = bool
        self._begin = 0.0

    def start(self, send: Callable[[Record], object]) -> None:
        """Call ``send`` with each record."""
        self._send = send
        self._begin = self._services.clock.seconds()
        names = "hidden" if self._redactor.hides_names else "shown"
        follows = self._session is None
        since = self._services.seconds()
        send({"trace": TRACE_VERSION, "since": since, "names": names, "follows": follows})
        events = self._services.event_sink.events
        kinds = (SessionOpened, LoggedIn, TransferEnded, SessionClosed)
        self._unsubscribe = events.subscribe(self._happened, *kinds)
        if self._session is not None:
            self._join(self._session)
            return
        for number, session in tuple(self._factory.sessions.items()):
            account = session.context.portal_login.account
            if account is not None and account.name == self._user:
                self._join(number)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        self._unsubscribe()
        self._unsubscribe = bool
        while self._traced:
            self._traced.popitem()[1].untap()

    def _happened(self, event: Event) -> None:
        number, traced = event.session, self._traced.get(event.session)
        if isinstance(event, LoggedIn):
            self._logged_in(number, event.user)
        elif isinstance(event, SessionOpened):
            if self._session is None and event.protocol == "ftp":
                self._tap(number, is_held=True)
                self._add(number, opened=True)
        elif traced is None:
            return
        elif isinstance(event, TransferEnded):
            direction = "upload" if event.upload else "download"
            facts = {"size": event.size, "seconds": event.seconds, "outcome": event.outcome.value}
            self._add(number, transfer=direction, **facts)
        else:
            self._leave(number, "closed")

    def _logged_in(self, number: int, user: str) -> None:
        if self._session is not None:
            return
        traced = self._traced.get(number)
        if user != self._user:
            if traced is not None:
                self._leave(number, "another account logged in")
        elif traced is None:
            self._join(number)
        elif traced.is_held:
            traced.release()

    def _join(self, number: int) -> None:
        """Trace a session that runs already; it begins with what leads to its state."""
        session = self._factory.sessions.get(number)
        if isinstance(session, ControlProtocol):
            self._tap(number, is_held=False)
            context = session.context
            has_login, tls = context.portal_login.account is not None, context.tls_state.description
            self._add(number, joined=self._setup(session), login=has_login, tls=bool(tls))

    def _setup(self, session: ControlProtocol) -> list[str]:
        """Return commands that lead from a login to the state of a session."""
        context = session.context
        if context.portal_login.account is None:
            return []
        protection = ["PBSZ 0", "PROT P"] if context.tls_state.data else []
        kind = "TYPE A" if context.parameters.ascii else "TYPE I"
        return [*protection, kind, f"CWD {self._redactor.path(str(context.directory))}"]

    def _tap(self, number: int, is_held: bool) -> None:
        session = self._factory.sessions[number]
        if not isinstance(session, ControlProtocol):
            return
        traced = self._traced[number] = TracedSession(self._sent, is_held)
        received, sent = partial(self._received, number), partial(self._replied, number)
        traced.untap = tap_session(session, received, sent)

    def _sent(self, record: Record) -> None:
        self._send(record)

    def _leave(self, number: int, why: str) -> None:
        self._add(number, closed=why)
        self._traced.pop(number).untap()

    def _add(self, number: int, **facts: Any) -> None:
        traced = self._traced.get(number)
        if traced is not None:
            at = round(self._services.clock.seconds() - self._begin, 6)
            traced.add({"session": number, "at": at, **facts})

    def _received(self, number: int, commands: list[Command | Reply]) -> None:
        for command in commands:
            line = REDACTED  # of a line that was too long, there is only its reply
            if isinstance(command, Command):
                line = self._redactor.command(command)
            self._add(number, command=line)

    def _replied(self, number: int, answer: Reply) -> None:
        lines = [] if self._redactor.hides_names else list(answer.lines)
        self._add(number, reply=answer.code, lines=lines)


def trace_for(factory: FTPFactory, request: Mapping[str, Any]) -> TraceFeed:
    """Return the trace that a request asks for; raises `BadRequest`.

    Its ``target`` is the number or id of a session, or an account.
    """
    target, hides_names = str(request.get("target") or ""), bool(request.get("redact_names"))
    if not target:
        raise BadRequest("trace needs a session or an account")
    for number, session in factory.sessions.items():
        if target in (str(number), session.context.peer.id) and not request.get("is_user"):
            if not isinstance(session, ControlProtocol):
                raise BadRequest(f"session {number} uses the simple protocol; FTP can be traced")
            account = session.context.portal_login.account
            return TraceFeed(factory, account.name if account else "", number, hides_names)
    if target.isdecimal() and not request.get("is_user"):
        raise BadRequest(f"there is no session {target}; --user if it is an account")
    return TraceFeed(factory, target, None, hides_names)
