"""The first events of a run are kept until nobody can ask for them any more."""

import pytest

from ftpservice.activity.early_events import MAX_EVENTS, EarlyEvents
from ftpservice.events import EventStream, FileChanged, LoggedIn


def test_events_of_the_kinds_are_kept_up_to_a_number_until_the_end():
    stream = EventStream(lambda error, _event: pytest.fail(str(error)))
    early = EarlyEvents(stream, (LoggedIn,))
    stream.publish(FileChanged(0.0, 1, "192.0.2.1", "ann", "mkdir", "/x", ""))
    for number in range(MAX_EVENTS + 5):
        stream.publish(LoggedIn(float(number), number, "192.0.2.1", "ann"))
    assert [event.session for event in early.kept] == list(range(MAX_EVENTS))
    early.end()
    early.end()
    stream.publish(LoggedIn(0.0, 1, "192.0.2.1", "ann"))
    assert early.kept == []
