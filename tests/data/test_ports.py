import errno

import pytest

from ftpservice.data.channel import CannotConnect
from ftpservice.data.policy import DataSettings
from ftpservice.data.ports import NoPortFree, PassivePorts


class Kernel:
    """Listens on what is not taken; remembers what was tried."""

    def __init__(self, taken=(), cause=errno.EADDRINUSE):
        self.taken = set(taken)
        self.cause = cause
        self.tried = []

    def __call__(self, interface, port):
        self.tried.append(port)
        if port in self.taken:
            raise OSError(self.cause, "no")
        return (interface, port)


def test_without_a_range_the_kernel_chooses():
    kernel = Kernel()
    assert PassivePorts(DataSettings(), kernel).listen("127.0.0.1") == ("127.0.0.1", 0)


def test_ports_are_random_within_the_range():
    kernel = Kernel()
    ports = PassivePorts(DataSettings(passive_ports=(50000, 50099)), kernel)
    for _ in range(200):
        ports.listen("127.0.0.1")
    assert set(kernel.tried) <= set(range(50000, 50100))
    assert len(set(kernel.tried)) > 40


@pytest.mark.parametrize("cause", [errno.EADDRINUSE, errno.EACCES])
def test_the_one_port_that_is_free_is_found(cause):
    taken = set(range(50000, 50020)) - {50007}
    for _ in range(20):
        kernel = Kernel(taken, cause)
        ports = PassivePorts(DataSettings(passive_ports=(50000, 50019)), kernel)
        assert ports.listen("")[1] == 50007


def test_when_all_are_taken_each_was_tried_once():
    kernel = Kernel(range(50000, 50020))
    ports = PassivePorts(DataSettings(passive_ports=(50000, 50019)), kernel)
    with pytest.raises(NoPortFree):
        ports.listen("")
    assert sorted(kernel.tried) == list(range(50000, 50020))


def test_when_the_kernel_has_none_it_is_said():
    with pytest.raises(NoPortFree):
        PassivePorts(DataSettings(), Kernel([0])).listen("")


def test_another_cause_ends_the_search():
    """With no descriptor left, or an address that is not ours, no other port is better."""
    kernel = Kernel(range(50000, 50020), errno.EMFILE)
    ports = PassivePorts(DataSettings(passive_ports=(50000, 50019)), kernel)
    with pytest.raises(CannotConnect) as caught:
        ports.listen("")
    assert not isinstance(caught.value, NoPortFree)
    assert len(kernel.tried) == 1
