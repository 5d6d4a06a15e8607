"""Deletes files that accounts no longer keep: every day at a set time, and when it is asked to.

By itself it deletes only if the clock of the machine can be trusted (`ClockWatch`). One run at a
time. When the service stops, a run ends with the deletion that is in progress.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.text_table import duration_text, time_text
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import INTERRUPT_SECONDS, BlockingPool, BlockingRunner
from ftpservice.retention.clock_watch import ClockState, ClockWatch, load_state, save_state
from ftpservice.retention.file_sweep import ExpiredFile
from ftpservice.retention.retention_run import CannotRun, RetentionRun, RunResult
from ftpservice.retention.schedule import RetentionSchedule
from ftpservice.wire.units import bytes_text, count_text

__all__ = ["STATE_FILE", "RetentionService", "clock_state"]

log = Logger("ftpservice.retention")

STATE_FILE = "retention.json"
"""In the data directory."""
LOOK_SECONDS = 60.0
"""Time between two looks at the clock."""
SAVE_SECONDS = 600.0
"""Time between two writes of the state."""
T = TypeVar("T")


class RetentionService(Service):
    """Runs ``run`` once a day; ``path`` is the file of the clock's state, None for no file."""

    def __init__(
        self,
        run: RetentionRun,
        watch: ClockWatch,
        schedule: RetentionSchedule,
        reactor: Any,
        path: Path | None = None,
    ) -> None:
        self._run = run
        self._watch = watch
        self._reactor = reactor
        self._path = path
        self._pool: BlockingRunner | None = None
        self._checked_at = watch.state.looked_at
        """When it was last checked whether it is time for a run, also by the process before."""
        self._is_used = path is not None and path.exists()
        """Whether an account has retention, or had once: only then the state is saved."""
        self._saved_at = float("-inf")
        self._task: Task[RunResult | None] | None = None
        self._shows: list[Task[Any]] = []
        """Answers to `show` that are under way."""
        self._last: RunResult | None = None
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor
        self.apply(schedule)

    def apply(self, schedule: RetentionSchedule) -> None:
        """Put another schedule into force."""
        self._schedule = schedule
        self._run.with_directories = schedule.with_directories

    def startService(self) -> None:
        """Start to watch the clock."""
        super().startService()
        self._run.is_stopping = False
        self._ticking.start(LOOK_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """End a run; fires when the deletion in progress and the threads have ended."""
        super().stopService()
        if self._ticking.running:
            self._ticking.stop()
        self._run.is_stopping = True
        return Task(self._stopped()).done

    async def _stopped(self) -> None:
        tasks = [task for task in (self._task, *self._shows) if task is not None]
        if tasks:
            ended = DeferredList([_end_of(task) for task in tasks])
            for task in tasks:
                task.cancel()
            interruptions = LoopingCall(self._run.interrupt)
            interruptions.clock = self._reactor
            interruptions.start(INTERRUPT_SECONDS).addErrback(_unexpected)
            await ended
            interruptions.stop()
        pool, self._pool = self._pool, None
        if self._path is not None and self._is_used:
            pool = pool or self._new_pool()
            self._watch.look()
            await pool.finish(save_state, self._path, self._watch.state).addErrback(_cannot_save)
        if pool is not None:
            await pool.stop()

    def _new_pool(self) -> BlockingRunner:
        return BlockingPool(self._reactor, "retention state", threads=1)

    def _tick(self) -> None:
        """Look at the clock, and begin a run if it is time."""
        jump = self._watch.look()
        before, now = self._checked_at, self._watch.state.looked_at
        self._checked_at = now
        if jump:
            log.warn(
                "the clock of this machine was set by {jump:+.0f} s: retention deletes nothing by "
                "itself for a day",
                jump=jump,
            )
        elif self._task is None and before < self._schedule.last_due(now) <= now:
            self._begin(self._daily()).done.addErrback(_daily_failed)
        if self._path is not None and self._is_used and abs(now - self._saved_at) >= SAVE_SECONDS:
            self._saved_at = now
            self._pool = self._pool or self._new_pool()
            self._pool.finish(save_state, self._path, self._watch.state).addErrback(_cannot_save)

    async def _daily(self) -> RunResult | None:
        """Run, unless there is nothing to do or the clock cannot be trusted."""
        if not any(one.retention is not None for one in await self._run.accounts()):
            return None
        self._is_used = True
        unsteady = self._watch.unsteady_seconds()
        if unsteady:
            log.warn(
                "retention deletes nothing today: the clock has to be watched for {time} more; "
                "ftpservice retention run --force does not wait",
                time=duration_text(unsteady),
            )
            return None
        return await self._run.run()

    def _begin(self, run: Coroutine[Any, Any, RunResult | None]) -> Task[RunResult | None]:
        async def noted() -> RunResult | None:
            try:
                result = await run
            finally:
                self._task = None
            self._is_used |= result is not None and bool(result.counts)
            if result is not None and not result.is_dry:
                self._last = replace(result, expired=[])
                _log_result(result)
            return result

        task = Task(noted())
        if not task.ended:
            self._task = task
        return task

    def show(self, user: str) -> Deferred[dict[str, Any]]:
        """Return the rules of an account, the next run and the last one; fails with `CannotRun`."""
        task = Task(_until_stop(self._show(user)))
        self._shows = [one for one in (*self._shows, task) if not one.ended]
        return task.done

    async def _show(self, user: str) -> dict[str, Any]:
        records = [record for record in await self._run.accounts() if record.name == user]
        if not records:
            raise CannotRun(f"there is no account {user!r}")
        rules = [rule for one in records if one.retention for rule in one.retention.rules]
        self._is_used |= bool(rules)
        unsteady = self._watch.unsteady_seconds()
        counts = self._last.counts.get(user) if self._last is not None else None
        last = None
        if self._last is not None and counts is not None:
            last = {"when": self._last.started, **asdict(counts)}
        return {
            "user": user,
            "rules": [
                {
                    "directory": str(rule.directory),
                    "pattern": rule.pattern or None,
                    "keep": rule.time_text,
                }
                for rule in rules
            ],
            "next_run": self._schedule.next_due(self._watch.state.looked_at + unsteady),
            "last_run": last,
        }

    def run_now(
        self, user: str | None = None, is_dry: bool = False, is_forced: bool = False
    ) -> Deferred[dict[str, Any]]:
        """Run for one account or all of them; return what was or would be deleted.

        Fails with `CannotRun`, also if the clock cannot be trusted, unless ``is_forced``.
        """
        unsteady = self._watch.unsteady_seconds()
        if self._task is not None:
            raise CannotRun("a run is in progress")
        if unsteady and not is_dry and not is_forced:
            raise CannotRun(
                f"the clock of this machine has to be watched for {duration_text(unsteady)} more "
                f"before files are deleted (it says {time_text(self._watch.state.looked_at)} UTC); "
                "use --force to delete now"
            )
        task = self._begin(self._run.run(user, is_dry))
        return Task(_until_stop(_answer(task))).done


async def _until_stop(answer: Coroutine[Any, Any, T]) -> T:
    try:
        return await answer
    except CancelledError:
        raise CannotRun("the service is stopping") from None


def _end_of(task: Task[Any]) -> Deferred[None]:
    """Return what fires when a task has ended; its result stays for others."""
    ended: Deferred[None] = Deferred()

    def note(outcome: Any) -> Any:
        ended.callback(None)
        return outcome

    task.done.addBoth(note)
    return ended


async def _answer(task: Task[RunResult | None]) -> dict[str, Any]:
    result = await task
    assert result is not None
    return {
        "dry_run": result.is_dry,
        "accounts": [{"user": name, **asdict(counts)} for name, counts in result.counts.items()],
        "files": [_file(one) for one in result.expired],
        "omitted": result.omitted,
    }


def _file(expired: ExpiredFile) -> dict[str, Any]:
    return {
        "user": expired.account,
        "path": str(expired.path),
        "directory": expired.is_directory,
        "size": expired.size,
        "age": round(expired.age),
        "rule": str(expired.rule),
        "rule_account": expired.rule_account or None,
    }


def _log_result(result: RunResult) -> None:
    log.info(
        "retention deleted {files} ({size}) and {directories} of {accounts}; {in_use} in use, "
        "{failed} failed",
        accounts=count_text(len(result.counts), "account"),
        files=count_text(result.total("files"), "file"),
        size=bytes_text(result.total("bytes")),
        directories=count_text(result.total("directories"), "directory"),
        in_use=result.total("in_use"),
        failed=result.total("failed"),
    )


def clock_state(path: Path | None) -> ClockState | None:
    """Read the state of the clock; a file that cannot be used is as good as none."""
    try:
        return None if path is None else load_state(path)
    except (OSError, ValueError) as error:
        log.warn("{path}: {reason}; it is replaced", path=str(path), reason=error)
        return None


def _cannot_save(failure: Failure) -> None:
    log.error(
        "the state of the clock could not be saved: {reason}", reason=failure.getErrorMessage()
    )


def _daily_failed(failure: Failure) -> None:
    if failure.check(CannotRun):
        log.error("retention deletes nothing: {error}", error=failure.getErrorMessage())
    elif not failure.check(CancelledError):
        _unexpected(failure)


def _unexpected(failure: Failure) -> None:
    log.failure("the retention has failed", failure)
