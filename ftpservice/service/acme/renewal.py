"""Gets the certificate of the service by ACME, and renews it in time.

The service serves meanwhile, with the certificate it has. A failed attempt changes nothing but the
time of the next one, which is kept over restarts; the log says what the authority has said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import CertificateFailed, CertificateIssued, Event
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.acme.acme_files import UnusableFile
from ftpservice.service.acme.authority_error import AuthorityError, one_line
from ftpservice.service.acme.issuance import Issuance, IssuanceParts
from ftpservice.service.acme.limited_job import LimitedJob
from ftpservice.service.acme.renewal_plan import RenewalPlan
from ftpservice.service.acme.renewal_state import RenewalState
from ftpservice.service.acme.schedule import retry_delay
from ftpservice.service.settings.errors import error_text

__all__ = ["CertificateRenewal", "RenewalParts"]

log = Logger("ftpservice.tls")

MAX_SLEEP_SECONDS = 3600.0
"""The longest time between two looks at the clock, which may be set."""
MIN_SLEEP_SECONDS = 0.05
ATTEMPT_SECONDS = 600.0
"""Time limit of an attempt."""
MIN_INQUIRY_SECONDS, MAX_INQUIRY_SECONDS = 3600.0, 86_400.0
"""Limits of the time between two inquiries when to renew (RFC 9773 §4.3.3).

The authority may ask for less than an hour, and would then get a request a minute for ever.
"""
WAIT_ADVICE = "the authority or the network is slow, or stuck"
DISK_ADVICE = "check the disk, and the owner of the directory"
UNSAVED_FORMAT = "the attempts to get a certificate cannot be saved: {reason}"
RETRY_TEXT = "to try at once, run ftpservice certificate renew"


@dataclass(frozen=True)
class RenewalParts:
    """What the renewal works with."""

    issuance: IssuanceParts
    directory: str
    """The URL of the authority's directory."""
    fingerprint_in_use: Callable[[], str]
    """Returns that of the certificate that new connections get."""
    use: Callable[[], Deferred[Any]]
    """Uses the certificate in its file for new connections; may fail with `CertificateError`."""
    publish: Callable[[Event], object]
    random: Callable[[], float]
    """Returns a number from 0 to 1."""


