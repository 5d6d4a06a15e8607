"""Some of the clients: ``python -m benchmarks.soak.client_process SETTINGS``.

Reads commands from its standard input, a JSON object a line, and answers each with one. ``run``
runs sessions in as many threads as there are slots; ``clean`` removes partial uploads and checks
the files.
"""

from __future__ import annotations

import ftplib
import itertools
import json
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from benchmarks.soak.ledger import Wrong
from benchmarks.soak.sessions import interrupted, ordinary, other_clients
from benchmarks.soak.settings import ClientSettings
from benchmarks.soak.slot import Slot
from benchmarks.soak.wire import Refused
from ftpservice_client import ClientError, NetworkError

__all__ = ["SESSIONS", "ClientProcess", "main"]

SESSIONS = tuple(
    session
    for module in (ordinary, other_clients, interrupted)
    for session in module.TABLE.sessions
)
PAUSE_SECONDS = 0.3
"""After a session without a proper end: what the service still does for it takes a moment."""
MAX_TEXTS = 200
CLEANING_SECONDS = 30.0


class ClientProcess:
    """The slots of this process."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        numbers = range(settings.first_slot, settings.first_slot + settings.slots)
        self._slots = [Slot(settings, number) for number in numbers]
        self._numbers = itertools.count()
        self._kinds = [one for one in SESSIONS if fnmatch(one.name, settings.only)]
        self._lock = threading.Lock()
        self._outcomes: Counter[str] = Counter()
        self._texts: Counter[str] = Counter()
        self._problems: list[str] = []
        self.commands: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "run": self.run,
            "clean": self.clean,
        }

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run ``sessions``, evenly over ``seconds``; return what happened."""
        began, most = time.monotonic(), int(request["sessions"])
        pace = float(request["seconds"]) / most if most else 0.0
        left = iter(range(most))

        def work(slot: Slot) -> None:
            while True:
                with self._lock:
                    number = next(left, None)
                    if number is None:
                        return
                    serial = next(self._numbers)
                time.sleep(max(0.0, began + number * pace - time.monotonic()))
                self._session(slot, serial)

        self._in_threads(work)
        return self._answer()

    def clean(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Remove the partial uploads of the accounts, and check all files."""

        def work(slot: Slot) -> None:
            deadline = time.monotonic() + CLEANING_SECONDS
            while not self._is_clean(slot, time.monotonic() > deadline):
                time.sleep(PAUSE_SECONDS)
            problems = list(slot.files.problems())
            with self._lock:
                self._problems += problems

        self._in_threads(work)
        return self._answer()

    def _is_clean(self, slot: Slot, is_late: bool) -> bool:
        """Delete the partial uploads of the slot's account; a late failure is a problem."""
        try:
            with slot.wire() as wire:
                wire.expect("SITE PARTIALS DELETE ALL", 200, 250)
                wire.quit()
        except (OSError, Refused) as error:
            if is_late:
                self._note_problem(f"partial uploads of {slot.account}: {error}")
            return is_late
        return True

    def _in_threads(self, work: Callable[[Slot], None]) -> None:
        threads = [threading.Thread(target=work, args=(slot,)) for slot in self._slots]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _session(self, slot: Slot, serial: int) -> None:
        settings = self._settings
        slot.chance = random.Random(f"{settings.seed}/{settings.first_slot}/{serial}")
        weights = [session.weight for session in self._kinds]
        session = slot.chance.choices(self._kinds, weights)[0]
        outcome = self._outcome(lambda: session.run(slot), session.name)
        kind = "honest" if session.is_honest else "hostile"
        with self._lock:
            self._outcomes[f"{kind}/{session.name}/{outcome}"] += 1
        if outcome != "done":
            time.sleep(PAUSE_SECONDS)

    def _outcome(self, run: Callable[[], None], name: str) -> str:
        try:
            run()
        except Wrong as wrong:
            self._note_problem(f"{name}: {wrong}")
            return "wrong"
        except (EOFError, OSError, NetworkError, SubprocessError) as error:
            return self._noted("lost", name, error)
        except (Refused, ftplib.Error, ClientError) as error:
            return self._noted("refused", name, error)
        except Exception:  # noqa: BLE001 - a mistake in this program must not hide
            self._note_problem(f"{name}: {traceback.format_exc(limit=-4)}")
            return "failed"
        return "done"

    def _noted(self, outcome: str, name: str, error: Exception) -> str:
        text = f"{name}: {outcome}: {type(error).__name__}: {error}"[:200]
        with self._lock:
            if text in self._texts or len(self._texts) < MAX_TEXTS:
                self._texts[text] += 1
        return outcome

    def _note_problem(self, text: str) -> None:
        with self._lock:
            self._problems.append(text)

    def _answer(self) -> dict[str, Any]:
        ledgers = [slot.files.summary() for slot in self._slots]
        counts = sum((Counter(one["counts"]) for one in ledgers), Counter[str]())
        answer = {
            "outcomes": dict(self._outcomes),
            "texts": dict(self._texts),
            "problems": self._problems,
            "counts": dict(counts),
            "confirmed": [entry for one in ledgers for entry in one["confirmed"]],
        }
        self._outcomes, self._texts, self._problems = Counter(), Counter(), []
        return answer


def main() -> None:
    """Carry out commands until the input ends."""
    clients = ClientProcess(ClientSettings.read(Path(sys.argv[1])))
    for line in sys.stdin:
        request = json.loads(line)
        answer = clients.commands[request["command"]](request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
