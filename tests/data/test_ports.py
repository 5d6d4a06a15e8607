import errno

import pytest
from twisted.internet.error import CannotListenError

from ftpservice.data.channel import CannotConnect
from ftpservice.data.policy import DataSettings
from ftpservice.data.ports import NoPortFree, PassivePorts


class Reactor:
    """Listens on what is not taken; remembers what was tried."""

    def __init__(self, taken=(), cause=errno.EADDRINUSE):
        self.taken = set(taken)
        self.cause = cause
        self.tried = []

    def listenTCP(self, port, factory, backlog, interface):
        assert backlog > 0
        self.tried.append(port)
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(self.cause, "no"))
        return (interface, port, factory)


def test_without_a_range_the_kernel_chooses():
    reactor = Reactor()
    assert PassivePorts(reactor, DataSettings()).listen("127.0.0.1", "f") == ("127.0.0.1", 0, "f")


def test_ports_are_random_within_the_range():
    reactor = Reactor()
    ports = PassivePorts(reactor, DataSettings(passive_ports=(50000, 50099)))
    for _ in range(200):
        ports.listen("127.0.0.1", None)
    assert set(reactor.tried) <= set(range(50000, 50100))
    assert len(set(reactor.tried)) > 40


@pytest.mark.parametrize("cause", [errno.EADDRINUSE, errno.EACCES])
def test_the_one_port_that_is_free_is_found(cause):
    taken = set(range(50000, 50020)) - {50007}
    for _ in range(20):
        reactor = Reactor(taken, cause)
        ports = PassivePorts(reactor, DataSettings(passive_ports=(50000, 50019)))
        assert ports.listen("", None)[1] == 50007


def test_when_all_are_taken_each_was_tried_once():
    reactor = Reactor(range(50000, 50020))
    ports = PassivePorts(reactor, DataSettings(passive_ports=(50000, 50019)))
    with pytest.raises(NoPortFree):
        ports.listen("", None)
    assert sorted(reactor.tried) == list(range(50000, 50020))


def test_when_the_kernel_has_none_it_is_said():
    with pytest.raises(NoPortFree):
        PassivePorts(Reactor([0]), DataSettings()).listen("", None)


def test_another_cause_ends_the_search():
    """With no descriptor left, or an address that is not ours, no other port is better."""
    reactor = Reactor(range(50000, 50020), errno.EMFILE)
    ports = PassivePorts(reactor, DataSettings(passive_ports=(50000, 50019)))
    with pytest.raises(CannotConnect) as caught:
        ports.listen("", None)
    assert not isinstance(caught.value, NoPortFree)
    assert len(reactor.tried) == 1
