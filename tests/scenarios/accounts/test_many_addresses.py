"""Attacks from many addresses, and logins of many names: what is remembered is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from time import time

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from ftpservice.accounts import verified_passwords
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.defence import bans as ban_module
from ftpservice.accounts.defence import login_attempts
from ftpservice.accounts.defence.bans import Ban, BanList, BanRules
from ftpservice.accounts.defence.login_attempts import LoginAttempts
from ftpservice.accounts.external import recent_accounts
from ftpservice.accounts.external.recent_accounts import RecentAccounts
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.stores import verified_logins
from ftpservice.accounts.stores.verified_logins import VerifiedLogins
from ftpservice.accounts.verified_passwords import VerifiedPasswords
from ftpservice.activity.bounded_counter import MAX_NAMES
from ftpservice.activity.log_throttle import MAX_LINES_TOTAL, MAX_SUMMARIES, LogThrottle
from ftpservice.activity.report import ActivityReport
from ftpservice.events import LoginFailed, LoginRefusal, Refused
from ftpservice.session.session_limits import SessionLimits

pytestmark = pytest.mark.no_cover  # so many calls take twice as long when measured
MANY = 25_000
"""More than twice the largest of the bounds."""


def addresses() -> Iterator[str]:
    return (str(IPv4Address(0x0B00_0000 + number)) for number in range(MANY))


def records() -> Iterator[AccountRecord]:
    return (AccountRecord(f"user{number}", "hash") for number in range(MANY))


@ensureDeferred
async def test_failed_logins_of_addresses() -> None:
    clock = Clock()
    attempts = LoginAttempts(clock)
    for address in addresses():
        await attempts.admit(address)
        attempts.failed(address)
    assert len(attempts._addresses) == login_attempts.MAX_ADDRESSES
    assert not clock.getDelayedCalls()


def test_points_of_addresses() -> None:
    bans = BanList(time, BanRules(40, 600))
    for address in addresses():
        bans.add_points(address, 1.0)
    assert len(bans._scores) == ban_module.MAX_SCORES
    assert not bans.has_entries


def test_bans() -> None:
    bans = BanList(time, BanRules(40, 600))
    bans.load(Ban(ip_network(address), "", 0.0, time() + 600) for address in addresses())
    bans.ban(ip_network("192.0.2.0/24"))
    assert len(bans.bans()) == ban_module.MAX_BANS
    assert bans.refusal("192.0.2.7") is not None


def test_counts_of_sessions() -> None:
    limits = SessionLimits()
    for session, address in enumerate(addresses()):
        assert limits.take("address", address, 1)
        assert not limits.take("address", address, 1)
        limits.waiting.add(address, session)
        limits.waiting.discard(address, session)
        limits.release("address", address)
        assert limits.taken("address", address) == 0
    assert not limits._taken
    assert not limits.waiting._sessions and not limits.waiting._by_size


def test_verified_passwords() -> None:
    verified = VerifiedPasswords()
    verified.checked(parse(""), 0.0)
    for record in records():
        verified.remember(record.name, b"secret", record)
    assert len(verified._verified) == verified_passwords.MAX_REMEMBERED


def test_verified_logins() -> None:
    verified = VerifiedLogins(lambda: 0.0)
    for record in records():
        verified.remember(record, b"secret", is_hashed=True)
    assert len(verified._logins) == verified_logins.MAX_REMEMBERED


def test_recent_accounts() -> None:
    recent = RecentAccounts(None, lambda: 0.0)
    for record in records():
        recent.remember(record)
    recent.current(["user0"])
    assert len(recent._records) <= recent_accounts.MAX_REMEMBERED + 1


def test_the_report_and_the_log() -> None:
    clock, lines = Clock(), []
    report, throttle = ActivityReport(clock.seconds), LogThrottle(clock, lines.append)
    written = 0
    for number, address in enumerate(addresses()):
        for event in (
            LoginFailed(0.0, number, address, f"user{number}", LoginRefusal.UNKNOWN_NAME),
            Refused(0.0, number, address, "", f"Your address is banned: {number}."),
        ):
            report(event)
            written += throttle.allows_line(event)
    throttle.flush()
    counters = (report._logins_by_user, report._logins_by_peer, report._refusals)
    assert all(len(counter._rows) <= MAX_NAMES for counter in counters)
    assert written == MAX_LINES_TOTAL and len(lines) <= MAX_SUMMARIES + 1
