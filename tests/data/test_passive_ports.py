import errno
import socket

import pytest
from twisted.internet.task import Clock

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.passive_ports import (
    IdlePassivePorts,
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
    assert {ports.listen("127.0.0.1")[0][1] for _ in range(50)} <= set(ephemeral_ports())
    assert len(set(kernel.tried)) > 25


@pytest.mark.parametrize("usual", [range(50000, 50003), []], ids=["taken", "none"])
def test_after_random_tries_the_kernel_chooses(usual):
    kernel = Kernel(range(50000, 50003))
    ports = PassivePorts(DataSettings(), kernel, usual)
    assert ports.listen("127.0.0.1") == (("127.0.0.1", 0), 0)


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
        assert ports.listen("") == (("", 50007), 50007)


def test_each_port_is_tried_once():
    kernel = Kernel(range(50000, 50020))
    ports = PassivePorts(DataSettings(passive_ports=(50000, 50019)), kernel)
    with pytest.raises(NoPortFree):
        ports.listen("")
    assert sorted(kernel.tried) == list(range(50000, 50020))


def test_the_kernel_may_have_no_port_either():
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


def test_random_numbers_are_unlimited_and_below_the_count():
    dice = SecureRandom()
    seen = {dice.below(7) for _ in range(2000)}
    assert seen == set(range(7))


class Holding:
    """A session that listens."""

    def __init__(self, *, is_used: bool = False) -> None:
        self.is_used = is_used
        self.dropped = 0

    def has_idle_port(self) -> bool:
        return not self.is_used

    def close_idle_port(self, problem: str) -> None:
        assert problem
        self.dropped += 1
        self.is_used = True


def test_each_port_closes_after_its_timeout() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    first, second, taken = Holding(), Holding(), Holding()
    unused.add(first, "192.0.2.1", 30)
    unused.add(taken, "192.0.2.1", 30)
    clock.advance(20)
    unused.add(second, "192.0.2.1", 30)
    unused.discard(taken)
    clock.advance(9.9)
    assert [first.dropped, second.dropped] == [0, 0]
    clock.advance(0.1)
    assert [first.dropped, second.dropped] == [1, 0]
    clock.advance(20)
    assert [first.dropped, second.dropped, taken.dropped] == [1, 1, 0]
    assert not clock.getDelayedCalls()


def test_a_new_port_has_the_full_timeout() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    holder = Holding()
    unused.add(holder, "192.0.2.1", 30)
    clock.advance(29)
    unused.add(holder, "192.0.2.1", 30)
    clock.advance(29)
    assert not holder.dropped
    clock.advance(1)
    assert holder.dropped


def test_without_a_timeout_a_port_stays_open() -> None:
    clock = Clock()
    IdlePassivePorts(clock).add(Holding(), "192.0.2.1", 0)
    assert not clock.getDelayedCalls()


def test_the_oldest_port_of_the_busiest_address_is_reclaimed() -> None:
    unused = IdlePassivePorts(Clock())
    one, *many = (Holding() for _ in range(4))
    used = [Holding(is_used=True) for _ in range(5)]
    for holder in used:
        unused.add(holder, "192.0.2.9", 30)
    unused.add(one, "192.0.2.1", 30)
    for number, holder in enumerate(many):
        unused.add(holder, f"2001:db8:1:1::{number}", 30)
    for expected in ([0, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]):
        assert unused.reclaim_port()
        assert [holder.dropped for holder in (one, *many)] == expected
    assert not unused.reclaim_port()
    assert not any(holder.dropped for holder in used)


def test_without_ports_there_is_no_timer() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    holder = Holding()
    unused.add(holder, "192.0.2.1", 30)
    assert clock.getDelayedCalls()
    unused.discard(holder)
    assert not clock.getDelayedCalls()
