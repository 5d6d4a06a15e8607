from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ftpservice.net import descriptor_reserve
from ftpservice.net.descriptor_reserve import DescriptorReserve


@pytest.fixture
def reserve() -> Iterator[DescriptorReserve]:
    reserve = DescriptorReserve()
    yield reserve
    reserve.release()


def test_the_next_descriptor_takes_the_place_of_a_released_one(reserve: DescriptorReserve) -> None:
    assert reserve.hold() and reserve.hold()
    assert reserve.release()
    opened = os.open(os.devnull, os.O_RDONLY)
    os.close(opened)
    assert reserve.hold()
    assert reserve._own == opened


def test_without_a_descriptor_nothing_is_held(
    reserve: DescriptorReserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(descriptor_reserve.os, "open", refuse)
    assert not reserve.hold()
    assert not reserve.release()
