"""10,000 accounts: what logins and the watch read, counted."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.credentials import UsernamePassword

from ftpservice.accounts import passwd_file
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.passwd_line import format_line
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL, parse_database_url
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.accounts.sql.sql_lookup import SQLLookup
from ftpservice.accounts.sql.sql_store import SQLStore
from ftpservice.events import LoggedIn
from ftpservice.service.sessions.account_watch import WATCH_SECONDS, AccountWatch
from tests.accounts.doubles import SECRET
from tests.support.open_resources import until

pytestmark = pytest.mark.no_cover  # so many calls take twice as long when measured
ACCOUNTS = 10_000
SESSION = 1


def record(number: int, **others: Any) -> AccountRecord:
    return AccountRecord(f"user{number}", SECRET, f"/{number}", **others)


class Counted:
    """Calls of a function, and the threads that made them."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.calls = 0
        self.threads: set[int] = set()

    def __call__(self, *words: Any, **more: Any) -> Any:
        self.calls += 1
        self.threads.add(threading.get_ident())
        return self._function(*words, **more)

    def taken(self) -> int:
        """Return the number of calls since the last time."""
        calls, self.calls = self.calls, 0
        return calls


class Session:
    """A session of the watch."""

    ended = ""

    def disconnect(self, reason: str) -> None:
        self.ended = reason

    finish_and_disconnect = disconnect


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted(passwd_file._read_stable)
    monkeypatch.setattr(passwd_file, "_read_stable", counted)
    return counted


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted(passwd_file.parse_line)
    monkeypatch.setattr(passwd_file, "parse_line", counted)
    return counted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that has not changed for long."""
    path = tmp_path / "passwd.db"
    first = format_line(record(0))
    lines = (first.replace("user0", f"user{n}").replace("/0", f"/{n}") for n in range(ACCOUNTS))
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    os.utime(path, (0, 0))
    return path


@pytest_twisted.ensureDeferred
async def test_the_watch_reads_a_file_when_it_changes_and_parses_what_is_new(
    path: Path, reads: Counted, parses: Counted, reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ftpservice.service.sessions.account_watch.WATCH_SECONDS", WATCH_SECONDS / 50
    )
    checker, session = PasswordFileChecker(PasswordFile(str(path), str)), Session()
    checker.file.load()
    assert (reads.taken(), parses.taken()) == (1, ACCOUNTS)  # at the start, before the first client
    parses.threads.clear()
    checker.start(reactor)
    looks = Counted(checker.current)
    monkeypatch.setattr(checker, "current", looks)
    sessions: dict[int, Any] = {SESSION: session}
    watch = AccountWatch([checker], sessions, reactor)
    watch.startService()
    try:
        await checker.requestAvatarId(UsernamePassword(b"user7", b"secret"))
        watch.new_logins.append(LoggedIn(0.0, SESSION, "192.0.2.7", "user7"))
        await until(lambda: looks.calls >= 10, lambda: looks.calls)
        assert (reads.taken(), parses.taken()) == (0, 0)
        text = path.read_text().replace("/7:full\n", "/7:full:disabled\n")
        path.write_text(text)
        os.utime(path, (1, 1))
        await until(lambda: session.ended, str)
        assert (reads.taken(), parses.taken()) == (1, 1)
        assert threading.get_ident() not in parses.threads | looks.threads
    finally:
        await watch.stopService()
        checker.stop()


@pytest.fixture
def url(tmp_path: Path) -> DatabaseURL:
    """A database with all accounts."""
    url = parse_database_url(f"sqlite:///{tmp_path / 'accounts.db'}")
    upgrade(SQLStore(url).database)
    with closing(sqlite3.connect(tmp_path / "accounts.db")) as database, database:
        database.executemany(
            "INSERT INTO ftpservice_accounts (name, password_hash, rights, root, options)"
            " VALUES (?, ?, 'full', ?, '')",
            ((f"user{number}", SECRET, f"/{number}") for number in range(ACCOUNTS)),
        )
    return url


@pytest.fixture
def lookup(url: DatabaseURL) -> Iterator[SQLLookup]:
    lookup = SQLLookup(url)
    yield lookup
    lookup.close()


def test_a_database_is_asked_for_the_rows_of_sessions_only(
    url: DatabaseURL, lookup: SQLLookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, Any]] = []
    read = Database.read

    def counted(self: Database, statement: Any) -> list[dict[str, Any]]:
        found = read(self, statement)
        rows.extend(found)
        return found

    monkeypatch.setattr(Database, "read", counted)
    names = [f"user{number}" for number in range(20)]
    assert len(lookup.current(names)) == 20
    assert len(rows) == 20 + ACCOUNTS  # what the hashes of all accounts cost, once
    rows.clear()
    for _ in range(5):
        lookup.current(names)
    assert rows == []
    assert lookup.look_up("user4000", None).record is not None
    assert len(rows) == 1
    rows.clear()
    SQLStore(url).change("user7", {"disabled": True})
    assert lookup.current(names)["user7"].disabled
    assert len(rows) <= 20
