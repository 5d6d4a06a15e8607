"""Addresses are compared as addresses."""

from ipaddress import ip_network

import pytest

from ftpservice.accounts.defence.networks import (
    NetworkTable,
    address_group,
    client_address,
    is_in_networks,
    parse_network,
)

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


def test_a_network_that_is_none_is_refused_with_what_was_probably_meant():
    with pytest.raises(ValueError, match=r"an address in the network 10\.0\.0\.0/8; give"):
        parse_network("10.0.0.1/8")
    with pytest.raises(ValueError, match="'host' is no address or network, such as 192"):
        parse_network("host")
    assert str(parse_network("fd00::/8")) == "fd00::/8"


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


NETWORKS = (
    ("10.0.0.0/8", "ten"),
    ("10.1.0.0/16", "one"),
    ("10.1.2.3", "host"),
    ("0.0.0.0/0", "all"),
    ("fd00::/8", "local"),
    ("fd00::1", "host6"),
    ("10.1.0.0/16", "again"),
)


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("10.1.2.3", {"ten", "again", "host", "all"}),
        ("::ffff:10.1.2.3", {"ten", "again", "host", "all"}),
        ("10.2.0.0", {"ten", "all"}),
        ("11.0.0.0", {"all"}),
        ("fd00::1%eth0", {"local", "host6"}),
        ("fd00::2", {"local"}),
        ("fe80::1", set()),
        ("local", set()),
        ("", set()),
    ],
)
def test_a_table_finds_all_networks_of_an_address(peer, found):
    table = NetworkTable((ip_network(text), value) for text, value in NETWORKS)
    assert table
    assert set(table.values_for(peer)) == found


def test_a_network_of_a_table_is_replaced_and_removed():
    ten, one = ip_network("10.0.0.0/8"), ip_network("10.1.0.0/16")
    table = NetworkTable([(ten, "ten"), (one, "one")])
    table.put(one, "another")
    assert set(table.values_for("10.1.2.3")) == {"ten", "another"}
    table.discard(one)
    table.discard(one)
    assert table.values_for("10.1.2.3") == ["ten"]
    table.discard(ten)
    assert not table


def test_an_empty_table_has_nothing():
    assert not NetworkTable(())
    assert NetworkTable(()).values_for("10.1.2.3") == []


def test_a_table_compares_no_network_with_an_address(monkeypatch):
    """50,000 comparisons for each connection would take the time of a hundred sessions."""
    table = NetworkTable((ip_network((number << 8, 24)), number) for number in range(50_000))
    monkeypatch.setattr("ipaddress.IPv4Network.__contains__", None)
    assert table.values_for("0.156.64.9") == [40_000]
    assert table.values_for("200.0.0.1") == []
