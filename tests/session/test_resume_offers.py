"""Which session is offered an interrupted upload where there is a file, too.

The same holds for a process that shares its offers with others.
"""

from typing import NamedTuple

import pytest
from twisted.internet.task import Clock

from ftpservice.session.resume_offers import MAX_OFFERS, RESUME_OFFER_SECONDS, ResumeOffers
from ftpservice.wire.paths import VirtualPath
from tests.support.memory_transport import outcome, start
from tests.support.peer_processes import PeerProcesses

KEY = ("ann", VirtualPath.parse("/a"))
HERE, AWAY = "127.0.0.1", "127.0.0.2"


class Client(NamedTuple):
    session: int
    host: str


@pytest.fixture(params=["local", "table"])
def made(request):
    processes = PeerProcesses(1)

    def make(live):
        clock = processes.clock
        shared = processes.states[0].resume_offers
        offers = ResumeOffers(clock.seconds) if request.param == "local" else shared
        offers.make(KEY, Client(1, HERE), lambda: live, is_short=True)
        return clock, offers

    yield make
    processes.close()


def belongs(offers, key, session, host):
    return outcome(start(offers.belongs_to(key, session, host)))


def test_the_offer_is_for_the_session_of_the_upload_while_it_lives(made):
    clock, offers = made(live=True)
    assert not belongs(offers, KEY, 2, HERE)
    clock.advance(2 * RESUME_OFFER_SECONDS)
    assert belongs(offers, KEY, 1, HERE)
    assert not belongs(offers, KEY, 2, HERE)


def test_then_it_is_for_the_first_other_session_of_the_same_address(made):
    _clock, offers = made(live=False)
    assert not belongs(offers, KEY, 2, AWAY)
    assert belongs(offers, KEY, 3, HERE)
    assert belongs(offers, KEY, 3, HERE)
    assert not belongs(offers, KEY, 4, HERE)
    assert not belongs(offers, ("bob", KEY[1]), 3, HERE)


def test_an_offer_expires(made):
    clock, offers = made(live=False)
    clock.advance(RESUME_OFFER_SECONDS - 1)
    assert offers.was_cut_recently(KEY)
    assert offers.is_short(KEY)
    clock.advance(1)
    assert not offers.was_cut_recently(KEY)
    assert not belongs(offers, KEY, 2, HERE)


def test_a_download_drops_the_offer(made):
    _clock, offers = made(live=False)
    offers.decline(KEY, 2)
    assert belongs(offers, KEY, 2, HERE)
    offers.decline(KEY, 2)
    assert not belongs(offers, KEY, 2, HERE)
    assert not belongs(offers, KEY, 3, HERE)


def test_a_new_upload_drops_the_offer_and_its_interruption_makes_another(made):
    _clock, offers = made(live=False)
    offers.withdraw(KEY)
    assert not belongs(offers, KEY, 2, HERE)
    offers.make(KEY, Client(5, AWAY), lambda: True, is_short=False)
    assert not offers.is_short(KEY)
    assert belongs(offers, KEY, 5, HERE)


def test_the_number_of_offers_is_limited():
    offers = ResumeOffers(Clock().seconds)
    offers.make(KEY, Client(1, HERE), bool, is_short=True)
    for number in range(MAX_OFFERS):
        path = VirtualPath.parse(f"/{number}")
        offers.make(("bob", path), Client(1, HERE), lambda: False, is_short=True)
    assert not belongs(offers, KEY, 2, HERE)
