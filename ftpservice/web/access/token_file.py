"""The API tokens, in a JSON file of the data directory: only their SHA-256, never themselves.

A token has 256 random bits, so a fast hash is enough: there is nothing to guess. All functions
block. Changes by several processes at a time follow one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpservice.state_files.private_json import DocumentStore, PrivateJSON
from ftpservice.web.access.random_secrets import hash_of, new_secret
from ftpservice.web.access.scopes import Scope, parse_scopes

__all__ = ["TOKEN_FILE", "ApiToken", "TokenFile", "TokenFileError"]

TOKEN_FILE = "api-tokens.json"
"""In the data directory."""
PREFIX = "fts_"
"""By which scanners recognise a token that was published by mistake."""
MAX_TOKENS = 1000
MAX_NAME_LENGTH = 100


class TokenFileError(Exception):
    """The file cannot be used, or the change is not possible; ``str`` of it says why."""


@dataclass(frozen=True)
class ApiToken:
    """One token, without its secret."""

    name: str
    hash: str
    scopes: frozenset[Scope]
    created: float
    expires: float | None = None
    """The end in seconds since the epoch; None: it does not expire."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "hash": self.hash,
            "scopes": sorted(self.scopes),
            "created": self.created,
            "expires": self.expires,
        }


class TokenFile:
    """The file at ``path``, which need not exist; ``seconds`` returns the time since the epoch."""

    def __init__(
        self,
        path: Path,
        seconds: Callable[[], float],
        documents: DocumentStore | None = None,
    ) -> None:
        self.path = path
        self.file = PrivateJSON(path, documents, _tokens)
        """Its content as JSON; `DocumentExchange` brings a copy up to date."""
        self._seconds = seconds

    def read(self) -> dict[str, ApiToken]:
        """Return the tokens by their hash; raises `TokenFileError`."""
        try:
            tokens = _tokens(self.file.read())
        except OSError as error:
            raise TokenFileError(f"{self.path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError):
            raise TokenFileError(f"{self.path} is not a file of tokens") from None
        return {token.hash: token for token in tokens}

    def version(self) -> tuple[int, ...]:
        """Return what differs after a change of the file; empty without a file."""
        return self.file.version()

    def add(self, name: str, scopes: frozenset[Scope], seconds: float | None) -> str:
        """Add a token that is valid for that time; return its secret, which is kept nowhere.

        Raises `TokenFileError`.
        """
        if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable():
            raise TokenFileError(f"a name has 1 to {MAX_NAME_LENGTH} printable characters")
        secret, now = PREFIX + new_secret(), self._seconds()
        expires = None if seconds is None else now + seconds
        with self._changing() as tokens:
            if any(token.name == name for token in tokens.values()):
                raise TokenFileError(f"there is a token {name!r} already; remove it first")
            if len(tokens) >= MAX_TOKENS:
                raise TokenFileError(f"there are {MAX_TOKENS} tokens already")
            new = ApiToken(name, hash_of(secret), scopes, now, expires)
            tokens[new.hash] = new
        return secret

    def remove(self, name: str) -> None:
        """Remove a token; raises `TokenFileError`."""
        with self._changing() as tokens:
            found = [token.hash for token in tokens.values() if token.name == name]
            if not found:
                raise TokenFileError(f"there is no token {name!r}")
            for one in found:
                del tokens[one]

    @contextmanager
    def _changing(self) -> Iterator[dict[str, ApiToken]]:
        """Lock the file and yield its tokens, which are written afterwards."""
        try:
            with self.file.changing() as write:
                tokens = self.read()
                yield tokens
                write({"tokens": [token.to_json() for token in tokens.values()]})
        except OSError as error:
            raise TokenFileError(f"{self.path}: {error.strerror}") from error


def _tokens(content: Mapping[str, Any]) -> list[ApiToken]:
    return [_token(entry) for entry in content.get("tokens", ())]


def _token(entry: Mapping[str, Any]) -> ApiToken:
    expires = entry["expires"]
    return ApiToken(
        str(entry["name"]),
        str(entry["hash"]),
        parse_scopes(entry["scopes"]),
        float(entry["created"]),
        None if expires is None else float(expires),
    )
