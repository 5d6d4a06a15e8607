"""Bytes of parts: sizes, memory and temporary files."""

import pytest

from ftpservice.backends.s3.tree.object_copy import copy_spans
from ftpservice.backends.s3.tree.part_buffer import (
    MAX_MEMORY_PART,
    MemoryAllowance,
    PartBuffer,
    appended_part_size,
    part_size,
)
from ftpservice.backends.s3.uploads.object_append import FIRST_NUMBER


def test_ten_thousand_parts_hold_five_tebibytes():
    assert part_size(1) == part_size(1000) == 8 << 20
    assert part_size(1001) == 16 << 20
    assert sum(part_size(number) for number in range(1, 10_001)) > 5 << 40
    assert part_size(10_000) <= 5 << 30


def test_five_tebibytes_can_be_appended():
    sizes = [appended_part_size(count) for count in range(10_001 - FIRST_NUMBER)]
    assert sum(sizes) > 5 << 40
    assert (sizes[0], max(sizes)) == (8 << 20, 4 << 30)


@pytest.mark.parametrize("old", [5 << 20, 256 << 20, (256 << 20) + 1, 1 << 40, (5 << 40) - 1])
def test_a_file_is_copied_in_parts_after_which_there_is_room_for_five_tebibytes(old):
    """As a resumed upload does; a part has at least five MiB, and five GiB at most."""
    spans = copy_spans(old)
    assert [start for start, _end in spans] == [0, *(end for _start, end in spans[:-1])]
    assert spans[-1][1] == old
    assert all(5 << 20 <= end - start <= 5 << 30 for start, end in spans)
    more = sum(part_size(number) for number in range(len(spans) + 1, 10_001))
    assert old + more >= 5 << 40


def test_what_memory_does_not_allow_is_in_a_file(tmp_path):
    allowance = MemoryAllowance(10)
    buffer = PartBuffer(allowance, str(tmp_path))
    assert buffer.add(b"01234567")
    assert not buffer.add(b"89a")
    buffer.spool(b"89a")
    assert not buffer.add(b"b"), "the order of bytes stays"
    buffer.spool(b"b")
    assert b"".join(buffer.pieces()) == buffer.all_bytes() == b"0123456789ab"
    assert (buffer.read(6, 100), buffer.read(8, 2), buffer.read(99, 1)) == (b"67", b"89", b"")
    assert list(tmp_path.iterdir()) == []
    buffer.close()
    buffer.close()
    assert allowance.take(10)


def test_large_parts_are_in_files_whatever_memory_there_is():
    buffer = PartBuffer(MemoryAllowance(1 << 40), "")
    assert buffer.add(b"x" * MAX_MEMORY_PART)
    assert not buffer.add(b"x")
    buffer.close()


def test_many_small_pieces_take_no_more_memory_than_counted():
    buffer = PartBuffer(MemoryAllowance(1 << 20), "")
    for _ in range(5000):
        assert buffer.add(b"x")
    assert len(list(buffer.pieces())) == 1
    buffer.close()
