"""Who follows events gets those that were asked for, and nothing after the end."""

import json

import pytest
from twisted.internet.task import Clock

from ftpservice.activity.event_feed import EventFeed
from ftpservice.events import EventStream, FileExpired, LoggedIn, LoginFailed, LoginRefusal, Outcome
from tests.support.journal_cases import HOSTILE, every_event, transfer

ANN, BOB = (5.0, 1, "192.0.2.1", "ann"), (6.0, 2, "192.0.2.2", "bob")
EVENTS = [
    LoggedIn(*ANN),
    LoginFailed(*BOB, LoginRefusal.WRONG_PASSWORD),
    transfer(7.0),
    transfer(8.0, outcome=Outcome.ABORTED),
]


class Followed:
    def __init__(self, user=None, failed=False):
        self.clock = Clock()
        self.events = EventStream(lambda error, event: pytest.fail(f"{error!r} at {event}"))
        self.got = []
        self.feed = EventFeed(self.events, self.clock, user, failed)
        self.feed.start(self.got.append)

    def publish(self, events):
        for event in events:
            self.events.publish(event)
        self.clock.advance(1)
        return [(one["at"], one["level"]) for one in self.got]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [(5.0, "info"), (6.0, "warn"), (7.0, "info"), (8.0, "warn")]),
        ({"user": "ann"}, [(5.0, "info"), (7.0, "info"), (8.0, "warn")]),
        ({"failed": True}, [(6.0, "warn"), (8.0, "warn")]),
        ({"user": "ann", "failed": True}, [(8.0, "warn")]),
        ({"user": "nobody"}, []),
    ],
)
def test_what_was_asked_for_comes(wanted, expected):
    assert Followed(**wanted).publish(EVENTS) == expected


def test_every_event_is_a_line_and_json():
    followed = Followed()
    events = every_event(HOSTILE)  # among them a file of an age that no file can have
    followed.publish(event for event in events if not isinstance(event, FileExpired))
    assert len(followed.got) > 10
    for one in followed.got:
        assert one["line"].isprintable()
        assert json.loads(json.dumps(one))["line"] == one["line"]


def test_earlier_events_come_first_and_what_waits_can_be_sent_at_once():
    followed = Followed()
    got = []
    feed = EventFeed(followed.events, followed.clock, "ann", False)
    feed.earlier = EVENTS[:2]
    feed.start(got.append)
    followed.events.publish(EVENTS[2])
    assert got == []
    feed.flush()
    assert [one["at"] for one in got] == [5.0, 7.0]
    feed.stop()
    feed.start(got.append)  # what was sent is not sent again
    feed.flush()
    feed.stop()
    assert len(got) == 2


def test_after_the_end_nothing_comes_and_nothing_is_left():
    followed = Followed()
    followed.publish(EVENTS)
    before = len(followed.got)
    followed.events.publish(EVENTS[0])
    followed.feed.stop()
    followed.feed.stop()
    followed.publish(EVENTS)
    assert len(followed.got) == before
    assert followed.clock.getDelayedCalls() == []
