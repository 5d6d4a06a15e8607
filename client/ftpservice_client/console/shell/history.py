"""The history of typed lines: a file that only its owner can read, without passwords."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ftpservice_client.console.session.line_parser import SYSTEM_COMMAND_PREFIX
from ftpservice_client.console.session.redaction import redact_line

__all__ = ["HistoryFile", "history_path"]

MAX_HISTORY_LINES = 1000


def history_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the file: below ``$XDG_STATE_HOME``, or below ``~/.local/state``."""
    state = environment.get("XDG_STATE_HOME", "")
    top = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return top / "ftpservice" / "history"


class HistoryFile:
    """The file; the methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[str]:
        """Return the last lines, oldest first; empty if the file cannot be read."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        lines = text.splitlines()
        if len(lines) > 2 * MAX_HISTORY_LINES:
            self._shorten(lines[-MAX_HISTORY_LINES:])
        return lines[-MAX_HISTORY_LINES:]

    def add(self, line: str) -> None:
        """Append a line without its passwords; errors are ignored."""
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
    def _write(path: Path, flag: int, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text.encode("utf-8", "backslashreplace"))
