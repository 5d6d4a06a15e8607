"""Clears what a process that has ended has counted in a section of a shared table."""

from __future__ import annotations

from ftpservice.concurrency.table_layout import BUCKET_SLOTS
from ftpservice.concurrency.table_lock import TableBusy, acquire
from ftpservice.concurrency.table_section import TableSection
from ftpservice.linux import unlock_byte

__all__ = ["clear_column"]


def clear_column(section: TableSection, column: int) -> None:
    """Clear a column of every key."""
    first, buckets = section.marks, section.record.buckets
    used = section.cells[first : first + buckets].tolist()
    for bucket in (bucket for bucket, mark in enumerate(used) if mark):
        try:
            acquire(section.descriptor, first + bucket)
        except TableBusy:  # nobody else writes in the column, so its numbers can go anyway
            _clear_bucket(section, bucket, column)
            continue
        section.is_locked = True
        try:
            tags = first + buckets + bucket * BUCKET_SLOTS * 2
            for slot, row in _clear_bucket(section, bucket, column).items():
                section.free_if_blank(row, tags + slot)
        finally:
            section.is_locked = False
            unlock_byte(section.descriptor, first + bucket)


def _clear_bucket(section: TableSection, bucket: int, column: int) -> dict[int, int]:
    """Clear a column of the keys in a bucket; returns their slots and rows."""
    cells, width, cleared = section.cells, section.width, {}
    begin = section.rows + bucket * BUCKET_SLOTS * width
    for field in range(section.record.fields):
        first = begin + field * section.columns
        numbers = cells[first + column : begin + BUCKET_SLOTS * width : width].tolist()
        for slot in (slot for slot, number in enumerate(numbers) if number):
            row = first + slot * width
            if field in section.record.settled:
                cells[row + section.column] += numbers[slot]
            cells[row + column] = 0
            cleared[slot] = begin + slot * width
    return cleared
