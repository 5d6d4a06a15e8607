"""Which session is offered an interrupted upload where there is a file, too."""

from typing import NamedTuple

from twisted.internet.task import Clock

from ftpservice.session.resume_offers import MAX_OFFERS, RESUME_OFFER_SECONDS, ResumeOffers
from ftpservice.wire.paths import VirtualPath

KEY = ("ann", VirtualPath.parse("/a"))
HERE, AWAY = "127.0.0.1", "127.0.0.2"


class Client(NamedTuple):
    session: int
    host: str


def made(live):
    clock = Clock()
    offers = ResumeOffers(clock.seconds)
    offers.make(KEY, Client(1, HERE), lambda: live, is_short=True)
    return clock, offers


def test_the_offer_is_for_the_session_of_the_upload_while_it_lives():
    clock, offers = made(live=True)
    assert not offers.belongs_to(KEY, 2, HERE)
    clock.advance(2 * RESUME_OFFER_SECONDS)
    assert offers.belongs_to(KEY, 1, HERE)
    assert not offers.belongs_to(KEY, 2, HERE)


def test_then_it_is_for_the_first_other_session_of_the_same_address():
    _clock, offers = made(live=False)
    assert not offers.belongs_to(KEY, 2, AWAY)
    assert offers.belongs_to(KEY, 3, HERE)
    assert offers.belongs_to(KEY, 3, HERE)
    assert not offers.belongs_to(KEY, 4, HERE)
    assert not offers.belongs_to(("bob", KEY[1]), 3, HERE)


def test_an_offer_expires():
    clock, offers = made(live=False)
    clock.advance(RESUME_OFFER_SECONDS - 1)
    assert offers.was_cut_recently(KEY)
    assert offers.is_short(KEY)
    clock.advance(1)
    assert not offers.was_cut_recently(KEY)
    assert not offers.belongs_to(KEY, 2, HERE)


def test_a_download_drops_the_offer():
    _clock, offers = made(live=False)
    offers.decline(KEY, 2)
    assert offers.belongs_to(KEY, 2, HERE)
    offers.decline(KEY, 2)
    assert not offers.belongs_to(KEY, 2, HERE)
    assert not offers.belongs_to(KEY, 3, HERE)


def test_a_new_upload_drops_the_offer_and_its_interruption_makes_another():
    _clock, offers = made(live=False)
    offers.withdraw(KEY)
    assert not offers.belongs_to(KEY, 2, HERE)
    offers.make(KEY, Client(5, AWAY), lambda: True, is_short=False)
    assert not offers.is_short(KEY)
    assert offers.belongs_to(KEY, 5, HERE)


def test_the_number_of_offers_is_limited():
    _clock, offers = made(live=False)
    for number in range(MAX_OFFERS):
        path = VirtualPath.parse(f"/{number}")
        offers.make(("bob", path), Client(1, HERE), lambda: False, is_short=True)
    assert not offers.belongs_to(KEY, 2, HERE)
