import errno
import socket

import pytest

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.passive_ports import (
    NoPortFree,
    PassivePorts,
    SecureRandom,
    ephemeral_ports,
    listening_socket,
)
from ftpservice.data.peer_policy import DataSettings


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


def test_without_a_range_they_are_random_among_those_of_the_kernel():
    kernel = Kernel()
    ports = PassivePorts(DataSettings(), kernel)
    assert {ports.listen("127.0.0.1")[1] for _ in range(50)} <= set(ephemeral_ports())
    assert len(set(kernel.tried)) > 25


@pytest.mark.parametrize("usual", [range(50000, 50003), []], ids=["taken", "none"])
def test_where_guessing_does_not_help_the_kernel_chooses(usual):
    kernel = Kernel(range(50000, 50003))
    ports = PassivePorts(DataSettings(), kernel, usual)
    assert ports.listen("127.0.0.1") == ("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("between", "reserved", "ports"),
    [
        ("40000\t40005\n", "\n", [40000, 40001, 40002, 40003, 40004, 40005]),
        ("40000\t40005\n", "8080,40001,40003-40004\n", [40000, 40002, 40005]),
        ("nonsense", "", list(range(49152, 65536))),
        (None, "", list(range(49152, 65536))),
    ],
    ids=["all", "but the reserved ones", "nonsense", "no such kernel"],
)
def test_the_ports_of_the_kernel(tmp_path, between, reserved, ports):
    if between is not None:
        (tmp_path / "ip_local_port_range").write_text(between)
        (tmp_path / "ip_local_reserved_ports").write_text(reserved)
    assert list(ephemeral_ports(tmp_path)) == ports


def test_a_port_that_an_ended_connection_occupies_is_free():
    """The side that ends first keeps the port for a minute (TIME_WAIT)."""
    with listening_socket("127.0.0.1", 0) as own:
        own.setblocking(True)
        port = own.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = own.accept()
            own.close()
            accepted.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
        assert accepted.recv(1) == b""
        accepted.close()
    listening_socket("127.0.0.1", port).close()


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
        PassivePorts(DataSettings(), Kernel([0]), []).listen("")


def test_another_cause_ends_the_search():
    """With no descriptor left, or an address that is not ours, no other port is better."""
    kernel = Kernel(range(50000, 50020), errno.EMFILE)
    ports = PassivePorts(DataSettings(passive_ports=(50000, 50019)), kernel)
    with pytest.raises(CannotOpenDataConnection) as caught:
        ports.listen("")
    assert not isinstance(caught.value, NoPortFree)
    assert len(kernel.tried) == 1


def test_the_dice_are_never_short_of_numbers_and_stay_below():
    dice = SecureRandom()
    seen = {dice.below(7) for _ in range(2000)}
    assert seen == set(range(7))
