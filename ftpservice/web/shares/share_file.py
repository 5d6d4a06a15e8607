"""The share links, in a JSON file of the data directory: a hash of each, never the link itself.

A link has 128 random bits, so a fast hash is enough. All functions block. Changes by several
processes at a time follow one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ftpservice.state_files.private_json import DocumentStore, PrivateJSON
from ftpservice.web.access.random_secrets import hash_of, new_secret

__all__ = ["SHARE_FILE", "Share", "ShareFile", "ShareFileError"]

SHARE_FILE = "shares.json"
"""In the data directory."""
SECRET_BYTES = 16
ID_LENGTH = 12
MAX_SHARES = 10_000
MAX_SHARES_PER_USER = 200


class ShareFileError(Exception):
    """The file cannot be used, or the change is not possible; ``str`` of it says why."""


@dataclass(frozen=True)
class Share:
    """One link, without its secret."""

    hash: str
    user: str
    """The account that made it, and whose rights count."""
    path: str
    created: float
    expires: float
    password: str = ""
    """The hash of its password; empty for none."""

    @property
    def id(self) -> str:
        """What names it in lists and events; it opens nothing."""
        return self.hash[:ID_LENGTH]


class ShareFile:
    """The file at ``path``, which need not exist; ``seconds`` returns the time since the epoch."""

    def __init__(
        self,
        path: Path,
        seconds: Callable[[], float],
        documents: DocumentStore | None = None,
    ) -> None:
        self.path = path
        self.file = PrivateJSON(path, documents, _shares)
        """Its content as JSON; `DocumentExchange` brings a copy up to date."""
        self._seconds = seconds

    def read(self) -> dict[str, Share]:
        """Return the links in force by their hash; raises `ShareFileError`."""
        try:
            shares = _shares(self.file.read())
            return {share.hash: share for share in shares if share.expires > self._seconds()}
        except OSError as error:
            raise ShareFileError(f"{self.path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError):
            raise ShareFileError(f"{self.path} is not a file of share links") from None

    def version(self) -> tuple[int, ...]:
        """Return what differs after a change of the file; empty without a file."""
        return self.file.version()

    def add(self, user: str, path: str, seconds: float, password: str = "") -> tuple[str, Share]:
        """Add a link for that time; return its secret, which is kept nowhere, and the link.

        ``password`` is a hash. Raises `ShareFileError`.
        """
        secret, now = new_secret(SECRET_BYTES), self._seconds()
        new = Share(hash_of(secret), user, path, now, now + seconds, password)
        with self._changing() as shares:
            own = sum(share.user == user for share in shares.values())
            if own >= MAX_SHARES_PER_USER or len(shares) >= MAX_SHARES:
                raise ShareFileError("there are too many share links; remove some first")
            shares[new.hash] = new
        return secret, new

    def remove(self, id: str, user: str | None = None) -> Share:
        """Remove a link (of an account) and return it; raises `ShareFileError`."""
        with self._changing() as shares:
            for share in shares.values():
                if share.id == id and user in (None, share.user):
                    del shares[share.hash]
                    return share
            raise ShareFileError(f"there is no share link {id!r}")

    def remove_of(self, user: str) -> int:
        """Remove all links of an account, return their number; raises `ShareFileError`."""
        with self._changing() as shares:
            own = [share.hash for share in shares.values() if share.user == user]
            for key in own:
                del shares[key]
        return len(own)

    def rename(self, user: str, new_name: str) -> None:
        """Give the links of an account to its new name; raises `ShareFileError`."""
        with self._changing() as shares:
            for key, share in shares.items():
                if share.user == user:
                    shares[key] = replace(share, user=new_name)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Share]]:
        """Lock the file and yield its links, which are written afterwards; expired ones go."""
        try:
            with self.file.changing() as write:
                shares = self.read()
                yield shares
                write({"shares": [asdict(share) for share in shares.values()]})
        except OSError as error:
            raise ShareFileError(f"{self.path}: {error.strerror}") from error


def _shares(content: Mapping[str, Any]) -> list[Share]:
    return [Share(**entry) for entry in content.get("shares", ())]
