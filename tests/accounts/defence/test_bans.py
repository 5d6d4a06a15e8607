"""Bans: points of failed logins, growing times, lists of networks, and what stays in memory."""

import math
import sys
from ipaddress import ip_network

import pytest

from ftpservice.accounts.defence import bans as module
from ftpservice.accounts.defence.bans import Ban, BanList, BanRules, parse_networks
from ftpservice.events import BanLifted, Banned, LoggedIn, LoginFailed, LoginRefusal

STRANGER = "198.51.100.7"
DAY = 86_400.0


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bans(clock):
    made = BanList(clock, BanRules(3, 600.0))
    made.saved = []
    made.save = made.saved.append
    made.published = []
    made.publish = made.published.append
    return made


def failed(bans, peer=STRANGER, reason=LoginRefusal.WRONG_PASSWORD, times=1):
    for _ in range(times):
        bans.count_failure(LoginFailed(0.0, 1, peer, "ann", reason))


def test_failed_logins_ban_an_address_for_a_time(bans, clock):
    failed(bans, times=2)
    assert bans.refusal(STRANGER) is None
    failed(bans)
    refused = bans.refusal(STRANGER)
    assert refused == (
        "Your address is banned until 1970-01-12 13:56:40 UTC: too many failed logins."
    )
    assert bans.refusal("198.51.100.8") is None
    clock.now += 600.0
    assert bans.refusal(STRANGER) is None
    assert bans.bans() == []
    assert bans.count == 0


def test_bans_and_their_end_by_an_administrator_are_published(bans, clock):
    network = ip_network("192.0.2.0/24")
    bans.ban(network, 60.0, "scans")
    bans.ban(ip_network("203.0.113.5"))
    assert bans.count == len(bans.bans()) == 2
    bans.unban(network)
    assert bans.count == 1
    assert bans.unban(network) is False
    assert bans.published == [
        Banned(clock.now, 0, "", "", "192.0.2.0/24", "scans", clock.now + 60.0),
        Banned(clock.now, 0, "", "", "203.0.113.5/32", "by an administrator", None),
        BanLifted(clock.now, 0, "", "", "192.0.2.0/24"),
    ]
    bans.published.clear()
    failed(bans, times=3)
    assert [event.network for event in bans.published] == ["198.51.100.7/32"]


def test_each_further_ban_lasts_twice_as_long(bans, clock):
    lasted = []
    for _ in range(14):
        failed(bans, times=3)
        (ban,) = bans.bans()
        lasted.append(ban.until - clock.now)
        clock.now = ban.until
    assert lasted[:4] == [600.0, 1200.0, 2400.0, 4800.0]
    assert lasted[-1] == module.MAX_BAN_SECONDS
    clock.now += module.REMEMBERED_SECONDS + 1
    bans.ban(ip_network("10.0.0.0/8"), 1.0)
    failed(bans, times=3)
    assert bans.bans()[-1].until - clock.now == 600.0


def test_points_drain(bans, clock):
    for _ in range(20):
        failed(bans)
        clock.now += module.DRAIN_SECONDS / 3
    assert bans.bans() == []


def test_an_unknown_name_counts_twice_and_other_reasons_not_at_all(bans):
    failed(bans, reason=LoginRefusal.BUSY, times=50)
    failed(bans, reason=LoginRefusal.EXPIRED, times=50)
    bans.count_failure(LoggedIn(0.0, 1, STRANGER, "ann"))
    assert bans.refusal(STRANGER) is None
    failed(bans, reason=LoginRefusal.UNKNOWN_NAME, times=2)
    assert bans.refusal(STRANGER) is not None


def test_ipv6_is_counted_by_its_network(bans):
    for number in range(3):
        failed(bans, peer=f"2001:db8::{number}")
    assert bans.refusal("2001:db8::ffff") is not None
    assert bans.refusal("2001:db8:0:1::1") is None
    assert bans.unban(ip_network("2001:db8::1"))
    assert bans.refusal("2001:db8::ffff") is None


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "local", "::ffff:127.0.0.1"])
def test_this_machine_is_never_banned_by_itself(bans, peer):
    failed(bans, peer=peer, times=99)
    assert bans.bans() == []


