import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.masquerade import (
    CACHE_SECONDS,
    RESOLVE_TIMEOUT_SECONDS,
    RETRY_SECONDS,
    MasqueradeAddresses,
)
from ftpservice.data.peer_policy import parse_address_rule
from tests.support.memory_transport import is_pending, outcome, start


class Reactor(Clock):
    """A clock with a name resolver that the test answers for."""

    def __init__(self):
        super().__init__()
        self.nameResolver = self
        self.asked = []

    def resolveHostName(self, receiver, name, addressTypes):
        assert addressTypes == [IPv4Address]
        self.asked.append((receiver, name))
        receiver.resolutionBegan(None)

    def answer(self, *hosts):
        receiver, _ = self.asked[-1]
        for host in hosts:
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, 0))
        receiver.resolutionComplete()


def masquerade(reactor, *rules):
    return MasqueradeAddresses(reactor, [parse_address_rule(rule) for rule in rules])


def announced(rules, client, own="192.0.2.9"):
    return outcome(start(masquerade(Reactor(), *rules).address_for(client, own)))


RULES = ("203.0.113.5", "10.0.0.0/8=10.0.0.5", "10.1.0.0/16=10.1.0.5", "192.168.0.0/16=")


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("198.51.100.1", "203.0.113.5"),
        ("10.2.0.1", "10.0.0.5"),
        ("10.1.0.1", "10.1.0.5"),
        ("::ffff:10.1.0.1", "10.1.0.5"),
        ("192.168.3.4", "192.0.2.9"),
        ("not an address", "203.0.113.5"),
    ],
)
def test_the_longest_matching_network_decides(client, address):
    assert announced(RULES, client) == address
    assert announced(tuple(reversed(RULES)), client) == address


def test_without_a_rule_it_is_the_local_address():
    assert announced((), "10.0.0.1") == "192.0.2.9"
    assert announced(("10.0.0.0/8=10.0.0.5",), "192.0.2.1") == "192.0.2.9"


class TestNames:
    def test_a_name_is_resolved_and_the_answer_kept_for_a_while(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        asking = start(mask.address_for("192.0.2.1", "10.0.0.1"))
        assert is_pending(asking)
        reactor.answer("2001:db8::1", "203.0.113.5", "203.0.113.6")
        assert outcome(asking) == "203.0.113.5"
        reactor.advance(CACHE_SECONDS - 1)
        assert outcome(start(mask.address_for("192.0.2.1", ""))) == "203.0.113.5"
        assert len(reactor.asked) == 1
        reactor.advance(1)
        asking = start(mask.address_for("192.0.2.1", ""))
        reactor.answer("203.0.113.7")
        assert outcome(asking) == "203.0.113.7"
        assert reactor.getDelayedCalls() == []

    def test_the_last_address_is_used_while_the_name_cannot_be_resolved(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        first = start(mask.address_for("192.0.2.1", ""))
        reactor.answer("203.0.113.5")
        outcome(first)
        reactor.advance(CACHE_SECONDS)
        second = start(mask.address_for("192.0.2.1", ""))
        reactor.answer()
        assert outcome(second) == "203.0.113.5"

    def test_a_name_that_never_had_an_address_is_refused_and_soon_asked_again(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        first = start(mask.address_for("192.0.2.1", ""))
        reactor.answer()
        with pytest.raises(CannotOpenDataConnection, match=r"ftp\.example\.com"):
            outcome(first)
        with pytest.raises(CannotOpenDataConnection):
            outcome(start(mask.address_for("192.0.2.1", "")))
        assert len(reactor.asked) == 1
        reactor.advance(RETRY_SECONDS)
        again = start(mask.address_for("192.0.2.1", ""))
        reactor.answer("203.0.113.5")
        assert outcome(again) == "203.0.113.5"

    def test_simultaneous_requests_share_one_resolution(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        asking = [start(mask.address_for("192.0.2.1", "")) for _ in range(3)]
        assert len(reactor.asked) == 1
        reactor.answer("203.0.113.5")
        assert [outcome(one) for one in asking] == ["203.0.113.5"] * 3

    def test_a_slow_resolver_is_not_waited_for_with_an_earlier_address(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        first = start(mask.address_for("192.0.2.1", ""))
        reactor.answer("203.0.113.5")
        outcome(first)
        reactor.advance(CACHE_SECONDS)
        second = start(mask.address_for("192.0.2.1", ""))
        reactor.advance(RESOLVE_TIMEOUT_SECONDS)
        assert outcome(second) == "203.0.113.5"
        reactor.answer("203.0.113.6")
        assert outcome(start(mask.address_for("192.0.2.1", ""))) == "203.0.113.6"

    def test_a_cancelled_request_does_not_affect_the_others(self):
        reactor = Reactor()
        mask = masquerade(reactor, "ftp.example.com")
        gone, stays = (start(mask.address_for("192.0.2.1", "")) for _ in range(2))
        gone.cancel()
        with pytest.raises(CancelledError):
            outcome(gone)
        reactor.answer("203.0.113.5")
        assert outcome(stays) == "203.0.113.5"
        assert reactor.getDelayedCalls() == []

    def test_a_resolver_may_answer_at_once(self):
        reactor = Reactor()
        ask = reactor.resolveHostName

        def at_once(*args, **kwargs):
            ask(*args, **kwargs)
            reactor.answer("203.0.113.5")

        reactor.resolveHostName = at_once
        mask = masquerade(reactor, "ftp.example.com")
        assert outcome(start(mask.address_for("192.0.2.1", ""))) == "203.0.113.5"
