from ipaddress import ip_network

import pytest

from ftpservice.data.peer_policy import (
    AddressRule,
    DataSettings,
    PeerPolicy,
    parse_address_rule,
    parse_passive_port,
    parse_port_range,
)


@pytest.mark.parametrize(
    ("text", "ports"),
    [("50000-50100", (50000, 50100)), ("50000", (50000, 50000)), (" 1-65535 ", (1, 65535))],
)
def test_a_range_of_ports_is_read(text, ports):
    assert parse_port_range(text) == ports


@pytest.mark.parametrize(
    "text",
    ["", "-", "a", "0", "0-10", "20-10", "1-65536", "1-2-3", "-5", "1 2", "\u0665", "1-"],
)
def test_a_malformed_port_range_is_reported_in_one_line(text):
    with pytest.raises(ValueError, match="range of ports") as caught:
        parse_port_range(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "network", "address"),
    [
        ("203.0.113.5", None, "203.0.113.5"),
        ("ftp.example.com", None, "ftp.example.com"),
        ("nat", None, "nat"),
        ("10.0.0.0/8=10.0.0.5", "10.0.0.0/8", "10.0.0.5"),
        ("10.0.0.0/8=inside.example.com", "10.0.0.0/8", "inside.example.com"),
        ("10.0.0.0/8=", "10.0.0.0/8", ""),
        ("192.0.2.7 = 10.0.0.5", "192.0.2.7/32", "10.0.0.5"),
    ],
)
def test_an_address_rule_is_read(text, network, address):
    expected = None if network is None else ip_network(network)
    assert parse_address_rule(text) == AddressRule(expected, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "=10.0.0.1",
        "300.1.1.1",
        "10.0.0.1.",
        "::1",
        "10.0.0.0/8=::1",
        "2001:db8::/32=10.0.0.1",
        "10.0.0.1/8=10.0.0.5",
        "10.0.0.0/40=10.0.0.5",
        "a b",
        "-a.example.com",
        "a..b",
        "x" * 64 + ".example",
        "a=b=c",
    ],
)
def test_a_malformed_address_rule_is_reported_in_one_line(text):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_address_rule(text)
    assert "\n" not in str(caught.value)


class TestPeerPolicy:
    def test_only_the_control_connections_peer_is_accepted(self):
        policy = PeerPolicy("192.0.2.1")
        assert policy.accepts("192.0.2.1")
        assert not policy.accepts("192.0.2.2")
        assert not policy.accepts("")

    @pytest.mark.parametrize("control", ["192.0.2.1", "::ffff:192.0.2.1"])
    @pytest.mark.parametrize("data", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"])
    def test_ipv4_mapped_into_ipv6_is_ipv4(self, control, data):
        assert PeerPolicy(control).accepts(data)
        assert PeerPolicy(control).may_connect(data, 1024)

    def test_ipv6_is_compared_as_an_address(self):
        assert PeerPolicy("2001:db8::1").accepts("2001:DB8:0:0:0:0:0:1")
        assert not PeerPolicy("2001:db8::1").accepts("2001:db8::2")

    @pytest.mark.parametrize(("port", "allowed"), [(0, False), (22, False), (1023, False)])
    def test_no_connection_is_made_to_ports_below_1024(self, port, allowed):
        assert PeerPolicy("192.0.2.1").may_connect("192.0.2.1", port) is allowed

    def test_connections_are_made_to_the_peer_only(self):
        assert PeerPolicy("192.0.2.1").may_connect("192.0.2.1", 1024)
        assert not PeerPolicy("192.0.2.1").may_connect("192.0.2.2", 2000)


@pytest.mark.parametrize(
    "ports",
    [
        *("50000-50099", 50000, (50000,), (50099, 50000), (0, 10), (1, 65536), ("1", "2")),
        *((1, 2, 3), range(50000, 50100), (True, 5), (1.0, 2.0)),
    ],
)
def test_malformed_passive_ports_are_refused_with_their_value(ports):
    with pytest.raises(ValueError, match="passive_ports is ") as caught:
        DataSettings(passive_ports=ports)
    assert repr(ports) in str(caught.value)


def test_passive_ports_are_the_first_and_the_last():
    assert DataSettings(passive_ports=[50000, 50000]).passive_ports == (50000, 50000)
    assert DataSettings().passive_ports is None


def test_malformed_data_settings_are_refused_by_name():
    for rules in ("203.0.113.5", ("203.0.113.5",)):
        with pytest.raises(TypeError, match=r"passive_addresses is a tuple .*'203\.0\.113\.5'"):
            DataSettings(passive_addresses=rules)
    with pytest.raises(TypeError, match=r"data_timeout is a number .*'30'"):
        DataSettings(data_timeout="30")
    with pytest.raises(ValueError, match="stall_timeout is 0 or more, not -1"):
        DataSettings(stall_timeout=-1)


@pytest.mark.parametrize("port", [0, 65536, "50000", True, 50000])
def test_a_malformed_shared_port_is_refused(port):
    with pytest.raises(ValueError, match="passive_port "):
        DataSettings(passive_port=port, passive_ports=(50000, 50099))


def test_a_shared_port_beside_a_range():
    assert DataSettings(passive_port=40000, passive_ports=(50000, 50099)).passive_port == 40000
    assert parse_passive_port("40000") == 40000


@pytest.mark.parametrize("text", ["40000-40001", "40000-40000", "0", "70000", "a", ""])
def test_what_is_not_one_port_is_refused_as_that(text):
    with pytest.raises(ValueError, match="is not one port from 1 to 65535"):
        parse_passive_port(text)
