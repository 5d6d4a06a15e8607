"""Tokens of requests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import Event, LoginFailed, LoginRefusal
from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.access.token_access import LOOK_SECONDS, TokenAccess
from ftpservice.web.access.token_file import TokenFile
from ftpservice.web.http.problems import Problem

READ = frozenset((Scope.READ,))


class Door:
    def __init__(self, path: Path) -> None:
        self.now, self.events = 1000.0, list[Event]()
        self.file = TokenFile(path, lambda: self.now)
        self.access = TokenAccess(self.file, InlineRunner(), self.events.append, lambda: self.now)

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


def test_with_a_malformed_file_no_token_is_accepted(door: Door) -> None:
    secret = door.file.add("a", READ, None)
    assert door.ask(f"Bearer {secret}")
    door.file.path.write_text("[")
    door.now += LOOK_SECONDS
    with pytest.raises(Problem):
        door.ask(f"Bearer {secret}")
