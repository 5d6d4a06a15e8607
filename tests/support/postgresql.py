"""A PostgreSQL server of a test's own, from Debian's package ``postgresql``."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import psycopg

from benchmarks.ports import reserved_port
from tests.support.frozen_process import freeze
from tests.support.run_watcher import end_with_run, remove_with_run

__all__ = ["PASSWORD", "USER", "PostgreSQL", "postgresql_directory"]

PASSWORD = "tr0ub4dor-of-the-database"
USER = "ftpservice"
START_SECONDS = 30.0
QUIT_SECONDS = 0.5


def postgresql_directory() -> Path | None:
    """Return the directory of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgreSQL:
    """A server; a context manager. ``stop`` and ``start`` may be called within."""

    def __init__(self) -> None:
        found = postgresql_directory()
        assert found is not None
        self._binaries = found
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._user = {}
        self.directory = Path(tempfile.mkdtemp(prefix="ftpservice-postgresql-"))
        remove_with_run(self.directory)
        if os.geteuid() == 0:  # the server refuses root
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
        self._reserved = ExitStack()
        self.port = self._reserved.enter_context(reserved_port())

    def __enter__(self) -> PostgreSQL:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        words = [f"--pgdata={self.data}", f"--username={USER}", f"--pwfile={password}"]
        command = [str(self._binaries / "initdb"), *words, "--auth=scram-sha-256", "--no-sync"]
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self._user,  # type: ignore[call-overload]
        )
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._reserved.close()
        shutil.rmtree(self.directory)

    @property
    def data(self) -> Path:
        """The directory of the cluster."""
        return self.directory / "data"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options = [word for one in settings for word in ("-c", one)]
        log = self.directory / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, "-p", str(self.port), *options],
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                **self._user,  # type: ignore[call-overload]
            )
        end_with_run(self._process, signal.SIGQUIT)
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, f"the server has ended: {log.read_text()}"
                assert time.monotonic() < ends, "the server does not answer"
                time.sleep(0.02)

    def stop(self, is_clean: bool = False) -> None:
        """Stop at once, without waiting for clients.

        That counts as a crash, which empties unlogged tables, unless it ``is_clean``.
        """
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT if is_clean else signal.SIGQUIT)
            try:
                process.wait(START_SECONDS if is_clean else QUIT_SECONDS)
            except subprocess.TimeoutExpired:  # it waits five seconds for one that does not end
                for pid in children(process.pid):
                    kill(pid)
                process.wait(START_SECONDS)

    def freeze(self) -> None:
        """Stop answering: the kernel still accepts connections."""
        self._each(freeze)

    def thaw(self) -> None:
        """Answer again."""
        self._each(lambda pid: os.kill(pid, signal.SIGCONT))

    @property
    def pid(self) -> int:
        """The process that starts the others."""
        assert self._process is not None
        return self._process.pid

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect, with a commit after each statement."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def new_database(self) -> str:
        """Create a database; returns its name."""
        self._databases += 1
        name = f"test{self._databases}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name

    def url(self, database: str, password: str | None = PASSWORD) -> str:
        """Return the URL of a database."""
        secret = f":{password}" if password else ""
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{database}"

    def _each(self, act: Callable[[int], object]) -> None:
        """Call a function with the process of the server and those of its connections."""
        assert self._process is not None
        act(self._process.pid)  # before the others: a frozen one starts no more
        for pid in children(self._process.pid):
            with suppress(ProcessLookupError):  # one that had ended, and is forgotten now
                act(pid)


def kill(pid: int) -> None:
    """Kill a process, unless it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]