class CertificateRenewal(Service):
    """Runs one attempt at a time."""

    def __init__(
        self,
        parts: RenewalParts,
        pool: Callable[[Any], BlockingRunner] = lambda reactor: BlockingPool(
            reactor, "acme", threads=1
        ),
    ) -> None:
        self._parts = parts
        issuance = parts.issuance
        self._files, self._seconds = issuance.files, issuance.seconds
        self.plan = RenewalPlan(
            issuance.names, parts.directory, issuance.seconds, parts.fingerprint_in_use
        )
        self._timer = Deadline(issuance.reactor, self._wake)
        self._job = LimitedJob(issuance.reactor, ATTEMPT_SECONDS, pool, self._ended)
        self._waiting: list[Deferred[None]] = []
        self._is_unsaved = False
        """Whether a failure is to be written down."""
        self._is_attempting = False
        self._is_requested = self._is_forced = False
        """Whether an attempt is to be made next, and whether in any case."""

    def startService(self) -> None:
        """Read the state, and begin."""
        super().startService()
        self._job.start(self._begin)

    def stopService(self) -> Deferred[None]:
        """Interrupt an attempt in progress; the next start continues it."""
        super().stopService()
        self._timer.clear()
        self._parts.issuance.responder.factory.end_connections()
        return self._job.stop()

    def renew(self, force: bool = False) -> Deferred[None]:
        """Make an attempt now; fires when that one, or the one in progress, has ended.

        ``force``: also if a good certificate is there.
        """
        if not self.running:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._waiting.append(ended)
        if not self._is_attempting:
            self._is_requested, self._is_forced = True, self._is_forced or force
            if not self._job.is_running:
                self._timer.clear()
                self._job.start(self._renew)
        return ended

    def _ended(self) -> None:
        if self._is_unsaved and self.running:
            self._is_unsaved = False
            self._job.start(self._save)  # the thread of the attempt may hang
            return
        if self._is_requested and self.running:
            self._job.start(self._renew)
            return
        if self.running:
            self._sleep()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def _sleep(self) -> None:
        left = self.plan.due_time() - self._seconds()
        self._timer.set(min(max(left, MIN_SLEEP_SECONDS), MAX_SLEEP_SECONDS))

    def _wake(self) -> None:
        if self.plan.due_time() <= self._seconds():
            self._job.start(self._renew)
        elif self.plan.is_inquiry_due():
            self._job.start(self._inquire)
        else:
            self._sleep()

    async def _begin(self, pool: BlockingRunner) -> None:
        """Read what is there, and log what follows."""
        plan, state = self.plan, RenewalState()
        try:
            plan.certificate = await pool.run(self._files.certificate)
            state = await pool.run(self._files.state)
        except (UnusableFile, OSError) as error:
            log.warn("{reason}; the attempts are counted anew", reason=error_text(error))
        plan.state = state.for_attempts(plan.directory, plan.names)
        if plan.is_satisfied:
            plan.state = replace(plan.state, order="")  # what was interrupted had succeeded
            return
        names, due = ", ".join(plan.names), plan.due_time()
        if due <= self._seconds():
            log.warn(
                "no certificate for {names} yet: it is ordered from {directory}; until then "
                "clients get another one, which they cannot check",
                names=names,
                directory=plan.directory,
            )
        else:
            log.warn(
                "no certificate for {names} yet: {problem}; the next attempt is at {when} - "
                "{retry}",
                names=names,
                problem=plan.state.problem or "the last attempt was interrupted",
                when=_shown(due),
                retry=RETRY_TEXT,
            )

    async def _renew(self, pool: BlockingRunner) -> None:
        """Make an attempt, and log how it ended."""
        is_forced, self._is_requested, self._is_forced = self._is_forced, False, False
        self._is_attempting = True
        try:
            await self._attempt(pool, is_forced)
        finally:
            self._is_attempting = False

    async def _attempt(self, pool: BlockingRunner, is_forced: bool) -> None:
        """Make an attempt, which is on the disk before it begins."""
        before, run = self.plan.state, pool.run
        delay = retry_delay(before.failures + 1, False, 0.0, self._parts.random)
        begun = before.with_failure(False, self._seconds() + delay)
        try:
            self.plan.certificate = await run(self._files.certificate)
            if is_forced or not self.plan.is_good(self.plan.certificate):
                await run(self._files.save_state, begun)
                self.plan.state = begun
                await self._issue(pool)
            await self._parts.use()
            await self._succeeded(pool)
        except CancelledError:
            if self.running:
                text = f"the attempt did not end within {ATTEMPT_SECONDS:g} s"
                self._failed(before, AuthorityError(text, WAIT_ADVICE))
        except AuthorityError as error:
            self._failed(before, error)
        except (UnusableFile, CertificateError, OSError) as error:
            self._failed(before, AuthorityError(error_text(error), DISK_ADVICE))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt waits
            log.failure("an attempt to get a certificate failed")
            self._failed(before, AuthorityError(error_text(error), DISK_ADVICE))

    async def _issue(self, pool: BlockingRunner) -> None:
        issuance = Issuance(self._parts.issuance, self.plan.state, pool)
        try:
            self.plan.certificate = await issuance.run()
        finally:
            self.plan.state = issuance.state

    async def _succeeded(self, pool: BlockingRunner) -> None:
        plan, found = self.plan, self.plan.certificate
        assert found is not None
        plan.suggested, plan.next_inquiry = None, self._seconds() + MIN_INQUIRY_SECONDS
        plan.state = RenewalState(plan.directory, plan.names, issued_by=plan.directory)
        try:
            await pool.run(self._files.save_state, plan.state)
            await pool.run(self._files.remove_order_key)
        except OSError as error:
            log.error(UNSAVED_FORMAT, reason=error_text(error))
        log.info(
            "the certificate of {names}, issued by {issuer}, is in use for new connections until "
            "{until}: SHA-256 {fingerprint}",
            names=one_line(", ".join(sorted(found.names))),
            issuer=one_line(found.issuer),
            until=_shown(found.not_after),
            fingerprint=found.fingerprint,
        )
        now, names = self._seconds(), tuple(sorted(found.names))
        self._parts.publish(CertificateIssued(now, 0, "", "", names, found.not_after))

    def _failed(self, before: RenewalState, error: AuthorityError) -> None:
        """Plan the next attempt, and log why."""
        plan, now = self.plan, self._seconds()
        kind = error.is_unreachable
        failures = before.with_failure(kind, 0.0).failures
        delay = retry_delay(failures, kind, error.retry_after, self._parts.random)
        failed = before.with_failure(kind, now + delay, str(error))
        plan.state = replace(failed, order=plan.state.order)
        log.error(
            "no certificate for {names}: {reason} - {advice}; attempt {number}, the next one is at "
            "{when}",
            names=", ".join(plan.names),
            reason=str(error),
            advice=error.advice,
            number=failures,
            when=_shown(now + delay),
        )
        event = CertificateFailed(now, 0, "", "", plan.names, str(error), now + delay)
        self._parts.publish(event)
        self._is_unsaved = True

    async def _save(self, pool: BlockingRunner) -> None:
        try:
            await pool.run(self._files.save_state, self.plan.state)
        except (OSError, CancelledError) as error:
            log.error(UNSAVED_FORMAT, reason=error_text(error))

    async def _inquire(self, pool: BlockingRunner) -> None:
        """Ask the authority when it wants the certificate to be renewed."""
        plan, now, parts = self.plan, self._seconds(), self._parts.issuance
        plan.next_inquiry = now + MAX_INQUIRY_SECONDS / 4
        assert plan.certificate is not None
        try:
            key = await pool.run(self._files.account_key)
            authority = await pool.run(parts.open_authority, key)
            try:
                plan.suggested, again = await pool.run(
                    authority.suggested_renewal, plan.certificate.pem
                )
            finally:
                authority.close()
        except (AuthorityError, UnusableFile, OSError, CancelledError):
            return  # it is renewed at its own time, and that attempt reports what is wrong
        plan.next_inquiry = now + min(max(again - now, MIN_INQUIRY_SECONDS), MAX_INQUIRY_SECONDS)


def _shown(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"
