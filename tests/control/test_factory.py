"""Whether the address of a connection is refused, before there is a session."""

from __future__ import annotations

from ipaddress import ip_network
from time import time

from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.session.settings import SessionSettings
from tests.support.ftp_dialogue import FTPDialogue

HOST, OTHER = "192.0.2.7", "192.0.2.8"


def test_an_address_with_all_its_sessions_is_refused() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_address=2), host=HOST)
    assert talk.factory.address_refusal(HOST) is None
    talk.connect(HOST)
    assert talk.factory.address_refusal(HOST) == "Too many sessions from your address."
    assert talk.factory.address_refusal(OTHER) is None


def test_ipv6_addresses_of_one_network_count_together() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_address=1), host="2001:db8::1")
    assert talk.factory.address_refusal("2001:db8::2") == "Too many sessions from your address."
    assert talk.factory.address_refusal("2001:db8:1::2") is None


def test_without_a_limit_no_address_is_refused() -> None:
    talk = FTPDialogue(SessionSettings(max_sessions_per_address=0), host=HOST)
    assert talk.factory.address_refusal(HOST) is None


def test_a_banned_address_is_refused() -> None:
    talk = FTPDialogue(host=HOST)
    talk.factory.bans = bans = BanList(time, BanRules())
    bans.ban(ip_network(HOST), reason="scans")
    assert talk.factory.address_refusal(HOST) == "Your address is banned: scans."
    assert talk.factory.address_refusal(OTHER) is None


def test_a_service_that_drains_refuses_all() -> None:
    talk = FTPDialogue(host=HOST)
    talk.factory.finish_and_disconnect_all("Maintenance.")
    assert talk.factory.address_refusal(OTHER) == "Maintenance."