def test_no_limit_is_no_ban(bans):
    bans.rules = BanRules()
    failed(bans, times=99)
    assert bans.bans() == []


def test_an_administrator_bans_and_unbans(bans, clock):
    bans.ban(ip_network("198.51.100.0/24"), None, "spam")
    clock.now += 1.0
    bans.ban(ip_network("203.0.113.5"), 60.0)
    assert bans.refusal(STRANGER) == "Your address is banned: spam."
    assert "by an administrator" in bans.refusal("203.0.113.5")
    assert [str(ban.network) for ban in bans.bans()] == ["198.51.100.0/24", "203.0.113.5/32"]
    clock.now += 61.0
    assert bans.refusal("203.0.113.5") is None
    assert not bans.unban(ip_network("203.0.113.5"))
    assert bans.unban(ip_network("198.51.100.0/24"))
    assert bans.refusal(STRANGER) is None
    assert len(bans.saved) == 4


def test_a_ban_that_must_be_lifted_is_not_shortened_by_failures(bans):
    bans.ban(ip_network(STRANGER))
    failed(bans, times=9)
    assert bans.bans()[0].until == math.inf


def test_the_allow_list_wins_over_bans_and_the_deny_list(bans):
    denied = parse_networks("198.51.100.0/24  # all of them\n\n# nothing\n")
    bans.use_networks((), denied)
    assert bans.refusal(STRANGER) == "Connections from your address are not allowed."
    bans.use_networks(parse_networks(STRANGER), denied)
    assert bans.refusal(STRANGER) is None
    failed(bans, times=9)
    bans.ban(ip_network(STRANGER))
    assert bans.refusal(STRANGER) is None
    assert bans.refusal("198.51.100.8") is not None


def test_a_list_with_an_error_names_the_line():
    with pytest.raises(ValueError, match="line 2: 'somewhere'"):
        parse_networks("10.0.0.0/8\nsomewhere\n")


def test_what_is_remembered_is_bounded(bans, monkeypatch):
    monkeypatch.setattr(module, "MAX_SCORES", 10)
    monkeypatch.setattr(module, "MAX_BANS", 10)
    for number in range(100):
        failed(bans, peer=f"198.51.100.{number}")
    assert len(bans._scores) == 10
    for number in range(100):
        failed(bans, peer=f"203.0.113.{number}", times=3)
    assert len(bans.bans()) == 10


def test_those_that_end_first_are_forgotten_first(bans, monkeypatch):
    monkeypatch.setattr(module, "MAX_BANS", 3)
    bans.ban(ip_network("10.0.0.0/8"))
    for number in (5, 1, 4, 2, 3):
        bans.ban(ip_network(f"203.0.113.{number}"), number)
    left = {str(ban.network) for ban in bans.bans()}
    assert left == {"10.0.0.0/8", "203.0.113.4/32", "203.0.113.5/32"}
    assert {str(ban.network) for ban in bans.saved[-1]} == left
    bans.ban(ip_network("11.0.0.0/8"))
    bans.ban(ip_network("12.0.0.0/8"))
    bans.ban(ip_network("203.0.113.9"), 9)  # ends before all others
    assert bans.refusal("203.0.113.9") is None
    assert bans.refusal("11.1.1.1") is not None


def test_a_network_that_is_no_longer_banned_is_not_refused(bans, clock):
    wide = ip_network("10.0.0.0/8")
    bans.ban(wide, 60.0)
    bans.ban(wide, 30.0)
    assert len(bans.bans()) == 1
    clock.now += module.REMEMBERED_SECONDS + 61
    bans.ban(ip_network("203.0.113.5"), 60.0)
    assert [str(ban.network) for ban in bans.saved[-1]] == ["203.0.113.5/32"]
    assert not bans.table._wide
    bans.unban(ip_network("203.0.113.5"))
    assert not bans.has_entries


