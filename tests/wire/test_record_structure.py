"""Records in stream mode, RFC 959 §3.4.1."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.record_structure import BadRecordStructure, RecordDecoder, RecordEncoder

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\xff", b"\r", b"\x01", b"\x02"])).map(b"".join)


def test_a_line_becomes_a_record() -> None:
    assert RecordEncoder().translate(b"a\nb\xff\n") == b"a\xff\x01b\xff\xff\xff\x01"


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS, st.lists(st.integers(0, 40)))
def test_there_and_back_loses_nothing_for_any_split(text: bytes, cuts: list[int]) -> None:
    stream = RecordEncoder().translate(text) + RecordEncoder().finish()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = RecordDecoder()
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert b"".join(map(reader.translate, pieces)) + reader.finish() == text


def test_the_last_mark_may_end_record_and_file_at_once() -> None:
    reader = RecordDecoder()
    assert reader.translate(b"one\xff\x01two\xff\x03") == b"one\ntwo\n"
    assert reader.finish() == b""


@pytest.mark.parametrize("stream", [b"a\xff\x07", b"\xff\x02more", b"\xff\x02\xff\x01"])
def test_what_is_no_record_is_refused(stream: bytes) -> None:
    with pytest.raises(BadRecordStructure):
        RecordDecoder().translate(stream)


@pytest.mark.parametrize("stream", [b"", b"a", b"a\xff\x01", b"\xff"])
def test_a_stream_without_end_of_file_is_not_whole(stream: bytes) -> None:
    reader = RecordDecoder()
    reader.translate(stream)
    with pytest.raises(BadRecordStructure):
        reader.finish()
