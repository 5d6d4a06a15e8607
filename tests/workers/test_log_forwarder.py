"""What a worker logs becomes a line of the one log, with its time, level and traceback."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from ftpservice.service.log.json_lines import json_line
from ftpservice.service.log.text_lines import text_line
from ftpservice.workers.log_forwarder import MAX_UNREAD_BYTES, LogForwarder, relay_log


class Sent:
    unread_bytes = 0

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []

    def send(self, _name: str, *record: Any) -> None:
        self.records.append(record)


class Here:
    """A reactor whose thread this is."""

    def callFromThread(self, function: Any, *words: Any) -> None:
        function(*words)


def relayed(record: tuple[Any, ...]) -> dict[str, Any]:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        relay_log(*record)
    finally:
        globalLogPublisher.removeObserver(events.append)
    return events[0]  # type: ignore[no-any-return]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def log(sent: Sent) -> Logger:
    forwarder: Any = LogForwarder(sent, Here())  # type: ignore[arg-type]
    return Logger("ftpservice.accounts", observer=forwarder)


def test_a_line_is_the_same_in_the_log_of_the_main_process(sent: Sent, log: Logger) -> None:
    log.warn("{who} is {what}\nand more", who="ann", what="{here}")
    event = relayed(sent.records[0])
    assert "[ftpservice.accounts#warn] ann is {here}" in str(text_line(event))
    assert '"message": "ann is {here}' in str(json_line(event))


def test_a_traceback_goes_with_it(sent: Sent, log: Logger) -> None:
    try:
        raise KeyError("lost key")
    except KeyError:
        log.failure("it failed", Failure())
    event = relayed(sent.records[0])
    assert event["log_level"] is LogLevel.critical
    assert "KeyError: 'lost key'" in str(text_line(event))
    assert "lost key" in str(json_line(event))


def test_of_others_only_problems_are_sent(sent: Sent) -> None:
    forwarder: Any = LogForwarder(sent, Here())  # type: ignore[arg-type]
    other = Logger("twisted.internet.tcp", observer=forwarder)
    other.info("port starts")
    other.error("port fails")
    assert [record[3] for record in sent.records] == ["port fails"]


def test_lines_that_are_not_read_are_lost_and_counted(sent: Sent, log: Logger) -> None:
    sent.unread_bytes = MAX_UNREAD_BYTES + 1
    log.info("one")
    log.info("two")
    sent.unread_bytes = 0
    log.info("three")
    assert [record[3] for record in sent.records] == ["2 log lines were lost", "three"]
