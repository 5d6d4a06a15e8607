"""Codes that are checked: delays, events and the limit of an account."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyotp
import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ftpservice.accounts.defence.login_attempts import LoginAttempts
from ftpservice.accounts.second_factors.factor_changes import FactorKind, with_code_secret
from ftpservice.accounts.second_factors.factor_file import FactorFile
from ftpservice.concurrency.thread_pool import InlineRunner, PoolOverloaded
from ftpservice.events import Event, LoginFailed, LoginRefusal
from ftpservice.web.access import factor_access
from ftpservice.web.access.factor_access import FREE_FAILURES, FactorAccess
from ftpservice.web.http.problems import Problem

SECRET = pyotp.random_base32()
PEERS = [f"192.0.2.{number}" for number in range(1, 200)]


class Guarded:
    """The second factors of ``ann``, and what was published."""

    def __init__(self, place: Path) -> None:
        self.now, self.clock, self.pauses = 1_700_000_000.0, Clock(), list[float]()
        self.events: list[Event] = []
        self.file = FactorFile(place / "second-factors.json")
        self.codes = self.file.change("ann", with_code_secret(SECRET, 0.0))
        services = SimpleNamespace(login_attempts=LoginAttempts(self.clock))
        factory: Any = SimpleNamespace(
            services=lambda: services,
            event_sink=SimpleNamespace(events=SimpleNamespace(publish=self.events.append)),
        )

        def pause(seconds: float) -> Deferred[None]:
            self.pauses.append(seconds)
            return succeed(None)

        self.access = FactorAccess(self.file, InlineRunner(), factory, pause, lambda: self.now)

    def try_code(self, code: str, peer: str = "192.0.2.1", user: str = "ann") -> FactorKind | int:
        """Return the kind of a right code, or the status of the refusal."""
        results: list[Any] = []
        work = self.access.check_code(user, code, peer)
        Deferred.fromCoroutine(work).addBoth(results.append)
        (result,) = results
        if hasattr(result, "check"):
            if result.check(PoolOverloaded):
                return 503
            assert result.check(Problem), result
            return result.value.status  # type: ignore[no-any-return]
        return result  # type: ignore[no-any-return]

    @property
    def code(self) -> str:
        return pyotp.TOTP(SECRET).at(int(self.now))

    def reasons(self) -> list[LoginRefusal]:
        return [event.reason for event in self.events if isinstance(event, LoginFailed)]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


def test_a_wrong_code_is_a_failed_login_and_delayed(guarded: Guarded) -> None:
    assert guarded.try_code("000000 ") in (401,)
    assert guarded.reasons() == [LoginRefusal.WRONG_FACTOR]
    assert guarded.pauses[0] > 0
    assert guarded.try_code(guarded.code) is FactorKind.CODE
    assert guarded.try_code(guarded.code) == 401
    assert guarded.reasons() == [LoginRefusal.WRONG_FACTOR] * 2


def test_an_address_that_fails_often_is_throttled(guarded: Guarded) -> None:
    access = guarded.access
    statuses = []
    for _ in range(40):
        access._wrong.clear()
        results: list[Any] = []
        work = Deferred.fromCoroutine(access.check_code("ann", "1", "192.0.2.1"))
        work.addErrback(lambda failure: failure.value.status).addCallback(results.append)
        statuses += results
    assert 401 in statuses
    assert statuses[-1] == 429
    assert LoginRefusal.THROTTLED in guarded.reasons()
    guarded.clock.advance(7200)


def test_codes_of_an_account_cannot_be_tried_from_many_addresses(guarded: Guarded) -> None:
    peers = iter(PEERS)
    assert [guarded.try_code("1", next(peers)) for _ in range(FREE_FAILURES + 1)] == (
        [401] * (FREE_FAILURES + 1)
    )
    assert guarded.try_code(guarded.code, next(peers)) == 429
    checked = 0
    for _ in range(3600):  # an hour, a try every second
        guarded.now += 1
        checked += guarded.try_code("1", "192.0.2.250") == 401 if not _ % 40 else 0
    assert checked < 15
    guarded.now += 3600
    guarded.clock.advance(36000)
    assert guarded.try_code(guarded.code, next(peers)) is FactorKind.CODE
    assert guarded.try_code("1", next(peers)) == 401


def test_a_recovery_code_is_told_to_administrators(guarded: Guarded) -> None:
    assert guarded.try_code(guarded.codes[0]) is FactorKind.RECOVERY_CODE
    assert [getattr(event, "action", "") for event in guarded.events] == ["recovery code used"]


def test_a_damaged_file_lets_nobody_in(guarded: Guarded) -> None:
    guarded.file.path.write_text("{")
    assert guarded.try_code(guarded.code) == 503


@pytest.mark.parametrize("status", [429, 503])
def test_what_could_not_be_checked_is_no_wrong_code(guarded: Guarded, status: int) -> None:
    content = guarded.file.path.read_bytes()
    if status == 429:
        for number in range(30):  # of other accounts, from this address
            code = guarded.access.check_code(f"other{number}", "1", "192.0.2.1")
            work = Deferred.fromCoroutine(code)
            work.addErrback(lambda _refused: None)
    for _ in range(FREE_FAILURES + 3):
        if status == 503:
            guarded.access._file = FullPool(guarded.file)  # type: ignore[assignment]
        assert guarded.try_code(guarded.code) == status
    guarded.access._file = guarded.file
    guarded.file.path.write_bytes(content)
    assert guarded.try_code(guarded.code, "192.0.2.2") is FactorKind.CODE
    guarded.clock.advance(7200)


class FullPool:
    """A file that is read, and whose changes find no thread."""

    def __init__(self, file: FactorFile) -> None:
        self.find = file.find

    def change(self, *_words: object) -> None:
        raise PoolOverloaded("full")


def test_wrong_codes_are_remembered_of_so_many_accounts(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factor_access, "MAX_ACCOUNTS", 3)
    for number, peer in zip(range(6), PEERS, strict=False):
        name = f"user{number}"
        guarded.file.change(name, with_code_secret(SECRET, 0.0))
        assert guarded.try_code("1", peer, name) == 401
    assert list(guarded.access._wrong) == ["user3", "user4", "user5"]
    assert guarded.try_code("1", "198.51.100.1", "user3") == 401
    assert guarded.try_code("1", "198.51.100.2", "ann") == 401
    assert list(guarded.access._wrong) == ["user5", "user3", "ann"]
