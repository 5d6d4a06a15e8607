"""Logins that wait for their second factor."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.web.access import login_challenges
from ftpservice.web.access.login_challenges import (
    LIFE_SECONDS,
    MAX_CHALLENGES_PER_USER,
    MAX_TRIES,
    LoginChallenge,
    LoginChallenges,
)


class Account:
    ended = False

    def end(self, _reason: str) -> None:
        self.ended = True


def begun(challenges: LoginChallenges, user: str = "ann") -> tuple[str, Any]:
    account: Any = Account()
    return challenges.begin(LoginChallenge(user, account)), account


def test_a_challenge_ends_by_itself_with_its_session() -> None:
    challenges = LoginChallenges(clock := Clock())
    secret, account = begun(challenges)
    clock.advance(LIFE_SECONDS - 1)
    assert challenges.find(secret) is not None
    clock.advance(1)
    assert challenges.find(secret) is challenges.take(secret) is None
    assert account.ended


def test_a_challenge_is_taken_once_and_its_session_goes_on() -> None:
    challenges = LoginChallenges(clock := Clock())
    secret, account = begun(challenges)
    taken = challenges.take(secret)
    assert taken is not None
    assert taken.account is account
    assert challenges.take(secret) is None
    assert clock.getDelayedCalls() == []
    assert not account.ended


def test_wrong_answers_end_a_challenge() -> None:
    challenges = LoginChallenges(clock := Clock())
    secret, account = begun(challenges)
    for _ in range(MAX_TRIES):
        assert not account.ended
        challenges.failed(secret)
    assert account.ended
    assert challenges.find(secret) is None
    assert clock.getDelayedCalls() == []


def test_an_account_has_few_challenges_and_none_after_the_stop() -> None:
    challenges = LoginChallenges(clock := Clock())
    accounts = [begun(challenges)[1] for _ in range(MAX_CHALLENGES_PER_USER + 1)]
    _, other = begun(challenges, "bob")
    assert [one.ended for one in accounts] == [True] + [False] * MAX_CHALLENGES_PER_USER
    challenges.stop()
    assert all(one.ended for one in (*accounts, other))
    assert clock.getDelayedCalls() == []


def test_there_are_only_so_many_challenges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_challenges, "MAX_CHALLENGES", 5)
    challenges = LoginChallenges(clock := Clock())
    accounts = [begun(challenges, f"user{number}")[1] for number in range(8)]
    assert [one.ended for one in accounts] == [True] * 3 + [False] * 5
    assert len(clock.getDelayedCalls()) == 5
