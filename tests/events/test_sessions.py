"""Events are handed to every subscriber, and nobody disturbs anybody."""

import dataclasses

from ftpservice.events import Event, EventStream, LoggedIn, LoginFailed, SessionOpened
from ftpservice.events.sessions import event_value


def stream():
    failures = []
    return EventStream(lambda error, event: failures.append((error, event))), failures


EVENT = LoggedIn(1.0, 7, "192.0.2.1", "alice")


def test_every_subscriber_gets_each_event_once_in_the_order_they_subscribed():
    events, failures = stream()
    seen = []
    events.subscribe(lambda event: seen.append(("first", event)))
    events.subscribe(lambda event: seen.append(("second", event)))
    events.publish(EVENT)
    assert seen == [("first", EVENT), ("second", EVENT)]
    assert failures == []


def test_who_unsubscribed_hears_nothing_more():
    events, _ = stream()
    seen = []
    leave = events.subscribe(seen.append)
    events.publish(EVENT)
    leave()
    events.publish(EVENT)
    assert seen == [EVENT]


def test_a_subscriber_that_fails_is_reported_and_disturbs_nobody():
    events, failures = stream()
    seen = []

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    events.subscribe(broken)
    events.subscribe(seen.append)
    events.publish(EVENT)
    assert seen == [EVENT]
    [(error, event)] = failures
    assert isinstance(error, ZeroDivisionError)
    assert event is EVENT


def test_a_subscriber_may_leave_while_it_is_told():
    events, failures = stream()
    seen = []

    def once(event: Event) -> None:
        seen.append(event)
        leave()

    leave = events.subscribe(once)
    events.subscribe(seen.append)
    events.publish(EVENT)
    events.publish(EVENT)
    assert seen == [EVENT] * 3
    assert failures == []


def test_events_are_frozen_for_type_checkers_and_equal_by_value():
    given = event_value.__dataclass_transform__
    assert (given | given["kwargs"])["frozen_default"] is True  # in the one or the other
    assert hash(EVENT) == hash(dataclasses.replace(EVENT))
    assert dataclasses.replace(EVENT) == EVENT


def test_details_have_defaults_where_there_may_be_none():
    assert LoginFailed(1.0, 7, "192.0.2.1", "bob").reason == "refused"


def test_a_subscriber_of_some_kinds_gets_no_others():
    events, seen = EventStream(None), []
    leave = events.subscribe(seen.append, LoggedIn, LoginFailed)
    events.publish(SessionOpened(1.0, 1, "peer", ""))
    events.publish(LoggedIn(1.0, 1, "peer", "ann"))
    leave()
    events.publish(LoggedIn(1.0, 1, "peer", "ann"))
    assert seen == [LoggedIn(1.0, 1, "peer", "ann")]
