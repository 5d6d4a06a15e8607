import pytest
from twisted.internet.task import Clock

from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.data.ascii_transfer import TextFormat
from ftpservice.data.file_transfer import receive_file, send_chunks, send_file
from ftpservice.stream.connection import TransferAborted
from ftpservice.wire.entry import Entry, Kind
from tests.support.memory_transport import connected, is_pending, outcome, start

TURNS = TimeBudget(Clock(), lambda: 0.0)
IMAGE, TEXT, RECORDS = None, TextFormat(False, TURNS), TextFormat(True, TURNS)


class Reading:
    def __init__(self, content, size=None):
        self.content = content
        self.entry = Entry("a", Kind.FILE, len(content) if size is None else size, 0.0)

    async def read(self, offset, size):
        return self.content[offset : offset + size]


class Writing:
    def __init__(self):
        self.content = b""

    async def write(self, data):
        self.content += data


def sent(reading, offset=0, end=None, representation=IMAGE):
    """Return the count and what the peer got."""
    connection, transport = connected(Clock())
    sending = start(send_file(reading, connection, offset, end, representation))
    while is_pending(sending):
        transport.drain()
    transport.drain()
    return outcome(sending), bytes(transport.sent)


def received(representation, *pieces):
    """Return the count and what was written."""
    connection, transport = connected(Clock())
    writing = Writing()
    receiving = start(receive_file(connection, writing, representation))
    for piece in pieces:
        transport.deliver(piece)
    transport.deliver_fin()
    return outcome(receiving), writing.content


class TestSending:
    def test_bytes_are_sent_as_they_are(self):
        content = bytes(range(256)) * 3000
        assert sent(Reading(content)) == (len(content), content)

    def test_a_span_is_sent(self):
        assert sent(Reading(b"0123456789"), 3, 7) == (4, b"3456")
        assert sent(Reading(b"0123456789"), 3, 70) == (7, b"3456789")
        assert sent(Reading(b"0123456789"), 10) == (0, b"")

    def test_text_gets_crlf(self):
        assert sent(Reading(b"a\nb\n"), representation=TEXT) == (4, b"a\r\nb\r\n")

    def test_records_are_encoded(self):
        assert sent(Reading(b"a\n\xff"), representation=RECORDS) == (
            3,
            b"a\xff\x01\xff\xff\xff\x02",
        )

    def test_a_file_that_became_shorter_aborts_the_transfer(self):
        with pytest.raises(TransferAborted, match="shorter"):
            sent(Reading(b"0123", size=10))
        with pytest.raises(TransferAborted, match="shorter"):
            sent(Reading(b"0123", size=10), 2, 6, RECORDS)

    def test_a_file_that_grew_is_sent_as_it_is_now(self):
        assert sent(Reading(b"0123", size=2)) == (4, b"0123")


class TestReceiving:
    def test_bytes_are_written_as_they_are(self):
        assert received(IMAGE, b"a\r\n", b"\x00") == (4, b"a\r\n\x00")

    def test_text_loses_crlf(self):
        assert received(TEXT, b"a\r", b"\nb\r") == (4, b"a\nb\r")

    def test_records_are_decoded(self):
        assert received(RECORDS, b"a\xff", b"\x01\xff\x02") == (2, b"a\n")

    @pytest.mark.parametrize("wire", [b"a", b"a\xff\x07", b"\xff\x02more"])
    def test_malformed_records_abort_the_transfer(self, wire):
        with pytest.raises(TransferAborted):
            received(RECORDS, wire)


def test_chunks_are_sent_as_fast_as_they_are_taken():
    made = []

    async def chunks():
        for number in range(5):
            made.append(number)
            yield b"x" * 40_000

    connection, transport = connected(Clock())
    sending = start(send_chunks(connection, chunks()))
    assert made == [0, 1]
    while is_pending(sending):
        transport.drain()
    transport.drain()
    assert outcome(sending) == len(transport.sent) == 200_000
