"""One client of several: its account, address and directory, and what it may choose by chance."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.soak.content import Content
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.settings import PASSWORD, ClientSettings
from benchmarks.soak.wire import Wire

__all__ = ["Slot"]

KIB, MIB = 1 << 10, 1 << 20
SIZES = (
    (0.06, 0, 1),
    (0.62, 1, 16 * KIB),
    (0.25, 16 * KIB, 200 * KIB),
    (0.06, 200 * KIB, 2 * MIB),
    (0.01, 4 * MIB, 12 * MIB),
)
"""Share, least and most bytes of files."""
NAMES = 12


class Slot:
    """Runs one session after the other; `chance` is set for each."""

    def __init__(self, settings: ClientSettings, number: int) -> None:
        self.settings = settings
        self.account = settings.accounts[number % len(settings.accounts)]
        self.directory = f"s{number}"
        self.source = f"127.0.{10 + number // 200}.{1 + number % 200}"
        self.stranger = f"127.0.200.{1 + number % 200}"
        """An address for failed logins, which do not delay the others."""
        folder = Path(settings.root, self.account, self.directory)
        keeps = self.account not in settings.expiring
        self.files = Ledger(folder, f"/{self.directory}", self.account, keeps)
        self.scratch = Path(settings.scratch, self.directory)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.chance = random.Random(number)

    def path(self, name: str) -> str:
        """Return the path of a file as the account sees it."""
        return f"/{self.directory}/{name}"

    def name(self) -> str:
        """Choose a name."""
        return f"f{self.chance.randrange(NAMES):02d}"

    def content(self, least: int = -1) -> Content:
        """Choose a content, of ``least`` bytes and up to eight times as many if that is given."""
        seed = self.chance.randrange(1 << 62)
        if least >= 0:
            return Content(seed, self.chance.randrange(least, 8 * least))
        weights = [share for share, _, _ in SIZES]
        _, low, high = self.chance.choices(SIZES, weights)[0]
        return Content(seed, self.chance.randrange(low, high))

    def local(self, name: str, content: Content) -> Path:
        """Write a content to a file of this machine, for programs to upload."""
        path = self.scratch / name
        path.write_bytes(content.data())
        return path

    def maybe(self, probability: float) -> bool:
        """Decide by chance."""
        return self.chance.random() < probability

    def port(self, kind: str) -> int:
        """Return the port of a setting."""
        return self.settings.ports[kind]

    def wire(self, secured: bool = False, implicit: bool = False) -> Wire:
        """Log in on a new control connection."""
        wire = self.connection(implicit)
        try:
            self.files.counts["logins tried"] += 1
            wire.login(self.account, PASSWORD, secured)
        except BaseException:
            wire.end.close()
            raise
        self.files.counts["logins"] += 1
        return wire

    def connection(self, implicit: bool = False) -> Wire:
        """Open a control connection."""
        return Wire(self.port("implicit" if implicit else "listen"), self.source, implicit)
