"""A flood of commands does not block others: no iteration of the reactor takes long.

Times are processor times of this thread: a busy machine makes no difference.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from time import thread_time

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.commands.table import VERB_TABLE
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.control.factory import COMMAND_SECONDS_PER_TURN
from ftpservice.control.protocol import ControlProtocol
from ftpservice.simple.commands import SIMPLE_VERBS as SIMPLE_TABLE
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply
from tests.support.ftp_dialogue import DialogueTransport, FTPDialogue

SESSIONS = 6
MOST_SECONDS = 0.05
pytestmark = pytest.mark.no_cover  # floods of commands take twice as long when measured
OPENS_PORTS = ("PASV", "EPSV")
"""Verbs that need real sockets (interop/test_fairness_under_flood.py has them)."""
PATTERN = "d/*[a-z]*[b-y]*[c-x]*e*"
ARGUMENTS = ("", " big", " d", f" {PATTERN}")


def stored(dialogue: FTPDialogue, name: str, content: bytes) -> None:
    async def work() -> None:
        request = WriteRequest(WriteMode.REPLACE, 0, None, 0o666)
        writing = await dialogue.storage.open_writing(VirtualPath.parse(name), request)
        await writing.write(content)
        await writing.commit()

    Deferred.fromCoroutine(work())


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Disable the garbage collector, which traverses the memory of the whole test run."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(name="dialogue", scope="module")
def new_dialogue() -> FTPDialogue:
    """A service with a large file and a large directory; its time slices are measured."""
    dialogue = FTPDialogue()
    services = dialogue.factory.services()
    time_budget = TimeBudget(dialogue.reactor, thread_time, COMMAND_SECONDS_PER_TURN)
    dialogue.factory._services = replace(services, time_budget=time_budget)
    stored(dialogue, "/big", b"some text\r\n" * 2_000_000)
    Deferred.fromCoroutine(dialogue.storage.make_directory(VirtualPath.parse("/d")))
    for number in range(1900):
        stored(dialogue, f"/d/{number:04}{'e' * 60}", b"")
    return dialogue


def iterated(dialogue: FTPDialogue) -> float:
    """Run one iteration of the reactor; return its seconds.

    Unlike `Clock.advance`, and like a reactor, it does not run calls that are scheduled meanwhile.
    """
    clock = dialogue.reactor
    began = thread_time()
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call in clock.calls:
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
    return thread_time() - began


def settled(dialogue: FTPDialogue, *protocols: ControlProtocol) -> None:
    """Run until these sessions have nothing left to do."""
    while any(one.interpreter.busy or one._unparsed for one in protocols):
        iterated(dialogue)


class Flood:
    """Sessions that send the same line repeatedly, until the end of the block."""

    def __init__(self, dialogue: FTPDialogue, line: str) -> None:
        self.dialogue = dialogue
        self._data = f"{line}\r\n".encode() * (20_000 // (len(line) + 2))
        self.ends = [dialogue.connect() for _ in range(SESSIONS)]
        protocols = [protocol for protocol, _ in self.ends]
        for protocol in protocols:
            protocol.dataReceived(b"USER ann\r\nPASS secret\r\nTYPE A\r\n")
        settled(dialogue, *protocols)
        for _protocol, transport in self.ends:
            transport.clear()

    def __enter__(self) -> Flood:
        return self

    def __exit__(self, *exception: object) -> None:
        for protocol, _transport in self.ends:
            protocol.connectionLost(Failure(ConnectionDone()))
        iterated(self.dialogue)

    def times(self, most: int = 4) -> Iterator[float]:
        """Send, and return the durations of the following iterations."""
        began = thread_time()
        for protocol, _transport in self.ends:
            protocol.dataReceived(self._data)
        yield thread_time() - began
        for _ in range(most):
            for _protocol, transport in self.ends:
                transport.clear()
            yield iterated(self.dialogue)


@pytest.mark.parametrize(
    "verb", sorted(row.name for row in VERB_TABLE if row.name not in OPENS_PORTS)
)
def test_no_command_blocks_the_reactor(dialogue: FTPDialogue, verb: str) -> None:
    for argument in ARGUMENTS:
        with Flood(dialogue, verb + argument) as flood:
            times = sorted(flood.times())
        assert times[-2] < MOST_SECONDS, argument


@pytest.mark.parametrize("slowness", [1, 30])
@pytest.mark.parametrize("line", ["SIZE big", "HELP", "DSIZ", "STAT d", f"STAT {PATTERN}"])
def test_other_sessions_are_answered_in_the_next_iteration(
    dialogue: FTPDialogue, monkeypatch: pytest.MonkeyPatch, line: str, slowness: int
) -> None:
    """Also on a slow machine: it waits only for first steps that were queued before it."""
    time_budget = dialogue.factory.services().time_budget
    monkeypatch.setattr(time_budget, "_now", lambda: thread_time() * slowness)
    bystander, transport = dialogue.connect("127.0.0.9")
    bystander.dataReceived(b"USER bob\r\nPASS hidden\r\n")
    settled(dialogue, bystander)
    with Flood(dialogue, line) as flood:
        times = flood.times(most=8 + SESSIONS)
        next(times)
        for _first_steps in range(SESSIONS):  # at least one in each iteration
            next(times)
        for _time in times:
            transport.clear()
            bystander.dataReceived(b"NOOP\r\n")
            iterated(dialogue)
            assert transport.value().startswith(b"200 ")
    bystander.connectionLost(Failure(ConnectionDone()))


def test_a_flood_is_answered_completely(dialogue: FTPDialogue) -> None:
    with Flood(dialogue, "NOOP") as flood:
        answered = 0
        for _time in flood.times(most=5000):
            answered += sum(transport.value().count(b"\n") for _, transport in flood.ends)
            if answered == 3333 * SESSIONS:
                break
        assert answered == 3333 * SESSIONS


def test_a_flood_during_a_transfer_is_time_sliced(dialogue: FTPDialogue) -> None:
    with Flood(dialogue, "STAT") as flood:
        for protocol, _transport in flood.ends:
            protocol.interpreter._transfer = running = Task(never())
            running.done.addErrback(lambda failure: failure.trap(CancelledError))
        assert sorted(flood.times())[-2] < MOST_SECONDS


async def never() -> Reply:
    return await Deferred()


@pytest.mark.parametrize("verb", sorted(SIMPLE_TABLE))
def test_no_simple_command_blocks_the_reactor(dialogue: FTPDialogue, verb: str) -> None:
    for argument in ("", " d", " none", " 1+ x\ny"):
        ends = []
        for _ in range(SESSIONS):
            protocol = SimpleFactory(dialogue.factory).buildProtocol(None)
            protocol.makeConnection(DialogueTransport())
            protocol.dataReceived(b"USER ann\nPASS secret\n")
            ends.append(protocol)
        iterated(dialogue)
        line = f"{verb}{argument}\n".encode()
        times = []
        for protocol in ends:
            protocol.dataReceived(line * (20_000 // len(line)))
        for _ in range(8):
            times.append(iterated(dialogue))
        for protocol in ends:
            protocol.connectionLost(Failure(ConnectionDone()))
        assert sorted(times)[-2] < MOST_SECONDS, argument
