"""A service with accounts of another program, and clients that log in to it."""

from __future__ import annotations

import ftplib
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.service_process import BUSY_SECONDS, PATIENCE, Program

__all__ = ["LOGIN_SECONDS", "AccountService"]

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
