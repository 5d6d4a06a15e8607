"""An upload of a browser as the rest of the service sees it: one transfer over several requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall

from ftpservice.events import Outcome, UploadRefused
from ftpservice.session.error_replies import log_detail, refused_by, undisclosed_detail
from ftpservice.storage.interfaces import IWriting
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.http.problems import Problem
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadProgress"]

PAUSE_SECONDS = 20.0
"""Time between two requests of an upload after which it counts as interrupted."""
ENDED_TEXT = "the session ended"
PAUSED_TEXT = "the client sent no more of it"


class UploadProgress:
    """From its `TransferStarted` to its `TransferEnded`; ``size`` are the bytes to come.

    `pause` is called between two requests, `go_on` at the next one, `ended` once.
    """

    upload = True
    is_committing = False

    def __init__(
        self,
        account: AccountSession,
        path: VirtualPath,
        size: int,
        stop: Callable[[], object],
    ) -> None:
        self.account = account
        self.what = f"POST {path}"
        self.moved = 0
        """Bytes so far."""
        self.is_over = False
        self.when_over: Callable[[], object] = lambda: None
        self.stop = stop
        """Ends the request in progress."""
        self._path = str(path)
        context = account.context
        self._user = context.account.name
        self._started = context.services.clock.seconds()
        self._pause: IDelayedCall | None = None
        self._open = ExitStack()
        self._open.enter_context(account.working(self._stop, self._end_if_paused))
        self._number = account.begin_transfer(self, self._path, size)

    def _stop(self) -> None:
        """End with the session."""
        if not self._end_if_paused():
            self.stop()

    def _end_if_paused(self) -> bool:
        """End if no request is in progress; return whether there is none."""
        is_paused = self._pause is not None
        if is_paused:
            self.ended(TransferAborted(ENDED_TEXT))
        return is_paused

    def pause(self) -> None:
        """Wait for the next request, for a time; there is none after the end of the session."""
        if self.account.is_over:
            self.ended(TransferAborted(ENDED_TEXT))
            return
        clock = self.account.context.services.clock
        self._pause = clock.callLater(PAUSE_SECONDS, self._paused)

    def _paused(self) -> None:
        self._pause = None
        self.ended(TransferAborted(PAUSED_TEXT))

    def go_on(self, stop: Callable[[], object]) -> None:
        """Go on with another request."""
        self.stop = stop
        self._end_pause()

    def _end_pause(self) -> None:
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.cancel()

    def committed(self, writing: IWriting, entry: Entry) -> None:
        """End as complete."""
        self._path = str(writing.path)
        self._end(Outcome.COMPLETE, "", self._committed_digest(writing, entry))

    def _committed_digest(self, writing: IWriting, entry: Entry) -> str:
        return self.account.context.upload_committed(self._user, writing, entry)

    def ended(self, error: BaseException, problem: Problem | None = None) -> None:
        """End because of an error, and publish the refusal; ``problem`` is what the client gets."""
        if self.is_over:
            return
        is_abort = isinstance(error, TransferAborted | CancelledError)
        self._end(Outcome.ABORTED if is_abort else Outcome.REFUSED, log_detail(error), "")
        if not is_abort and problem is not None:
            text = problem.detail
            facts = ("POST", self._path, problem.status, text, undisclosed_detail(error, text))
            who = (self._number, refused_by(error))
            self.account.context.events.publish(UploadRefused, *facts, *who, user=self._user)

    def _end(self, outcome: Outcome, detail: str, digest: str) -> None:
        self.is_over = True
        self._end_pause()
        context = self.account.context
        self.account.remove_transfer(self._number)
        seconds = context.services.clock.seconds() - self._started
        facts = (self._path, True, outcome, self.moved, seconds, detail, digest, self._number)
        context.events.end_transfer(self._user, *facts)
        self.when_over()
        self._open.close()
