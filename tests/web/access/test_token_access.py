"""Tokens of requests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.accounts.defence.login_attempts import FAILURE_ALLOWANCE
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import Event, LoginFailed, LoginRefusal
from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.access.token_access import LOOK_SECONDS, TokenAccess
from ftpservice.web.access.token_file import TokenFile
from ftpservice.web.http.problems import Problem

READ = frozenset((Scope.READ,))


class Door:
    def __init__(self, path: Path) -> None:
        self.now, self.events, self.clock = 1000.0, list[Event](), Clock()
        self.file = TokenFile(path, lambda: self.now)
        self.access = TokenAccess(
            self.file, InlineRunner(), self.events.append, lambda: self.now, self.clock
        )

    def ask(self, header: str | None) -> Caller | None:
        request = SimpleNamespace(getHeader=lambda _name: header, peer_host="192.0.2.1")
        results: list[object] = []
        Deferred.fromCoroutine(self.access.caller(request)).addBoth(results.append)
        (result,) = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result  # type: ignore[return-value]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "tokens.json")


def test_a_token_tells_the_caller_until_it_expires_or_is_removed(door: Door) -> None:
    assert door.ask(None) is None
    secret = door.file.add("a", READ, 60.0)
    other = door.file.add("b", READ, None)
    assert door.ask(f"Bearer {secret}") == Caller("token a", READ)
    door.file.remove("b")
    door.now += LOOK_SECONDS
    with pytest.raises(Problem, match="not valid"):
        door.ask(f"Bearer {other}")
    door.now += 60
    with pytest.raises(Problem, match="expired"):
        door.ask(f"Bearer {secret}")
    failed = [one for one in door.events if isinstance(one, LoginFailed)]
    assert [one.reason for one in failed] == [LoginRefusal.REFUSED, LoginRefusal.EXPIRED]
    assert {one.peer for one in failed} == {"192.0.2.1"}


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "bearer x", ""])
def test_another_scheme_is_refused(door: Door, header: str) -> None:
    with pytest.raises(Problem) as refused:
        door.ask(header)
    assert refused.value.status == 401


def test_with_a_malformed_file_no_token_can_be_checked_and_none_counts_as_wrong(door: Door) -> None:
    secret = door.file.add("a", READ, None)
    assert door.ask(f"Bearer {secret}")
    content = door.file.path.read_bytes()
    logged: list[dict[str, object]] = []
    globalLogPublisher.addObserver(logged.append)
    try:
        door.file.path.write_text("[")
        for word in (secret, "fts_wrong"):
            door.now += LOOK_SECONDS
            with pytest.raises(Problem) as refused:
                door.ask(f"Bearer {word}")
            assert refused.value.status == 503
        assert door.ask(None) is None
    finally:
        globalLogPublisher.removeObserver(logged.append)
    reasons = [event["reason"] for event in logged if "reason" in event]
    assert reasons == [f"{door.file.path} is not a file of tokens"]
    assert door.events == []
    door.file.path.write_bytes(content)
    door.now += LOOK_SECONDS
    assert door.ask(f"Bearer {secret}") == Caller("token a", READ)


class Held:
    """A runner whose calls end when they are told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Deferred[object], tuple[object, ...]]] = []

    def run(self, *words: object) -> Deferred[object]:
        waiting: Deferred[object] = Deferred()
        self.calls.append((waiting, words))
        return waiting

    def end(self) -> None:
        waiting, (work, *rest) = self.calls.pop(0)
        waiting.callback(work(*rest))  # type: ignore[operator]


def test_requests_at_the_same_time_wait_for_the_same_look(tmp_path: Path) -> None:
    file, pool = TokenFile(tmp_path / "tokens.json", lambda: 1000.0), Held()
    events: list[Event] = []
    access = TokenAccess(file, pool, events.append, lambda: 1000.0, Clock())  # type: ignore[arg-type]
    secret = file.add("a", READ, None)
    request = SimpleNamespace(getHeader=lambda _name: f"Bearer {secret}", peer_host="192.0.2.1")
    found: list[object] = []
    first, *others = [Deferred.fromCoroutine(access.caller(request)) for _ in range(3)]
    for one in others:
        one.addBoth(found.append)
    assert len(pool.calls) == 1
    first.addErrback(lambda _cancelled: None)
    pool.end()
    assert found == [Caller("token a", READ)] * 2
    assert events == []


def test_a_look_whose_client_has_gone_is_repeated(tmp_path: Path) -> None:
    file, pool = TokenFile(tmp_path / "tokens.json", lambda: 1000.0), Held()
    access = TokenAccess(file, pool, lambda _event: None, lambda: 1000.0, Clock())  # type: ignore[arg-type]
    secret = file.add("a", READ, None)
    request = SimpleNamespace(getHeader=lambda _name: f"Bearer {secret}", peer_host="192.0.2.1")
    gone = Deferred.fromCoroutine(access.caller(request))
    gone.addErrback(lambda _cancelled: None)
    gone.cancel()
    pool.calls.clear()
    found: list[object] = []
    Deferred.fromCoroutine(access.caller(request)).addBoth(found.append)
    pool.end()
    assert found == [Caller("token a", READ)]


def test_wrong_tokens_of_an_address_are_delayed_then_refused_and_right_ones_are_not(
    door: Door,
) -> None:
    secret = door.file.add("a", READ, None)
    request = SimpleNamespace(getHeader=lambda _name: "Bearer fts_wrong", peer_host="127.0.0.1")
    statuses: list[int] = []
    for _ in range(500):
        asked = Deferred.fromCoroutine(door.access.caller(request))
        asked.addErrback(lambda failure: statuses.append(failure.value.status))
    assert statuses.count(401) == len(door.events) == FAILURE_ALLOWANCE
    assert statuses.count(429) > 400
    assert door.ask(f"Bearer {secret}") == Caller("token a", READ)
    door.clock.pump([1.0] * 120)
    assert len(door.events) < FAILURE_ALLOWANCE + 15
