"""Which way of reading is used, as measured."""

from twisted.internet.task import Clock

from ftpservice.backends.s3.tree.reading_rates import (
    FAST_BYTES_PER_SECOND,
    GAIN_OF_BLOCKS,
    VALID_SECONDS,
    ReadingRates,
)

SLOW = int(FAST_BYTES_PER_SECOND / 4)


def made():
    clock = Clock()
    return clock, ReadingRates(clock.seconds)


def test_what_is_not_known_is_forwarded_and_what_is_fast():
    _clock, rates = made()
    assert rates.forwards and not rates.is_known
    rates.forwarded(int(FAST_BYTES_PER_SECOND), 1)
    assert rates.forwards and rates.is_known
    rates.sent_in_blocks(int(FAST_BYTES_PER_SECOND) * 10, 1)
    assert rates.forwards


def test_with_a_slow_server_blocks_are_tried_and_used_if_they_are_much_faster():
    for blocks, forwards in ((SLOW * GAIN_OF_BLOCKS * 1.1, False), (SLOW * 1.1, True)):
        _clock, rates = made()
        rates.forwarded(SLOW, 1)
        assert not rates.forwards
        rates.sent_in_blocks(int(blocks), 1)
        assert rates.forwards is forwards


def test_both_ways_are_tried_again_later():
    clock, rates = made()
    rates.forwarded(SLOW, 1)
    rates.sent_in_blocks(SLOW * 2, 1)
    clock.advance(VALID_SECONDS)
    assert rates.forwards and not rates.is_known
    rates.forwarded(SLOW, 1)
    assert not rates.forwards
    rates.sent_in_blocks(SLOW, 1)
    assert rates.forwards
    clock.advance(VALID_SECONDS / 2)
    rates.forwarded(SLOW, 1)
    clock.advance(VALID_SECONDS / 2)
    assert not rates.forwards, "blocks are tried again"


def test_the_last_measurements_count_most_and_a_moment_is_no_division_by_zero():
    _clock, rates = made()
    rates.forwarded(1000, 0.0)
    assert rates.forwards
    for _ in range(10):
        rates.forwarded(SLOW, 1)
    assert not rates.forwards
