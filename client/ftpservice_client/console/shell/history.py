"""The lines that were typed, kept in a file for its owner alone, without passwords."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ftpservice_client.console.session.line_parser import SYSTEM_COMMAND_PREFIX
from ftpservice_client.console.session.redaction import redact_line

__all__ = ["HistoryFile", "history_path"]

MAX_HISTORY_LINES = 1000


def history_path(environment: Mapping[str, str]) -> Path:
    """Return where the lines are kept (XDG_STATE_HOME, else below the home directory)."""
    state = environment.get("XDG_STATE_HOME", "")
    top = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return top / "ftpservice" / "history"


class HistoryFile:
    """A file with a line for each line; its calls may wait for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[str]:
        """Return the last lines, oldest first; none if the file cannot be read."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        lines = text.splitlines()
        if len(lines) > 2 * MAX_HISTORY_LINES:
            self._shorten(lines[-MAX_HISTORY_LINES:])
        return lines[-MAX_HISTORY_LINES:]

    def keep(self, line: str) -> None:
        """Add a line; where that is not possible, nothing is kept."""
        text = redact_line(line).strip()
        if not text or text == SYSTEM_COMMAND_PREFIX:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path, os.O_APPEND, f"{text}\n")
        except OSError:
            return

    def _shorten(self, lines: list[str]) -> None:
        shorter = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._write(shorter, os.O_TRUNC, "".join(f"{line}\n" for line in lines))
            shorter.replace(self._path)
        except OSError:
            shorter.unlink(missing_ok=True)

    @staticmethod
    def _write(path: Path, how: int, text: str) -> None:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
        with os.fdopen(number, "ab") as file:
            os.fchmod(number, 0o600)
            file.write(text.encode("utf-8", "backslashreplace"))
