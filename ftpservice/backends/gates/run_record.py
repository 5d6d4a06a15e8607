"""What became of the runs of one hook or gate: counted, and told to a listener if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["GATE_OUTCOMES", "HOOK_OUTCOMES", "HookRun", "RunRecord"]

GATE_OUTCOMES = ("accepted", "refused", "failed")
"""What a gate said; failed: it gave no answer, and its rule answered."""
HOOK_OUTCOMES = ("delivered", "failed", "dropped")
"""What became of an event: failed, the hook did not take it; dropped, it was not told of it."""

DOCUMENT_NAMES = ("event", "session", "transfer")


class HookRun(NamedTuple):
    """One run of a hook or gate."""

    kind: str
    """``hook`` or ``gate``."""
    hook: str
    """The name of the hook."""
    about: str
    """The name of the event, or what a gate was asked about."""
    session: str
    """The id of the session; empty for none."""
    transfer: str
    """The id of the transfer, if it is known."""
    started: float
    """Seconds since the epoch."""
    seconds: float
    outcome: str


class RunRecord:
    """The runs of the hook ``name``, counted by ``outcomes``; used in the reactor thread."""

    def __init__(self, name: str, outcomes: Iterable[str]) -> None:
        self.name = name
        self.counts = dict.fromkeys(outcomes, 0)
        self.seconds = 0.0
        """The duration of all runs."""
        self.problem_at = 0.0
        """When the last one failed or was dropped, in seconds since the epoch; 0: none."""
        self.listener: Callable[[HookRun], object] | None = None

    def add(self, run: HookRun) -> None:
        """Count a run, and tell the listener of it."""
        self.add_run(run.outcome, run.started, run.seconds)
        if self.listener is not None:
            self.listener(run)

    def add_run(self, outcome: str, started: float, seconds: float) -> None:
        """Count a run that nobody listens to."""
        self.counts[outcome] += 1
        if outcome == "failed":
            self.problem_at = started + seconds
        self.seconds += seconds

    def add_delivery(self, document: Mapping[str, Any], started: float, outcome: str) -> None:
        """Count that a hook was told of an event, with its document; until now."""
        event, session, transfer = (str(document.get(name) or "") for name in DOCUMENT_NAMES)
        seconds = max(0.0, time.time() - started)
        self.add(HookRun("hook", self.name, event, session, transfer, started, seconds, outcome))

    def count(self, outcome: str, number: int = 1) -> None:
        """Count events that led to no run."""
        self.counts[outcome] += number
        if number and outcome in ("failed", "dropped"):
            self.problem_at = time.time()
