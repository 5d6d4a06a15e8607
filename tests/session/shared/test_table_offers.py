"""Interrupted uploads that are resumed in another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ftpservice.session.resume_offers import RESUME_OFFER_SECONDS
from ftpservice.session.shared.table_offers import RESUMPTIONS
from ftpservice.wire.paths import VirtualPath
from tests.support.memory_transport import outcome, start
from tests.support.peer_processes import PeerProcesses

KEY = ("ann", VirtualPath.parse("/a"))
HERE, AWAY = "127.0.0.1", "127.0.0.2"


class Client(NamedTuple):
    session: int
    host: str | None


class Stage(PeerProcesses):
    """An upload was interrupted in process 0, whose session is there or not."""

    def __init__(self) -> None:
        super().__init__(3)
        self.live = True
        self.states[0].resume_offers.make(KEY, Client(1, HERE), lambda: self.live, is_short=True)

    def belongs(self, who: int, session: int, host: str | None = HERE) -> bool:
        asked = start(self.states[who].resume_offers.belongs_to(KEY, session, host))
        self.settle()
        return bool(outcome(asked))


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_while_its_session_is_there_the_offer_is_for_no_other_one(stage: Stage) -> None:
    assert not stage.belongs(1, 2)
    assert stage.belongs(0, 1)


def test_then_it_is_for_the_first_session_of_the_address_in_any_process(stage: Stage) -> None:
    stage.live = False
    assert not stage.belongs(1, 2, AWAY)
    assert not stage.belongs(1, 2, None)
    assert stage.belongs(2, 3)
    assert not stage.belongs(1, 4)
    assert stage.belongs(2, 3)


def test_after_its_process_was_killed_the_offer_is_for_the_client_that_is_back(
    stage: Stage,
) -> None:
    stage.states[1].resume_offers.make(KEY, Client(5, HERE), lambda: True, is_short=True)
    assert not stage.belongs(2, 6)
    stage.kill(1)
    asked = start(stage.states[2].resume_offers.belongs_to(KEY, 6, HERE))
    stage.settle()
    stage.states[2].peers.gone(1)  # what the main process says to a question for nobody
    assert outcome(asked) is True


def test_all_processes_know_what_was_interrupted(stage: Stage) -> None:
    for state in stage.states:
        assert state.resume_offers.is_short(KEY)
        assert state.resume_offers.was_cut_recently(KEY)
    stage.clock.advance(RESUME_OFFER_SECONDS)
    assert not stage.states[1].resume_offers.was_cut_recently(KEY)
    assert not stage.belongs(1, 2)
    assert stage.used_slots(RESUMPTIONS.name) == 0


@pytest.mark.parametrize("how", ["withdraw", "decline"])
def test_an_offer_can_be_dropped_in_another_process(stage: Stage, how: str) -> None:
    offers = stage.states[1].resume_offers
    if how == "withdraw":
        offers.withdraw(KEY)
    else:
        offers.decline(KEY, 5)
        stage.live = False
        assert stage.belongs(1, 2)
        offers.decline(KEY, 2)
    assert not stage.belongs(0, 1)
    assert stage.used_slots(RESUMPTIONS.name) == 0


def test_of_two_sessions_in_two_processes_one_gets_the_offer(stage: Stage) -> None:
    stage.live = False
    asked = [
        start(stage.states[who].resume_offers.belongs_to(KEY, 10 + who, HERE)) for who in (1, 2)
    ]
    stage.settle()
    assert sorted(map(outcome, asked)) == [False, True]


def test_a_session_without_an_address_is_another_one(stage: Stage) -> None:
    stage.states[2].resume_offers.make(KEY, Client(7, None), bool, is_short=False)
    assert not stage.belongs(0, 8, HERE)
    assert stage.belongs(0, 9, None)


def test_an_offer_is_not_made_while_another_process_has_the_lock(stage: Stage) -> None:
    key = ("ann", VirtualPath.parse("/b"))
    section = stage.tables[1].section(RESUMPTIONS.name)
    with section.lock(b"ann\0/b"):
        stage.states[0].resume_offers.make(key, Client(1, HERE), bool, is_short=True)
        assert not stage.states[0].resume_offers.is_short(key)
    assert not stage.states[1].resume_offers.is_short(key)
