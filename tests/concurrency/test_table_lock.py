"""Locks of shared tables, held by several open file descriptions."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from ftpservice.concurrency import table_lock
from ftpservice.concurrency.table_lock import LOCK_SECONDS, TableBusy, acquire
from ftpservice.linux import lock_byte, unlock_byte


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Two open file descriptions of one file in memory."""
    monkeypatch.setattr(table_lock, "_kept_until", {})
    one = os.memfd_create("lock")
    two = os.open(f"/proc/self/fd/{one}", os.O_RDWR)
    yield one, two
    os.close(one)
    os.close(two)


def test_a_lock_excludes_other_descriptions_only(descriptors: tuple[int, int]) -> None:
    one, two = descriptors
    assert lock_byte(one, 7) and lock_byte(one, 7)
    assert not lock_byte(two, 7)
    assert lock_byte(two, 8), "another byte"
    unlock_byte(one, 7)
    assert lock_byte(two, 7)


def test_closing_the_description_releases_its_locks(descriptors: tuple[int, int]) -> None:
    third = os.open(f"/proc/self/fd/{descriptors[0]}", os.O_RDWR)
    assert lock_byte(third, 7)
    assert not lock_byte(descriptors[0], 7)
    os.close(third)
    assert lock_byte(descriptors[0], 7)


def test_a_lock_is_waited_for(descriptors: tuple[int, int]) -> None:
    one, two = descriptors
    acquire(one, 7)
    release = threading.Timer(LOCK_SECONDS / 10, unlock_byte, (one, 7))
    release.start()
    acquire(two, 7)
    release.join()
    assert not lock_byte(one, 7)


def test_a_lock_is_waited_for_a_bounded_time(descriptors: tuple[int, int]) -> None:
    one, two = descriptors
    acquire(one, 7)
    began = time.monotonic()
    with pytest.raises(TableBusy):
        acquire(two, 7)
    assert time.monotonic() - began >= LOCK_SECONDS


def test_a_lock_that_was_not_to_be_had_blocks_nobody_again_for_a_while(
    descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many calls that try again would otherwise block their process most of the time."""
    one, two = descriptors
    acquire(one, 7)
    slept: list[float] = []
    monkeypatch.setattr(table_lock.time, "sleep", slept.append)
    with pytest.raises(TableBusy):
        acquire(two, 7)
    assert slept
    slept.clear()
    for _ in range(3):
        with pytest.raises(TableBusy):
            acquire(two, 7)
    assert slept == []
    unlock_byte(one, 7)
    acquire(two, 7)
    assert not lock_byte(one, 7)
