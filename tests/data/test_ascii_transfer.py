"""Text on its way: converted alike however it is cut, and in turns."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from ftpservice.concurrency.time_budget import SECONDS_PER_TURN, TimeBudget
from ftpservice.data.ascii_transfer import LINES_PIECE_SIZE, TextFormat, TextReceiver, TextSender
from tests.support.memory_transport import is_pending, outcome, start


def at_once() -> TimeBudget:
    """Return turns for which no time passes."""
    return TimeBudget(Clock(), lambda: 0.0)


class Memory:
    """A connection that takes and gives at once."""

    chunk = 10

    def __init__(self, *pieces: bytes) -> None:
        self.sent: list[bytes] = []
        self.pieces = [*pieces]

    async def write(self, data: bytes) -> None:
        self.sent.append(data)

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


async def all_of(inflow: TextReceiver) -> bytes:
    text = b""
    while data := await inflow.read():
        text += data
    assert await inflow.read() == b""
    return text


async def sent(records: bool, *pieces: bytes) -> bytes:
    connection = Memory()
    text = TextSender(connection, TextFormat(records, at_once()))
    for piece in pieces:
        await text.write(piece)
    await text.finish()
    return b"".join(connection.sent)


def received(records: bool, *pieces: bytes) -> bytes:
    return outcome(start(all_of(TextReceiver(Memory(*pieces), TextFormat(records, at_once())))))


def test_crlf_in_a_file_is_sent_unchanged_across_pieces():
    assert outcome(start(sent(False, b"a\r\nb\n", b"c\r", b"\nd"))) == b"a\r\nb\r\nc\r\nd"
    large = b"x" * (LINES_PIECE_SIZE - 1) + b"\r\n" + b"y" * LINES_PIECE_SIZE + b"\n"
    assert outcome(start(sent(False, large))) == large[:-1] + b"\r\n"


def test_records_end_with_the_end_of_the_file():
    assert outcome(start(sent(True, b"a\n"))) == b"a\xff\x01\xff\x02"


@given(
    text=st.text("\r\na", max_size=40).map(str.encode),
    cuts=st.lists(st.integers(0, 80), max_size=8),
    records=st.booleans(),
)
def test_text_survives_the_round_trip_in_any_pieces(text, cuts, records):
    wire = outcome(start(sent(records, text)))
    marks = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[begin:end] for begin, end in itertools.pairwise(marks) if begin < end]
    assert received(records, *pieces) == (text if records else text.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("upload", [False, True])
def test_conversion_leaves_time_for_other_sessions(upload, records):
    clock = Clock()
    ticks = itertools.count(
        step=SECONDS_PER_TURN / 8
    )  # each look at the time takes a quarter of a piece
    time_budget = TimeBudget(clock, lambda: next(ticks))
    data = b"a\n" * 8 * LINES_PIECE_SIZE
    wire = outcome(start(sent(records, data)))
    if upload:
        moving = start(all_of(TextReceiver(Memory(wire), TextFormat(records, time_budget))))
    else:
        moving = start(TextSender(Memory(), TextFormat(records, time_budget)).write(data))
    iterations = 0
    while is_pending(moving):
        [call] = clock.calls
        clock.calls.remove(call)
        call.called = 1
        call.func()
        iterations += 1
        assert iterations < 1000
    assert iterations >= 1
    outcome(moving)
