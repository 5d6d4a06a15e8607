import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.lines import LineReader, OverlongLine

LONG = OverlongLine()
CASES = [
    (b"NOOP\r\n", [b"NOOP"]),
    (b"NOOP\n", [b"NOOP"]),
    (b"\r\n\n", [b"", b""]),
    (b"A\r\r\n", [b"A\r"]),
    (b"A\rB\r\n", [b"A\rB"]),
    (b"USER a\r\nPASS b\r\nREST", [b"USER a", b"PASS b"]),
    (b"\xff\xf4\xff\xf2ABOR\r\n", [b"ABOR"]),
    (b"AB\xff\xf4\xff\xf2OR\r\n", [b"ABOR"]),
    (b"RETR a\xff\xffb\r\n", [b"RETR a\xffb"]),
    (b"RETR \xffa\xff\r\n", [b"RETR \xffa\xff"]),
    (b"RETR \xff\n", [b"RETR \xff"]),
    (b"\xff\xfb\x01N\xff\xfd\nOOP\r\n", [b"NOOP"]),
    (b"\xff\xfa\x18\x00vt\xff\xff\xf0\xff\x01\xff\xf0NOOP\r\n", [b"NOOP"]),
    (b"RETR \xff\xfanever ends\r\nNOOP\r\n", [b"RETR ", b"NOOP"]),
    (b"\xff\xfa1\xff\nNOOP\r\n", [b"", b"NOOP"]),
    (b"12345678\r\nNOOP\r\n123456789\r\n\nA\n", [b"12345678", b"NOOP", LONG, b"", b"A"]),
]


def fed(pieces, limit=4096):
    reader = LineReader(limit)
    return [line for piece in pieces for line in reader.feed(piece)]


@pytest.mark.parametrize(("stream", "lines"), CASES)
def test_lines_are_the_same_however_the_stream_is_cut(stream, lines):
    limit = 10 if LONG in lines else 4096
    assert fed([stream], limit) == lines
    assert fed([stream[i : i + 1] for i in range(len(stream))], limit) == lines
    for first, second in itertools.combinations(range(len(stream) + 1), 2):
        pieces = [stream[:first], stream[first:second], stream[second:]]
        assert fed(pieces, limit) == lines


@given(
    stream=st.lists(
        st.sampled_from(
            [b"\xff", b"\xfb", b"\xfa", b"\xf0", b"\xf4", b"\r", b"\n", b"a", b"NOOP\r\n", b"12345"]
        ),
        max_size=40,
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
@settings(max_examples=150, deadline=None, database=None)
def test_any_stream_reads_the_same_in_any_pieces(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole, cut = LineReader(16), LineReader(16)
    lines = [line for low, high in itertools.pairwise(edges) for line in cut.feed(stream[low:high])]
    assert whole.feed(stream) == lines
    assert whole.pending == cut.pending
    assert whole.telnet.answers == cut.telnet.answers
    assert not any(b"\n" in line for line in lines if isinstance(line, bytes))


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None, database=None)
def test_names_survive_when_each_0xff_is_doubled(data):
    line = data.replace(b"\n", b"").rstrip(b"\r")
    assert fed([line.replace(b"\xff", b"\xff\xff") + b"\r\n"]) == [line]


@pytest.mark.parametrize("command", range(240, 250))
def test_every_telnet_command_is_dropped_inside_a_verb(command):
    assert fed([b"NO" + bytes((255, command)) + b"OP\r\n"]) == [b"NOOP"]


@pytest.mark.parametrize("byte", [byte for byte in range(240) if byte != 10])
def test_0xff_before_an_ordinary_byte_is_part_of_a_name(byte):
    assert fed([b"\xff" + bytes((byte,)) + b"x\n"]) == [b"\xff" + bytes((byte,)) + b"x"]


def test_limit_counts_the_end_of_the_line():
    assert fed([b"a" * 8 + b"\r\n"], limit=10) == [b"a" * 8]
    assert fed([b"a" * 9 + b"\r\n"], limit=10) == [LONG]
    assert fed([b"a" * 9 + b"\n"], limit=10) == [b"a" * 9]


def test_too_long_a_line_is_told_once_and_at_once():
    reader = LineReader(10)
    assert reader.feed(b"a" * 10) == [LONG]
    assert reader.pending
    for _ in range(1000):
        assert reader.feed(b"a" * 100) == []
    assert reader.feed(b"tail\r\nNOOP\r\n") == [b"NOOP"]
    assert not reader.pending


def test_memory_is_bounded_for_an_endless_line():
    reader = LineReader(100)
    for _ in range(1000):
        reader.feed(b"a" * 50)
        assert len(reader._buffer) < 100


def test_options_are_refused_once_each():
    reader = LineReader()
    reader.feed(b"\xff\xfb\x01\xff\xfd\x03\xff\xfc\x05\xff\xfe\x06")
    assert reader.telnet.take_telnet_replies() == b"\xff\xfe\x01\xff\xfc\x03"
    assert reader.telnet.take_telnet_replies() == b""


def test_a_flood_of_options_makes_few_answers():
    reader = LineReader()
    reader.feed(b"\xff\xfb\x01" * 10_000)
    assert len(reader.telnet.take_telnet_replies()) <= 96


def test_keepalives_never_fill_the_line():
    reader = LineReader(100)
    assert reader.feed(b"\xff\xf1" * 1000 + b"NOOP\r\n") == [b"NOOP"]


@pytest.mark.parametrize("filling", [b"x", b"\xff\xff", b"\xff\x01"])
def test_an_endless_subnegotiation_is_given_up(filling):
    reader = LineReader()
    reader.feed(b"\xff\xfa" + filling * 2000)
    assert reader.feed(b"\r\nNOOP\r\n")[-1] == b"NOOP"
    assert reader.feed(b"\xff\xf0NOOP\r\n") == [b"NOOP"]


def test_clear_forgets_half_a_line_half_a_sequence_and_answers():
    for stream in (b"PASS sec", b"\xff", b"\xff\xfb", b"\xff\xfax", b"\xff\xfb\x01", b"a" * 50):
        reader = LineReader(20)
        reader.feed(stream)
        reader.clear()
        assert not reader.pending
        assert reader.telnet.take_telnet_replies() == b""
        assert reader.feed(b"\xf4\r\n") == [b"\xf4"]


def test_pending_tells_of_anything_unfinished():
    for stream in (b"N", b"\xff", b"\xff\xfb", b"\xff\xfa\x01", b"NOOP\r\nN", b"a" * 20):
        reader = LineReader(20)
        assert not reader.pending
        reader.feed(stream)
        assert reader.pending
    reader = LineReader()
    reader.feed(b"NOOP\r\n\xff\xf4")
    assert not reader.pending


def test_nothing_gives_nothing():
    assert LineReader().feed(b"") == []
