"""A service with accounts of another program, and clients that log in to it."""

from __future__ import annotations

import ftplib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program

__all__ = ["LOGIN_SECONDS", "AccountService", "check_account_terms"]

COMMAND = [sys.executable, "-W", "error", "-c", "from ftpservice.admin.cli import main; main()"]
LOGIN_SECONDS = 3.0 + BUSY_SECONDS
"""How long a login may take while a store is down."""


class AccountService(Program):
    """A running service with these stores; its home directories are in ``files``."""

    def __init__(self, directory: Path, stores: Sequence[str], *options: str) -> None:
        self.files = directory / "files"
        for name in ("ann", "ben"):
            (self.files / name).mkdir(parents=True, exist_ok=True)
        listen = [f"--{kind}=tcp:0:interface=127.0.0.1" for kind in ("listen", "simple")]
        auth = [f"--auth={store}" for store in stores]
        served = [f"--root=local:{self.files}", "--log=all", *options]
        super().__init__([*COMMAND, "serve", "--allow-root", *listen, *auth, *served], directory)

    def login(self, name: str, password: str) -> ftplib.FTP:
        """Return a client that has logged in."""
        client = ftplib.FTP(encoding="utf-8")
        client.connect("127.0.0.1", self.port(), PATIENCE)
        try:
            client.login(name, password)
        except ftplib.Error:
            client.close()
            raise
        return client

    def reply(self, name: str, password: str) -> str:
        """Return the reply to a login, with its session ended."""
        try:
            client = self.login(name, password)
        except ftplib.Error as error:
            return str(error)
        with client:
            return client.lastresp

    def timed_reply(self, name: str, password: str) -> tuple[str, float]:
        """Return the code of the reply to a login, and how long it took."""
        began = time.monotonic()
        return self.reply(name, password)[:3], time.monotonic() - began

    def simple_answer(self, name: str, password: str) -> str:
        """Return the answer to a login by the simple protocol."""
        port = int(self.line(r"simple://\S+?:(\d+)/")[1])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(f"USER {name}\nPASS {password}\nQUIT\n".encode())
            received = b""
            while data := client.recv(4096):
                received += data
        return received.decode()


def check_account_terms(service: AccountService, set_hours: Callable[[str], None]) -> None:
    """Check the account ``ann`` with ``hide=.git; *.tmp``, ``refuse=*.exe``, ``umask=027``,
    ``ascii=off`` and some hours, which ``set_hours`` changes.
    """
    later = datetime.now(UTC) + timedelta(days=3)
    (service.files / "ann/.git").mkdir()
    with service.login("ann", "ann pass") as ann:
        assert ann.nlst("-a") == []
        assert "Type binary" in ann.sendcmd("STAT")
        for name in ("a.TMP", ".git", "a.exe"):
            with pytest.raises(ftplib.error_perm, match="553 Names such as"):
                ann.mkd(name)
        ann.mkd("made")
        set_hours(f"{later:%a} 00:00-01:00 UTC")
        assert ann.sock is not None
        assert ann.file is not None
        ann.sock.settimeout(10.0)
        assert ann.file.readline().startswith("421 The account is no longer in force")
    assert service.reply("ann", "ann pass") == "530 The account may not log in at this time."
    assert service.reply("ann", "wrong") == "530 Login failed."
    assert (service.files / "ann/made").stat().st_mode & 0o777 == 0o750
