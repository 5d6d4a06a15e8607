"""The second factors of all accounts, in a JSON file of the data directory.

Accounts of every store have theirs here: LDAP, PAM and HTTP have no place for them. All functions
block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.state_files.private_json import DocumentStore, PrivateJSON, Write

__all__ = ["FACTOR_FILE", "FactorFile", "FactorFileError"]

FACTOR_FILE = "second-factors.json"
"""In the data directory."""
NONE = SecondFactors()

Result = TypeVar("Result")


class FactorFileError(Exception):
    """The file cannot be used, or the change is not possible; ``str`` of it says why."""


class FactorFile:
    """The file at ``path``, which need not exist."""

    def __init__(self, path: Path, documents: DocumentStore | None = None) -> None:
        self.path = path
        self.file = PrivateJSON(path, documents, _factors)
        """Its content as JSON; `DocumentExchange` brings a copy up to date."""

    def read(self) -> dict[str, SecondFactors]:
        """Return the factors by the name of the account; raises `FactorFileError`."""
        with self._told():
            return _factors(self.file.read())

    def find(self, user: str) -> SecondFactors:
        """Return the factors of an account; raises `FactorFileError`."""
        return self.read().get(user, NONE)

    def change(
        self, user: str, work: Callable[[SecondFactors], tuple[SecondFactors, Result]]
    ) -> Result:
        """Replace the factors of an account; ``work`` returns the new ones, and a result.

        Nothing is written if they are the same. Raises `FactorFileError`.
        """
        with self._told(), self.file.changing() as write:
            accounts = self.read()
            before = accounts.pop(user, NONE)
            after, result = work(before)
            if after != NONE:
                accounts[user] = after
            if after != before:
                _write_accounts(write, accounts)
        return result

    def remove(self, user: str) -> bool:
        """Remove the factors of an account; return whether it had any. Raises `FactorFileError`."""
        return self.change(user, lambda before: (NONE, before != NONE))

    def rename(self, user: str, new_name: str) -> None:
        """Give the factors of an account to another name; raises `FactorFileError`."""
        with self._told(), self.file.changing() as write:
            accounts = self.read()
            if user not in accounts:
                raise FactorFileError(f"account {user!r} has no second factor")
            if new_name in accounts:
                raise FactorFileError(f"account {new_name!r} has second factors of its own")
            accounts[new_name] = accounts.pop(user)
            _write_accounts(write, accounts)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FactorFileError(f"{self.path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError):
            raise FactorFileError(f"{self.path} is not a file of second factors") from None


def _factors(content: Mapping[str, Any]) -> dict[str, SecondFactors]:
    accounts = content.get("accounts", {})
    return {name: SecondFactors.from_json(entry) for name, entry in accounts.items()}


def _write_accounts(write: Write, accounts: Mapping[str, SecondFactors]) -> None:
    write({"accounts": {name: one.to_json() for name, one in accounts.items()}})
