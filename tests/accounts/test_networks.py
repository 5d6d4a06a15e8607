"""Addresses are compared as addresses."""

from ipaddress import ip_network

import pytest

from ftpservice.accounts.networks import address_group, client_address, is_in_networks

TEN = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "inside"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("11.0.0.1", False),
        ("fe80::1%eth0", False),
        ("local", False),
        ("", False),
        (None, False),
    ],
)
def test_a_peer_is_from_a_network_or_not(peer, inside):
    assert is_in_networks(peer, TEN) is inside


def test_no_networks_contain_no_peer():
    assert not is_in_networks("10.1.2.3", ())


def test_a_scope_is_no_part_of_an_address():
    assert str(client_address("fe80::1%eth0")) == "fe80::1"


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("local", "local"),
    ],
)
def test_an_ipv6_customer_is_one_neighbourhood(peer, key):
    assert address_group(peer) == key
