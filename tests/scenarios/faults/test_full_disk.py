"""Full, failing and read-only disks: the right reply, no incomplete files, space is released."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.failing_disk import FailingCalls, mounted, remount, used
from tests.support.raw_client import Answer, RunningService, Wire, in_thread, started, starting
from tests.support.restartable_service import RestartableService, hidden, noise, visible
from tests.support.simple_client import SimpleWire

FIXTURES = (started, starting)
OLD, SIZE = noise(500_000, 1), 4 << 20
TOO_LONG = noise(6_000_000, 2)
ENTRY = 4096
"""Bytes that a directory may have grown by."""


class Disk:
    """A small disk, or a limit of the file size where mounting is not permitted."""

    def __init__(self, restartable: RestartableService, real: bool) -> None:
        self.restartable = restartable
        self.real = real
        self.fault = "none" if real else f"limited:{SIZE}"
        self.refusal = 452 if real else 552

    def fill(self, left: int) -> None:
        """Fill the disk up to a number of free bytes."""
        facts = os.statvfs(self.restartable.root)
        free = facts.f_bavail * facts.f_frsize
        with open(self.restartable.root / "filler", "wb") as file:
            file.write(bytes(max(0, free - left)))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk with a file ``a``."""
    with mounted(tmp_path / "files", SIZE) as real:
        restartable = RestartableService(tmp_path)
        (restartable.root / "a").write_bytes(OLD)
        yield Disk(restartable, real)


def assert_empty(partials: list[Path], *, may_keep: bool) -> None:
    """Require that no byte is kept; a note may be, of an upload that its client may repeat."""
    assert len(partials) <= may_keep
    assert [one.stat().st_size for one in partials] == [0] * len(partials)


def refused(wire: Wire, command: str, content: bytes) -> Answer:
    """Try an upload that the service refuses; return its last reply."""
    data = wire.data()
    wire.send(f"{command}\r\n")
    try:
        data.sendall(content)
        data.close()
    except ConnectionError:
        pass
    first = wire.reply()
    return wire.reply() if first.code == 150 else first


@pytest.mark.parametrize("command", ["STOR a", "STOR b", "STOU a", "APPE a"])
def test_a_file_that_does_not_fit_is_refused(disk: Disk, command: str) -> None:
    with disk.restartable.open(fault=disk.fault) as service:
        wire = service.session()
        answer = refused(wire, command, TOO_LONG)
        assert answer.code == disk.refusal
        assert wire.code("NOOP") == 200
        left = visible(service.root)
        if command == "APPE a":
            whole = OLD + TOO_LONG
            assert left == {"a": whole[: len(left["a"])]} and len(left["a"]) > len(OLD)
        else:
            assert left == {"a": OLD}
        assert_empty(hidden(service.root), may_keep=command == "STOR a" and disk.real)


@pytest.mark.parametrize("plus", ["", "+"])
def test_the_simple_protocol_refuses_a_file_that_does_not_fit(disk: Disk, plus: str) -> None:
    with disk.restartable.open("--simple=tcp:0:interface=127.0.0.1", fault=disk.fault) as service:
        port = int(service.program.line(r"simple://\S+?:(\d+)/")[1])
        wire = SimpleWire(service, service.connected(("127.0.0.1", port)))
        assert wire.line() == "OK ftpservice simple/1"
        wire.login().send(f"UPLD {len(TOO_LONG)}{plus} a\n")
        assert plus or wire.line() == "GO"
        wire.send(TOO_LONG + b"DELF none\nUPLD 2+ b\nokDWLD a\n")
        assert wire.line().startswith("ERR FULL" if disk.real else "ERR QUOTA")
        assert wire.line().startswith("ERR NOTFOUND")
        assert wire.line() == "OK 2 b"
        assert wire.line() == f"OK {len(OLD)}"
        assert wire.raw(len(OLD)) == OLD


def test_a_refused_upload_takes_no_space(disk: Disk) -> None:
    before = used(disk.restartable.root)
    with disk.restartable.open(fault=disk.fault) as service:
        wire = service.session()
        for command in ("STOR a", "STOR new", "STOU a"):
            assert refused(wire, command, TOO_LONG).code == disk.refusal
            assert_empty(hidden(disk.restartable.root), may_keep=disk.real)
        if disk.real:
            assert used(disk.restartable.root) <= before + ENTRY
        assert wire.code("SIZE new") == 550
        assert wire.upload("STOR little", TOO_LONG[:20_000]).code == 226
    assert visible(disk.restartable.root) == {"a": OLD, "little": TOO_LONG[:20_000]}


