"""Which of the sessions without a login goes first."""

from __future__ import annotations

from ftpservice.session.pending_logins import PendingLogins


def nobody_is_busy(_session: int) -> bool:
    return False


def test_the_oldest_of_the_busiest_address_is_found() -> None:
    waiting = PendingLogins()
    for session, address in enumerate("abbbcc"):
        waiting.add(address, session)
    assert waiting.oldest_of_busiest_address(nobody_is_busy) == 1
    waiting.discard("b", 1)
    waiting.discard("b", 2)
    assert waiting.oldest_of_busiest_address(nobody_is_busy) == 4


def test_busy_sessions_come_last() -> None:
    waiting = PendingLogins()
    for session in range(3):
        waiting.add("a", session)
    assert waiting.oldest_of_busiest_address(lambda session: session < 2) == 2
    assert waiting.oldest_of_busiest_address(lambda _session: True) == 0


def test_nothing_is_kept_of_removed_sessions() -> None:
    waiting = PendingLogins()
    assert waiting.oldest_of_busiest_address(nobody_is_busy) is None
    waiting.add("a", 1)
    waiting.add("a", 1)
    waiting.discard("a", 1)
    waiting.discard("a", 1)
    waiting.discard("b", 2)
    assert waiting.oldest_of_busiest_address(nobody_is_busy) is None
    assert waiting._sessions == waiting._by_size == {}
