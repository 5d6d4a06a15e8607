"""The directories, accounts, files, ports and settings of the service of one run."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from argon2 import PasswordHasher

from benchmarks.certificate import make_certificate
from benchmarks.ports import PORTS, free_port
from benchmarks.programs import compile_fast_clock
from benchmarks.soak.fast_clock import FastClock
from benchmarks.soak.options import Choice
from benchmarks.soak.settings import (
    LARGE_FILE,
    MANY_DIRECTORY,
    PASSWORD,
    ClientSettings,
    Times,
)
from benchmarks.soak.wire import HOST

__all__ = ["ACCOUNTS", "ADMIN", "EXPIRING", "GRACE_SECONDS", "LISTENERS", "QUOTA", "Installation"]

PLAIN = ("u0", "u1", "u2", "u3")
LIMITED, QUOTA, TRASH, EXPIRING = "limited", "quota", "trash", "expiring"
ACCOUNTS = (*PLAIN, LIMITED, QUOTA, TRASH, EXPIRING)
ADMIN = "admin"
LISTENERS = ("listen", "implicit", "simple", "simple-tls")
RATE = 20 << 20
"""Bytes per real second of the account with a rate limit."""
PASSIVE_PORTS = 200
LARGE_SIZE = 16 << 20
ENTRIES = 1000
HOUR = 3600
GRACE_SECONDS = 10
"""How long transfers may go on at the end, by the real clock."""
TRASH_DIRECTORY = ".ftpservice.trash"


class Installation:
    """What the service of a run finds; the files are below ``folder``."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        self.folder = folder
        self._choice = choice
        self.root, self.data = folder / "files", folder / "data"
        self.log, self.certificate = folder / "service.log", folder / "certificate.pem"
        self.settings_file = folder / "soak.toml"
        self.ports = {name: free_port() for name in (*LISTENERS, "http")}
        self.clock: FastClock | None = None
        if choice.rate > 1:
            self.clock = FastClock(folder / "clock", compile_fast_clock(folder), choice.rate)
        self.times = Times()

    @property
    def account_file(self) -> Path:
        """The file with the accounts."""
        return self.folder / "passwd.db"

    def create(self) -> None:
        """Write all files."""
        self.data.mkdir(mode=0o700)
        make_certificate(self.certificate)
        self.account_file.write_text("".join(self._account_lines()), encoding="utf-8")
        self.account_file.chmod(0o600)
        for number, account in enumerate((*ACCOUNTS, ADMIN)):
            home = self.root / account
            (home / MANY_DIRECTORY).mkdir(parents=True)
            with (home / LARGE_FILE).open("wb") as file:
                file.truncate(LARGE_SIZE)
            for entry in range(ENTRIES):
                (home / MANY_DIRECTORY / f"entry {entry:06d}.txt").touch()
            for slot in range(number, self._choice.slots, len(ACCOUNTS)):
                (home / f"s{slot}").mkdir()
        self.settings_file.write_text("\n".join(self._settings_lines()) + "\n", encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return the environment of the service: this checkout, and the fast clock."""
        checkout = Path(__file__).parents[2]
        paths = {"PYTHONPATH": os.pathsep.join([str(checkout), str(checkout / "client")])}
        return os.environ | paths | (self.clock.environment if self.clock is not None else {})

    def normal_time(self) -> AbstractContextManager[None]:
        """Return a context manager in which the clock of the service is not fast."""
        return self.clock.normal() if self.clock is not None else nullcontext()

    def client_settings(self, first: int, slots: int) -> ClientSettings:
        """Return the settings of a process with clients."""
        return ClientSettings(
            ports=self.ports,
            root=str(self.root),
            scratch=str(self.folder / "scratch"),
            accounts=ACCOUNTS,
            expiring=(EXPIRING,),
            entries=ENTRIES,
            large_size=LARGE_SIZE,
            seed=self._choice.seed,
            first_slot=first,
            slots=slots,
            times=self.times,
            only=self._choice.only,
        )

    def partial_uploads(self) -> list[Path]:
        """Return the partial uploads on the disk."""
        found = (path for path in self.root.rglob(".ftpservice.*") if path.is_file())
        return [path for path in found if TRASH_DIRECTORY not in path.parts]

    def usage(self, account: str) -> tuple[int, int]:
        """Return the bytes and the number of the files of an account, as a quota counts them."""
        size = number = 0
        for directory, folders, files in os.walk(self.root / account):
            number += len(folders) + len(files)
            size += sum(os.lstat(os.path.join(directory, name)).st_size for name in files)
        return size, number

    def _account_lines(self) -> Iterator[str]:
        hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        rate = int(RATE / self._choice.rate)
        options = {
            LIMITED: f"rate-up={rate},rate-down={rate}",
            QUOTA: "quota=4G,quota-files=100000",
            TRASH: "trash=1h,quota=4G",
            EXPIRING: "retention=2h; /many\\: keep; /large.bin\\: keep",
        }
        for account in (*ACCOUNTS, ADMIN):
            rights = "full,admin" if account == ADMIN else "full"
            yield f"{account}:{hashed}:/{account}:{rights}:{options.get(account, '')}\n"

    def _settings_lines(self) -> Iterator[str]:
        rate, times = self._choice.rate, self.times
        for name in (*LISTENERS, "http"):
            yield f'{name} = "tcp:{self.ports[name]}:interface={HOST}"'
        age = max(1, round(self._choice.hours / 6)) * HOUR
        yield f'root = "local:{self.root}:partial-age={age}s"'
        yield f'auth = "passwd:{self.account_file}"'
        yield f'data-dir = "{self.data}"'
        yield f'log-file = "{self.log}"'
        yield f'xferlog = "{self.folder / "xferlog"}"'
        yield f'certificate = "{self.certificate}"'
        yield f'passive-ports = "{_free_range(PASSIVE_PORTS)}"'
        yield 'metrics = "on"'
        yield 'retention-directories = "on"'
        for name in ("max-sessions-per-address", "max-sessions-per-user"):
            yield f"{name} = 5000"
        for name in ("login", "idle", "data", "stall"):
            yield f"{name}-timeout = {getattr(times, name) * rate:.3f}"
        yield f"tls-handshake-timeout = {times.login * rate:.3f}"
        yield f"grace = {GRACE_SECONDS * rate:.3f}"
        if self._choice.workers > 1:
            yield f"workers = {self._choice.workers}"


def _free_range(count: int) -> str:
    """Return a range of ports that are free now."""
    first = random.choice(PORTS[:-count])
    while not all(map(_is_free, range(first, first + count))):
        first = random.choice(PORTS[:-count])
    return f"{first}-{first + count - 1}"


def _is_free(port: int) -> bool:
    with socket.socket() as end:
        try:
            end.bind((HOST, port))
        except OSError:
            return False
    return True
