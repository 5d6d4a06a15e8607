from twisted.internet.task import Clock

from ftpservice.accounts.account import Account
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.session.rate_limits import SessionRateLimits
from ftpservice.session.settings import SessionSettings
from ftpservice.storage.rights import PRESETS
from ftpservice.stream.rate_limit import SharedRateLimiters
from tests.support.memory_transport import is_pending, start


def account(name="ann", down=None, up=None):
    return Account(name, MemoryStorage(), PRESETS["full"], rate_down=down, rate_up=up)


def made(shared=None, clock=None, **settings):
    clock = clock or Clock()
    return SessionRateLimits(
        clock, SessionSettings(**settings), shared or SharedRateLimiters(clock)
    )


def test_without_limits_there_are_no_limiters():
    assert made().rate_limiters(account(), upload=True) is None
    assert made(rate_up=5).rate_limiters(account(up=5), upload=False) is None


def test_all_limits_apply_and_each_direction_has_its_own():
    pacing = made(rate_down=100_000, rate_up=1_000_000)
    ann = account(down=200_000, up=400_000)
    assert pacing.rate_limiters(ann, upload=False).chunk == 5_000
    assert pacing.rate_limiters(ann, upload=True).chunk == 20_000


def test_sessions_of_a_user_share_one_limit_and_those_of_others_do_not():
    clock = Clock()
    shared = SharedRateLimiters(clock)
    one, two, other = (made(shared, clock) for _ in range(3))
    clock.advance(1)
    takings = [
        start(rate_limits.rate_limiters(account(name, down=1000), upload=False).take(300))
        for rate_limits, name in ((one, "ann"), (two, "ann"), (other, "bob"))
    ]
    clock.advance(0.4)
    assert [is_pending(taking) for taking in takings] == [True, True, False]
    clock.advance(0.3)
    assert [is_pending(taking) for taking in takings] == [False] * 3


def test_the_limit_of_a_session_lasts_from_transfer_to_transfer():
    clock = Clock()
    pacing = made(clock=clock, rate_down=1000)
    first = start(pacing.rate_limiters(account(), upload=False).take(100))
    second = start(pacing.rate_limiters(account(), upload=False).take(100))
    clock.advance(0.15)
    assert is_pending(first)
    clock.advance(0.06)
    assert not is_pending(first) and not is_pending(second)


def test_a_users_limit_is_dropped_with_the_last_session_that_used_it():
    clock = Clock()
    shared = SharedRateLimiters(clock)
    one, two = made(shared, clock), made(shared, clock)
    for pacing in (one, one, two):
        pacing.rate_limiters(account(up=5, down=5), upload=True)
    one.rate_limiters(account(up=5, down=5), upload=False)
    assert shared.in_use == 2
    one.leave()
    one.leave()
    assert shared.in_use == 1
    two.leave()
    assert shared.in_use == 0