def test_a_refused_resumed_upload_takes_no_space(disk: Disk) -> None:
    if not disk.real:
        pytest.skip("only root can make a small disk")
    new = noise(2_000_000, 3)
    with disk.restartable.open() as service:
        service.cut("STOR b", new[:500_000])
        disk.fill(left=200_000)
        wire = service.session()
        assert wire.code("REST 500000") == 350
        answer = refused(wire, "STOR b", new[500_000:])
        assert answer.code == 452
        assert "discarded" in answer.text
        assert hidden(service.root) == []
        assert wire.upload("STOR b", new[:400_000]).code == 226


def test_a_small_file_that_does_not_fit_is_refused_too(disk: Disk) -> None:
    """Its bytes are buffered in memory until the commit."""
    if not disk.real:
        pytest.skip("only root can make a small disk")
    disk.fill(left=20_000)
    with disk.restartable.open() as service:
        wire = service.session()
        assert refused(wire, "STOR a", TOO_LONG[:50_000]).code == 452
        assert (service.root / "a").read_bytes() == OLD
        (service.root / "filler").unlink()
        assert wire.upload("STOR a", TOO_LONG[:50_000]).code == 226
        assert visible(service.root) == {"a": TOO_LONG[:50_000]}


def test_a_disk_that_becomes_read_only(disk: Disk) -> None:
    if not disk.real:
        pytest.skip("only root can make a disk of its own")
    with disk.restartable.open() as service:
        wire = service.session()
        remount(service.root, "ro")
        for command in ("STOR a", "STOU a", "APPE a", "STOR b"):
            assert refused(wire, command, OLD * 4).code == 550
        assert wire.codes("DELE a", "MKD d", "RNFR a", "RNTO b") == [550, 550, 350, 550]
        assert wire.download("RETR a") == OLD
        remount(service.root, "rw")
        assert wire.upload("STOR a", OLD * 3).code == 226
    assert visible(disk.restartable.root) == {"a": OLD * 3}
    assert not hidden(disk.restartable.root)


FAULTS = [
    ("open", errno.EIO, 0, 451),
    ("fchmod", errno.EIO, 0, 451),
    ("fchmod", errno.EROFS, 0, 550),
    ("write", errno.EIO, 0, 451),
    ("write", errno.EDQUOT, 0, 552),
    ("rename", errno.EIO, 0, 451),
    ("rename", errno.EROFS, 0, 550),
    ("rename", errno.ENOSPC, 0, 452),
]
IN_KERNEL = [("splice", errno.EIO, 1, 451), ("splice", errno.ENOSPC, 0, 452)]
CASES = [(*fault, size) for fault in FAULTS for size in (60_000, 3_000_000)] + [
    (*fault, 3_000_000) for fault in IN_KERNEL
]


def open_files(served: RunningService) -> list[str]:
    """Return the open descriptors below the served directory."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return [path for path in found if path.startswith(str(served.root))]


@in_thread
@pytest.mark.parametrize(("function", "number", "after", "code", "size"), CASES)
def test_a_failing_call_is_reported_and_leaves_nothing_open(
    server: Callable[..., RunningService],
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    number: int,
    after: int,
    code: int,
    size: int,
) -> None:
    served = server()
    (served.root / "a").write_bytes(OLD)
    wire = served.session()
    assert wire.code("TYPE I") == 200
    idle = [str(served.root)]
    served.wait_for(lambda: open_files(served) == idle)  # the sweep at the start is over
    faulty = FailingCalls(monkeypatch, served.root)
    faulty.break_down(function, number, after)
    new = noise(size, 5)
    assert refused(wire, "STOR a", new).code == code
    assert faulty.calls > after
    assert visible(served.root) == {"a": OLD}
    served.wait_for(lambda: open_files(served) == idle)
    faulty.number = 0
    assert wire.upload("STOR a", new).code == 226
    assert visible(served.root) == {"a": new}
    assert not hidden(served.root)
