"""Traces of the sessions of a worker: the records that the main process gets."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.workers.process.worker_traces import MAX_UNREAD_BYTES, WorkerTraces
from tests.support.ftp_dialogue import FTPDialogue


class Channel:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.unread_bytes = 0

    def send(self, *message: Any) -> None:
        self.sent.append(message)

    def commands(self, number: int) -> list[str]:
        """Return the commands in the records of a trace."""
        records = [record for _, trace, record in self.sent if trace == number]
        return [record["command"] for record in records if "command" in record]


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def talk() -> FTPDialogue:
    return FTPDialogue().login()


@pytest.fixture
def traces(channel: Any, talk: FTPDialogue) -> WorkerTraces:
    return WorkerTraces(channel, talk.factory)


def test_a_trace_has_the_commands_from_its_start_to_its_stop(
    channel: Channel, talk: FTPDialogue, traces: WorkerTraces
) -> None:
    talk.say("NOOP")
    traces.start(7, {"target": "ann"})
    talk.say("PWD")
    traces.stop(7)
    talk.say("SYST")
    assert channel.commands(7) == ["PWD"]
    assert channel.sent[0][:2] == ("traced", 7)
    assert channel.sent[0][2]["trace"] == 1


def test_a_trace_that_runs_already_is_not_started_again(
    channel: Channel, talk: FTPDialogue, traces: WorkerTraces
) -> None:
    for _ in range(2):
        traces.start(7, {"target": "ann"})
    talk.say("PWD")
    assert channel.commands(7) == ["PWD"]
    traces.stop(7)


def test_a_session_that_has_ended_has_an_empty_trace(
    channel: Channel, traces: WorkerTraces
) -> None:
    traces.start(7, {"target": "999"})
    assert channel.sent == [("traced", 7, {"trace": 1})]
    traces.stop(7)


def test_records_are_dropped_while_the_main_process_does_not_read(
    channel: Channel, talk: FTPDialogue, traces: WorkerTraces
) -> None:
    traces.start(7, {"target": "ann"})
    channel.unread_bytes = MAX_UNREAD_BYTES + 1
    talk.say("PWD")
    channel.unread_bytes = 0
    talk.say("SYST")
    assert channel.commands(7) == ["SYST"]
    traces.stop(7)
