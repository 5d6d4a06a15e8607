"""Certificates that a person has said to trust: one line for each server, ``host:port SHA-256``."""

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
MAX_FILE_SIZE = 1024 * 1024


def known_hosts_path(environment: Mapping[str, str]) -> Path:
    """Return where the file is: below ``$XDG_CONFIG_HOME``, else ``~/.config``."""
    base = environment.get("XDG_CONFIG_HOME", "")
    top = Path(base) if os.path.isabs(base) else Path("~/.config").expanduser()
    return top / "ftpservice" / "known_hosts"


class KnownHosts:
    """The file; all calls block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, place: Destination) -> str:
        """Return the fingerprint that is kept for a server, empty if there is none.

        Raises `LocalFileError` where others could have written it.
        """
        found = ""
        for line in self._lines():
            match = ENTRY_PATTERN.fullmatch(line.strip())
            if match is not None and match[1] == _key(place):
                found = match[2]  # the last one holds
        return found

    def _lines(self) -> list[str]:
        try:
            with open(self.path, "rb") as file:
                facts = os.fstat(file.fileno())
                others = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
                if others or facts.st_uid not in (os.geteuid(), 0):
                    raise LocalFileError(
                        f"{self.path}: other users can change it, so the certificates in it are"
                        " not trusted; look through it, then run chmod 600"
                    )
                return file.read(MAX_FILE_SIZE).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LocalFileError(f"{self.path}: {error.strerror}") from error

    def keep(self, place: Destination, fingerprint: str) -> None:
        """Add a line for a server; it holds from now on. Raises `LocalFileError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = os.open(self.path, flags, 0o600)
            with open(opened, "r+b") as file:
                with suppress(OSError):  # a filesystem without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                whole = file.read()
                begin = b"\n" if whole and not whole.endswith(b"\n") else b""
                file.write(begin + f"{_key(place)} {fingerprint}\n".encode())
        except OSError as error:
            raise LocalFileError(f"{self.path}: {error.strerror}") from error


def _key(place: Destination) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{host.lower()}:{place.port}"
