"""Bytes of parts: sizes, memory and temporary files."""

from ftpservice.backends.s3.tree.part_buffer import (
    MAX_MEMORY_PART,
    MemoryAllowance,
    PartBuffer,
    part_size,
)


def test_ten_thousand_parts_hold_five_tebibytes():
    assert part_size(1) == part_size(1000) == 8 << 20
    assert part_size(1001) == 16 << 20
    assert sum(part_size(number) for number in range(1, 10_001)) > 5 << 40
    assert part_size(10_000) <= 5 << 30


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
