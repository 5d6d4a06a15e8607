"""A service with files on disk, whose account ``ann`` the command ``ftpservice user`` makes."""

from __future__ import annotations

import ftplib
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.service_process import PATIENCE, Program

__all__ = ["SECRET", "CommandService"]

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
LISTEN = ["--listen=tcp:0:interface=127.0.0.1", "--simple=tcp:0:interface=127.0.0.1"]
SECRET = "secret"


class CommandService:
    """The service and its commands, in the directory ``place``; the files are those of ``ann``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.files = place / "var/files/ann"

    def command(self, *words: str) -> None:
        """Run ``ftpservice user``."""
        store = ["--store", f"passwd:{self.place / 'passwd.db'}"]
        done = CliRunner().invoke(ftpservice, ["user", *words, *store], input=f"{SECRET}\n")
        assert done.exit_code == 0, done.output

    def add(self, *words: str) -> None:
        """Add the account, with these options."""
        new = ["--root", "/ann", "--password-stdin", "--force"]
        self.command("add", "ann", *new, *words)

    def serve(self, *words: str) -> Program:
        """Start the service."""
        return Program([*SERVE, *LISTEN, *words], self.place)

    def client(self, served: Program) -> ftplib.FTP:
        """Return a client that has logged in."""
        client = ftplib.FTP()
        client.connect("127.0.0.1", served.port(), PATIENCE)
        client.login("ann", SECRET)
        return client

    def simple_answers(self, served: Program, lines: Sequence[str]) -> list[str]:
        """Log in by the simple protocol, send lines (three bytes after each UPLD); return answers.

        Those of the login come first.
        """
        port = int(served.line(r"simple://\S+?:(\d+)/")[1])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as wire:
            for line in ("USER ann", f"PASS {SECRET}", *lines):
                wire.sendall(line.encode() + (b"\nabc" if line.startswith("UPLD") else b"\n"))
            wire.shutdown(socket.SHUT_WR)
            _greeting, *answers = wire.makefile().read().splitlines()
        return answers
