"""A service whose clock is ahead of that of its files, for tests of retention."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.accounts.doubles import SECRET
from tests.support.service_process import Program

__all__ = ["RetentionPlace", "deleted_paths"]

SETTINGS = """listen = ["tcp:0:interface=127.0.0.1"]
auth = ["passwd:passwd.db"]
data-dir = "var"
tls = "off"
allow-plaintext = true
"""


class RetentionPlace:
    """The directory of a service; ``files`` are those of ``ann``, whose password is ``secret``."""

    def __init__(self, place: Path, retention: str = "30d", options: str = "") -> None:
        self.place = place
        self.files = place / "var/files/ann"
        self.files.mkdir(parents=True)
        escaped = retention.replace(":", "\\:")
        line = f"ann:{SECRET}:/ann:full:retention={escaped}{options}\n"
        (place / "passwd.db").write_text(line)
        (place / "passwd.db").chmod(0o600)
        (place / "ftp.toml").write_text(SETTINGS)

    def serve(self, days: float = 40, fault: str = "none", *words: str) -> Program:
        """Start the service, for which all files are so many days old."""
        module = [sys.executable, "-m", "tests.support.shifted_clock", str(days), fault]
        serve = ["serve", "--allow-root", "--config", "ftp.toml"]
        return Program([*module, *serve, *words], self.place)

    def command(self, *words: str) -> tuple[int, str]:
        """Run ``ftpservice retention``; return its status and output."""
        socket = ["--socket", f"{self.place}/var/control.sock"]
        done = CliRunner().invoke(ftpservice, ["retention", *words, *socket])
        return done.exit_code, done.stdout + done.stderr

    def run(self, *words: str) -> dict[str, Any]:
        """Delete what has expired; return what the command prints."""
        status, output = self.command("run", "--force", "--json", *words)
        assert status == 0, output
        result: dict[str, Any] = json.loads(output)
        return result

    def put(self, contents: dict[str, bytes]) -> None:
        """Write files of ``ann``."""
        for name, content in contents.items():
            path = self.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def contents(self) -> dict[str, bytes]:
        """Return the files of ``ann`` by their paths, also hidden ones."""
        found = (path for path in sorted(self.files.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.files)): path.read_bytes() for path in found}


def deleted_paths(lines: Sequence[str]) -> list[str]:
    """Return the paths of the deletions in a log."""
    parts = [line.partition(" retention deleted ")[2] for line in lines]
    return [part.split(": ")[0] for part in parts if part.startswith("/")]
