"""The notes of interrupted uploads that only one process has."""

from twisted.internet.task import Clock

from ftpservice.session.resume_offers import MAX_OFFERS, RESUME_OFFER_SECONDS, ResumeOffers
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

KEY = ("ann", VirtualPath.parse("/a"))
OLD = Entry("a", Kind.FILE, 10, modified=5.0, unique="1")


def made():
    clock = Clock()
    offers = ResumeOffers(clock.seconds)
    offers.make(KEY, "client", OLD)
    return clock, offers


def test_the_note_is_that_of_the_account_and_the_path():
    _clock, offers = made()
    assert offers.note(KEY, OLD) == "client"
    assert offers.note(("bob", KEY[1]), OLD) is None


def test_it_expires():
    clock, offers = made()
    clock.advance(RESUME_OFFER_SECONDS - 1)
    assert offers.note(KEY, OLD) == "client"
    clock.advance(1)
    assert offers.note(KEY, OLD) is None


def test_it_ends_when_another_file_has_the_name():
    """Another process may have completed the upload."""
    for file in (None, OLD._replace(size=11), OLD._replace(modified=6.0), OLD._replace(unique="2")):
        _clock, offers = made()
        assert offers.note(KEY, file) is None
        assert offers.note(KEY, OLD) is None


def test_it_can_be_withdrawn():
    _clock, offers = made()
    offers.withdraw(KEY)
    assert offers.note(KEY, OLD) is None


def test_their_number_is_limited():
    _clock, offers = made()
    for number in range(MAX_OFFERS):
        offers.make(("bob", VirtualPath.parse(f"/{number}")), "client", OLD)
    assert offers.note(KEY, OLD) is None
    assert len(offers.offers) == MAX_OFFERS
