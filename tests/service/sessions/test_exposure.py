from __future__ import annotations

import pytest
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from ftpservice.service.sessions.exposure import is_local


@pytest.mark.parametrize(
    "address",
    [
        IPv4Address("TCP", "127.0.0.1", 1),
        IPv4Address("TCP", "127.9.9.9", 1),
        IPv6Address("TCP", "::1", 1),
        IPv6Address("TCP", "::ffff:127.0.0.1", 1),
        UNIXAddress("/run/ftp.sock"),
    ],
)
def test_loopback_and_unix_sockets_are_local(address: IAddress) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        IPv4Address("TCP", "0.0.0.0", 1),
        IPv4Address("TCP", "192.0.2.1", 1),
        IPv4Address("TCP", "", 1),
        IPv6Address("TCP", "::", 1),
        IPv6Address("TCP", "fe80::1%eth0", 1),
        IPv6Address("TCP", "::ffff:192.0.2.1", 1),
        HostnameAddress(b"localhost", 1),
    ],
)
def test_everything_else_is_not(address: IAddress) -> None:
    assert not is_local(address)