def test_the_ends_of_bans_that_were_lifted_are_bounded(bans, monkeypatch):
    monkeypatch.setattr(module, "MAX_ENDS", 10)
    for _ in range(100):
        bans.ban(ip_network("203.0.113.5"))
        bans.unban(ip_network("203.0.113.5"))
    assert len(bans.table._ends) <= 11


def calls_of(function):
    """Return how many functions are called by one."""
    calls = []
    before = sys.getprofile()
    sys.setprofile(lambda _frame, kind, _argument: calls.append(kind))
    try:
        function()
    finally:
        sys.setprofile(before)
    return len(calls)


@pytest.mark.parametrize("bits", [32, 24])
def test_a_ban_costs_the_same_with_thousands_of_others(bans, clock, bits):
    first, size = int(ip_network("10.0.0.0/8").network_address), 2 ** (32 - bits)
    networks = [ip_network((first + number * size, bits)) for number in range(10_000)]
    bans.load([Ban(network, "", 0.0, clock.now + 9) for network in networks])
    wide = ip_network("198.51.0.0/16")
    assert calls_of(lambda: failed(bans, times=3)) < 500
    assert calls_of(lambda: bans.ban(wide)) < 500
    assert bans.refusal(STRANGER) is not None
    assert len(bans.saved[-1]) == module.MAX_BANS
    assert calls_of(lambda: bans.unban(wide)) < 500


def test_another_process_is_told_what_has_changed(bans, clock):
    other = BanList(clock, BanRules(3, 600.0))
    bans.tell = lambda *changes: told.append(changes) or other.change(*changes)
    told = []
    network, wide = ip_network("192.0.2.7"), ip_network("203.0.113.0/24")
    ban = bans.ban(network, 60.0, "scans")
    bans.ban(wide)
    assert other.table.ban_for(network) == ban
    assert other.refusal("203.0.113.9") is not None
    bans.unban(wide)
    assert other.bans() == bans.bans() == [ban]
    bans.change([Ban(wide, "", clock.now)], [network])
    assert [one.network for one in other.bans()] == [wide]
    bans.change(())
    assert len(told) == 4
    assert len(bans.published) == 3  # what comes from elsewhere is not published again


def test_a_ban_of_another_process_ends_the_points_of_its_address(bans, clock):
    failed(bans, times=2)
    bans.change([Ban(ip_network(STRANGER), "", clock.now, clock.now + 1.0)])
    failed(bans)
    assert bans.table.ban_for(ip_network(STRANGER)).times == 1
    assert bans.published == []


def test_bans_of_an_earlier_run_are_in_force(bans, clock):
    network = ip_network("198.51.100.0/24")
    bans.load([Ban(network, "spam", clock.now), Ban(ip_network("203.0.113.5"), "", 0.0, 1.0)])
    assert bans.refusal(STRANGER) == "Your address is banned: spam."
    assert [ban.network for ban in bans.bans()] == [network]


def test_malformed_rules_and_networks_are_refused():
    with pytest.raises(TypeError, match=r"limit is a number .float., not '10'"):
        BanRules(limit="10")
    with pytest.raises(ValueError, match="seconds is 0 or more, not -1"):
        BanRules(seconds=-1)
    with pytest.raises(TypeError, match=r"network is an IPv4Network .* not '203\.0\.113\.5'"):
        BanList(lambda: 0.0, BanRules()).ban("203.0.113.5")


@pytest.mark.parametrize("seconds", [30 * DAY, None])
def test_a_login_that_fails_after_the_ban_of_an_administrator_does_not_shorten_it(bans, seconds):
    failed(bans, times=2)
    made = bans.ban(ip_network(STRANGER), seconds, "scans")
    failed(bans)
    assert bans.bans() == [made]


def test_a_ban_of_an_ipv6_address_tells_that_it_is_one_of_its_64(bans):
    made = bans.ban(ip_network("2001:db8::7"), 60.0)
    assert str(made.network) == "2001:db8::/64"
    assert bans.refusal("2001:db8::8") is not None
