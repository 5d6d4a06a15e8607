"""The file of accepted certificates: one line ``host:port SHA-256`` for each server."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ftpservice_client import Destination, LocalFileError

__all__ = ["KnownHosts", "known_hosts_path"]

ENTRY_PATTERN = re.compile(r"(\S+)\s+((?:[0-9A-F]{2}:?){32})")
MAX_FILE_BYTES = 1024 * 1024


def known_hosts_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the file: below ``$XDG_CONFIG_HOME``, or below ``~/.config``."""
    base = environment.get("XDG_CONFIG_HOME", "")
    top = Path(base) if os.path.isabs(base) else Path("~/.config").expanduser()
    return top / "ftpservice" / "known_hosts"


class KnownHosts:
    """The file; the methods block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, destination: Destination) -> str:
        """Return the fingerprint of a server; empty if there is none.

        Raises `LocalFileError` if other users can write to the file.
        """
        fingerprint = ""
        for line in self._lines():
            match = ENTRY_PATTERN.fullmatch(line.strip())
            if match is not None and match[1] == _key(destination):
                fingerprint = match[2]  # the last line wins
        return fingerprint

    def _lines(self) -> list[str]:
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                is_shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                if is_shared or status.st_uid not in (os.geteuid(), 0):
                    raise LocalFileError(
                        f"{self.path}: other users can write to this file, so its certificates are"
                        " not trusted; check its lines, then run chmod 600"
                    )
                return file.read(MAX_FILE_BYTES).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LocalFileError(f"{self.path}: {error.strerror}") from error

    def add(self, destination: Destination, fingerprint: str) -> None:
        """Add a line for a server; it replaces earlier ones. Raises `LocalFileError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, flags, 0o600)
            with open(descriptor, "r+b") as file:
                with suppress(OSError):  # the filesystem has no locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                content = file.read()
                separator = b"\n" if content and not content.endswith(b"\n") else b""
                file.write(separator + f"{_key(destination)} {fingerprint}\n".encode())
        except OSError as error:
            raise LocalFileError(f"{self.path}: {error.strerror}") from error


def _key(destination: Destination) -> str:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return f"{host.lower()}:{destination.port}"
