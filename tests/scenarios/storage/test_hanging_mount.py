"""A filesystem that stops answering: its users are told in time, and others notice nothing."""

from __future__ import annotations

import ftplib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from ftpservice.accounts.password_hash import hash_password
from tests.support.account_service import AccountService
from tests.support.frozen_process import freeze
from tests.support.ftplib_sessions import download, upload
from tests.support.fuse_mount import loopback_process
from tests.support.service_process import BUSY_SECONDS, PATIENCE

AT_ONCE = 4.0 + 2 * BUSY_SECONDS
"""Far from never, on a busy machine that hashes the passwords of all who wait."""


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A filesystem in user space below the root of the service, and its process."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("mounting needs root and /dev/fuse")
    folder = tmp_path / "fuse"
    folder.mkdir()
    with loopback_process(folder) as made:
        yield made


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let a filesystem hang."""
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def service(tmp_path: Path, mounted: tuple[Path, int]) -> Iterator[AccountService]:
    """Ann's files are on the filesystem that hangs, Ben's are not; Joe has both."""
    accounts = tmp_path / "accounts"
    folder, files = mounted[0], tmp_path / "files"
    (folder / "joe").mkdir()
    hashed = hash_password("secret")
    lines = [
        f"ann:{hashed}:local\\:{folder}\\:timeout=1s:full",
        f"ben:{hashed}:/ben:full",
        f"joe:{hashed}:/joe:full:mount=/far=local\\:{folder}/joe\\:timeout=1s",
    ]
    accounts.write_text("\n".join(lines) + "\n")
    (files / "joe").mkdir(parents=True)
    with AccountService(tmp_path, [f"passwd:{accounts}"]) as running:
        yield running


def code_of(action, *args: object) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(ftplib.Error) as caught:
        action(*args)
    return str(caught.value)[:3]


def took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_others_notice_nothing_and_sessions_survive(
    service: AccountService, mounted: tuple[Path, int]
) -> None:
    with ExitStack() as stack:
        logged_in = [
            stack.enter_context(service.login(name, "secret")) for name in ("ann", "ben", "joe")
        ]
        ann, ben, joe = logged_in
        for one in logged_in:
            upload(one, "file", b"before")
        joe.mkd("far/made")
        with frozen(mounted[1]):
            # 1. Whoever needs the filesystem is told in time.
            assert code_of(download, ann, "file") == "451"  # the kernel has it in its cache
            assert code_of(ann.nlst) == "451"
            assert took(lambda: ann.voidcmd("NOOP")) < AT_ONCE
            assert took(lambda: service.reply("ann", "secret").startswith("451")) < 4 * AT_ONCE
            assert code_of(upload, ann, "file", b"after") in ("451", "426")
            assert code_of(joe.nlst, "far") == "451"
            # 2. However many wait for it, nobody else does.
            waiting = [stack.enter_context(raw_login(service, number)) for number in range(12)]
            actions = {
                "upload": lambda: upload(ben, "new", b"content"),
                "download": lambda: download(joe, "file"),
                "login": lambda: service.login("ben", "secret").close(),
            }
            longest = {name: max(took(one) for _ in range(10)) for name, one in actions.items()}
            assert max(longest.values()) < AT_ONCE, longest
            for one in waiting:
                assert last_line(one).startswith(b"451")
        # 3. When it answers, sessions go on.
        wait_until(lambda: "file" in ann.nlst())
        assert download(ann, "file") == b"before"
        assert joe.nlst("far") in (["far/made"], ["made"])
        upload(ann, "file", b"afterwards")
        assert download(ann, "file") == b"afterwards"


def test_the_service_stops_while_a_filesystem_hangs(
    service: AccountService, mounted: tuple[Path, int]
) -> None:
    """The kernel lets the process end when the filesystem has answered what it has begun."""
    with service.login("ann", "secret") as ann, frozen(mounted[1]):
        assert code_of(ann.nlst) == "451"
        service.process.send_signal(signal.SIGTERM)
        service.line("Server Shut Down")
    assert service.ended() == 0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(ftplib.Error):
            if condition():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def raw_login(service: AccountService, number: int) -> socket.socket:
    """Send a login of Ann from an address of its own, and do not wait for the replies."""
    source = f"127.0.1.{number + 1}"
    client = socket.create_connection(("127.0.0.1", service.port()), PATIENCE, (source, 0))
    client.sendall(b"USER ann\r\nPASS secret\r\n")
    return client


def last_line(client: socket.socket) -> bytes:
    """Return the third reply: to the connection, to USER and to PASS."""
    received = b""
    while received.count(b"\r\n") < 3:
        data = client.recv(4096)
        assert data, received
        received += data
    return received.splitlines()[2]
