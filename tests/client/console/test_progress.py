from __future__ import annotations

from twisted.internet.task import Clock

from ftpservice_client.console.progress import BLINK, Meter
from ftpservice_client.console.screen import Screen
from tests.client.console.seat import Stream


def screen(terminal: bool = True, quiet: bool = False) -> tuple[Screen, Stream]:
    out = Stream(terminal)
    return Screen(out, Stream(), quiet=quiet), out


def test_a_short_transfer_shows_no_bar() -> None:
    shown, out = screen()
    clock = Clock()
    with Meter("a", shown, clock) as meter:
        meter(5, 10)
        clock.advance(BLINK - 0.01)
    assert out.text == ""
    assert clock.getDelayedCalls() == []


def test_a_long_one_shows_how_much_how_fast_and_how_long() -> None:
    shown, out = screen()
    clock = Clock()
    with Meter("in/\x1breport.pdf", shown, clock) as meter:
        for second in range(1, 5):
            meter(second * 1024 * 1024, 8 * 1024 * 1024)
            clock.advance(1)
    assert "in/\\x1breport.pdf" in out.text
    assert "4.0/8.0 MiB" in out.text
    assert "/s" in out.text
    assert "0:00:0" in out.text
    assert clock.getDelayedCalls() == []


def test_a_size_that_is_not_known_is_no_problem() -> None:
    shown, out = screen()
    clock = Clock()
    with Meter("x" * 100, shown, clock) as meter:
        meter(1024)
        clock.advance(1)
    assert "1.0" in out.text
    assert "x" * 41 not in out.text


def test_pipes_and_the_silent_see_no_bar() -> None:
    for shown, out in (screen(terminal=False), screen(quiet=True)):
        clock = Clock()
        with Meter("a", shown, clock):
            clock.advance(5)
        assert out.text == ""


def test_a_failure_takes_the_bar_away() -> None:
    shown, _ = screen()
    clock = Clock()
    try:
        with Meter("a", shown, clock):
            clock.advance(1)
            raise KeyError
    except KeyError:
        assert clock.getDelayedCalls() == []
