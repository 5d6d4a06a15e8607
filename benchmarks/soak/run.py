"""One run: phases with clients, and checks between and after them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.soak.census import ProcessCensus, census
from benchmarks.soak.client_fleet import ClientFleet
from benchmarks.soak.disturbance import Killer, Operator
from benchmarks.soak.installation import GRACE_SECONDS, QUOTA, TRASH, Installation
from benchmarks.soak.journal_check import AFTER_SECONDS, journal_problems, lost_events
from benchmarks.soak.judgement import growth_problems
from benchmarks.soak.options import Choice
from benchmarks.soak.service import NotAnswered, SoakService
from benchmarks.soak.soak_report import SHOWN_PROBLEMS, SoakReport

__all__ = ["SoakRun"]

CALM_SECONDS = 45.0
"""Longer than any timeout of a session, on a busy machine."""
POLL_SECONDS = 0.1
LEAST_SUCCESS = 0.6
"""On a busy machine some timers of the service, which are fast, come before its clients."""
LEAST_JUDGED_MINUTES = 4.0
"""A shorter run ends before the memory of the service has its size."""
ASKED = ("minutes", "sessions", "rate", "workers", "kills", "seed", "phases", "slots", "only")


class SoakRun:
    """Runs the service of an installation, and fills in a report."""

    def __init__(self, choice: Choice, folder: Path) -> None:
        self._choice = choice
        self._installation = Installation(folder, choice)
        self._service = SoakService(self._installation)
        settings = {name: value for name, value in asdict(choice).items() if name in ASKED}
        self.report = SoakReport(settings)
        machine = describe(1.0, 1)
        self.report.settings |= {name: machine[name] for name in ("date", "cpu", "cores", "python")}
        self._confirmed: list[tuple[float, str, str, str]] = []
        self._shown = 0
        """Problems that were printed."""

    def run(self) -> SoakReport:
        """Run; problems are in the report."""
        began = time.monotonic()
        self._installation.create()
        try:
            self._service.start()
            self._note_census()
            with ClientFleet(self._installation, self._choice.slots) as fleet:
                for number in range(self._choice.phases):
                    self._phase(fleet, number)
                self._collect(fleet.clean())
            self._check_end()
        except RuntimeError as error:
            self.report.problems.append(str(error))
        finally:
            self._service.discard()
        self.report.seconds = time.monotonic() - began
        clock = self._installation.clock
        hours = clock.hours if clock is not None else self.report.seconds / 3600
        self.report.settings["hours"] = round(hours, 2)
        return self.report

    def _phase(self, fleet: ClientFleet, number: int) -> None:
        choice, seed = self._choice, f"{self._choice.seed}/{number}"
        seconds = choice.minutes * 60 / choice.phases
        operator = Operator(self._service, self._installation, seed)
        killer = Killer(self._service, self._installation, choice.workers, seconds / 3, seed)
        with ExitStack() as stack:
            stack.enter_context(operator)
            # A new process needs some phases until its caches and pools have their size.
            if choice.kills and number < choice.phases // 3:
                stack.enter_context(killer)
            sessions = choice.sessions * (number + 1) // choice.phases
            self._collect(fleet.run(sessions - choice.sessions * number // choice.phases, seconds))
        self.report.operator.update(operator.done)
        self.report.kills += killer.kills
        self.report.problems += [*operator.problems, *killer.problems]
        self._calm(f"after phase {number + 1}")

    def _collect(self, answers: list[dict[str, object]]) -> None:
        for answer in answers:
            self.report.add(answer)
            self._confirmed += [tuple(entry) for entry in answer["confirmed"]]  # type: ignore[attr-defined]

    def _calm(self, when: str) -> None:
        """Wait until no session is left, and take a census."""
        if self._service.has_ended:
            raise RuntimeError(f"{when}: the service has ended")
        self._wait_for(self._sessions_left, f"{when}: sessions are left")
        processes = self._note_census()
        if self._choice.workers > 1:
            workers = sum(process.role == "worker" for process in processes)
            if workers != self._choice.workers:
                self._problem(f"{when}: {workers} worker processes")
        print(f"{when}: {self.report.outcomes.total()} sessions, {self.report.success:.1%}, "
              f"{len(self.report.problems)} problems", file=sys.stderr, flush=True)  # fmt: skip
        for problem in self.report.problems[self._shown :][:SHOWN_PROBLEMS]:
            print(f"  {problem}", file=sys.stderr, flush=True)
        self._shown = len(self.report.problems)

    def _sessions_left(self) -> str:
        """Return what is left of sessions, an empty text if nothing is."""
        try:
            sessions = self._service.request("who")
        except (OSError, NotAnswered) as error:
            return f"who: {error}"
        if sessions:
            return str(sessions[:5])
        mine = set(self._installation.ports.values())
        for process in census(self._service.pid):
            if process.connections:
                return f"{process.role} {process.pid}: {process.connections} connections"
            if not set(process.ports) <= mine:
                return f"{process.role} {process.pid}: passive ports {set(process.ports) - mine}"
        return ""

    def _wait_for(self, left: Callable[[], str], what: str) -> None:
        """Wait until ``left`` returns an empty text; another one is a problem after a while."""
        deadline = time.monotonic() + CALM_SECONDS
        while found := left():
            if time.monotonic() > deadline:
                self._problem(f"{what}: {found}")
                return
            time.sleep(POLL_SECONDS)

    def _note_census(self) -> list[ProcessCensus]:
        found = census(self._service.pid)
        self.report.censuses.append(found)
        return found

    def _check_end(self) -> None:
        """Check everything, stop the service, and check the rest."""
        self._calm("at the end")
        self._wait_for(self._partials_left, "partial uploads")
        for problem in self._quota_problems():
            self._problem(problem)
        self._wait_for(lambda: "; ".join(self._journal_problems()), "journal")
        with suppress(OSError):
            self.report.lost_events = lost_events(self._installation.data / "journal.db")
        is_long = self._choice.minutes >= LEAST_JUDGED_MINUTES
        self.report.problems += growth_problems(self.report.censuses, is_long)
        if self.report.success < LEAST_SUCCESS and not self.report.kills:
            self._problem(f"only {self.report.success:.1%} of the honest sessions are complete")
        if status := self._service.stop():
            self._problem(f"the service stopped with status {status}")
        self.report.problems += self._log_problems()

    def _partials_left(self) -> str:
        return " ".join(str(path) for path in self._installation.partial_uploads()[:5])

    def _journal_problems(self) -> list[str]:
        # Without the main process, workers finish their transfers, and nobody notes that.
        after = {"worker": AFTER_SECONDS, "service": GRACE_SECONDS + AFTER_SECONDS}
        kills = [(when, after[what]) for when, what in self.report.kills]
        return journal_problems(
            self._installation.data / "journal.db",
            self._confirmed,
            self.report.counts,
            kills,
            2 * self._choice.slots,
        )

    def _quota_problems(self) -> Iterator[str]:
        """Compare what the service believes about quotas with the disk."""
        for account in (QUOTA, TRASH):
            known = self._service.request("quota", user=account)
            counted = self._service.request("quota", user=account, recount=True)
            # What expires in the trash counts until the next count.
            is_less = any(known[kind] < counted[kind] for kind in ("bytes", "files"))
            if is_less or (account != TRASH and known != counted):
                yield f"quota of {account}: {known}, counted {counted}"
        size, files = self._installation.usage(QUOTA)
        found = self._service.request("quota", user=QUOTA)
        if (found["bytes"], found["files"]) != (size, files):
            yield f"quota of {QUOTA}: {found}, on the disk {size} bytes, {files} files"

    def _log_problems(self) -> Iterator[str]:
        """Yield errors of the log, and of the output before there was one."""
        folder = self._installation.folder
        for path in folder.glob("*.log"):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            for number, line in enumerate(lines):
                if "Traceback" in line or "Unhandled" in line:
                    yield f"{path.name}: " + "\n".join(lines[max(0, number - 2) : number + 25])

    def _problem(self, text: str) -> None:
        self.report.problems.append(text)
