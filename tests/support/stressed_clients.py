"""Clients that change files at nodes that are killed, and know what has to be there.

A client has names of its own. Where it does not know what became of a change, as its session was
cut, the name is left alone, and may have any content that the change could have left.
"""

from __future__ import annotations

import ftplib
import io
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tests.support.stressed_nodes import Account, StressedNodes

__all__ = ["SessionWatch", "StressedClient"]

SECONDS = 20.0
CUT = (OSError, EOFError, ftplib.error_proto)
LARGEST = 30_000
Contents = set[bytes | None]
"""What a name may have; None: no file."""


class Prefixes(set[bytes | None]):
    """The contents that begin with ``first`` and go on like ``whole``, and others."""

    def __init__(self, first: bytes, whole: bytes, *others: bytes | None) -> None:
        super().__init__((first, whole, *others))
        self._first = first
        self._whole = whole

    def __contains__(self, content: object) -> bool:
        if super().__contains__(content):
            return True
        is_longer = isinstance(content, bytes) and content.startswith(self._first)
        return is_longer and self._whole.startswith(content)  # type: ignore[arg-type]


class SessionWatch:
    """The sessions that clients have, and the limits that they exceed."""

    def __init__(self, nodes: StressedNodes) -> None:
        self._nodes = nodes
        self._lock = threading.Lock()
        self._sessions: dict[str, set[ftplib.FTP]] = {}
        self.exceeded: list[str] = []

    def began(self, account: Account, client: ftplib.FTP, since: float) -> None:
        """Count a session that has logged in, which began to connect at ``since``."""
        with self._lock:
            sessions = self._sessions.setdefault(account.name, set())
            sessions.add(client)
            alive = [one for one in sessions if one is client or _is_alive(one)]
            if len(alive) > account.sessions and not self._nodes.is_excused(since):
                self.exceeded.append(f"{account.name} has {len(alive)} sessions")
                self._nodes.told(self.exceeded[-1])

    def ends(self, account: Account, client: ftplib.FTP) -> None:
        """Count a session no more, which is about to end."""
        with self._lock:
            self._sessions[account.name].discard(client)


def _is_alive(client: ftplib.FTP) -> bool:
    """Return whether the server has not closed the control connection."""
    own = client.sock
    if own is None:
        return False
    try:
        is_readable = bool(select.select([own], [], [], 0.0)[0])
        return not is_readable or own.recv(1, socket.MSG_PEEK) != b""
    except (OSError, ValueError):  # also of one that is closed
        return False


class StressedClient:
    """A client of an account; ``files`` are its names with what they have."""

    def __init__(
        self, number: int, account: Account, nodes: StressedNodes, watch: SessionWatch, seed: int
    ) -> None:
        self.account = account
        self.files: dict[str, Contents] = {}
        self.refusals: dict[str, int] = {}
        self.confirmed = self.cuts = 0
        self.replacements = 0
        """How often a replacement has begun or ended."""
        self.growing: dict[str, int] = {}
        """The bytes of files that are or were being replaced by uploads without an end."""
        self._own = number
        self._nodes = nodes
        self._watch = watch
        self._chance = random.Random(seed * 1000 + number)
        self._count = 0

    def run(self, has_ended: Callable[[], bool]) -> None:
        """Work until the end."""
        while not has_ended():
            with suppress(*CUT, ftplib.error_temp, ftplib.error_perm):
                self._work(has_ended)

    def _work(self, has_ended: Callable[[], bool]) -> None:
        """Log in at a node, and make some changes."""
        client, since = ftplib.FTP(), time.monotonic()
        port = self._nodes.ports[self._chance.choice(self._nodes.names)]
        try:
            client.connect("127.0.0.1", port, SECONDS)
            client.login(self.account.name, "demo")
        except ftplib.Error as refusal:
            self._refused("login", refusal)
            time.sleep(self._chance.uniform(0.0, 0.1))
            client.close()
            return
        except BaseException:
            client.close()
            raise
        self._watch.began(self.account, client, since)
        try:
            client.voidcmd("TYPE I")
            for _ in range(self._chance.randrange(1, 12)):
                if not has_ended():
                    self._change(client)
            self._watch.ends(self.account, client)
            client.quit()
        finally:
            self._watch.ends(self.account, client)
            client.close()

    def _refused(self, what: str, refusal: ftplib.Error) -> None:
        key = f"{what} {str(refusal)[:70]}"
        self.refusals[key] = self.refusals.get(key, 0) + 1

    def _change(self, client: ftplib.FTP) -> None:
        """Make one change; what it did is known, or the name is left alone from now on."""
        names = [name for name, contents in self.files.items() if len(contents) == 1]
        there = [name for name in names if self.files[name] != {None}]
        step = self._chance.choice(
            (
                *(self._store, self._store, self._replace, self._append),
                *(self._delete, self._delete, self._rename, self._interrupt),
            )
        )
        if step in (self._store, self._interrupt) or not there:
            self._count += 1
            step = step if step in (self._store, self._interrupt) else self._store
            step(client, f"c{self._own}-{self._count}")
        else:
            step(client, self._chance.choice(there))

    def _data(self) -> bytes:
        return self._chance.randbytes(
            self._chance.choice((0, 1, 4096, self._chance.randrange(LARGEST)))
        )

    def _decided(
        self, name: str, step: Callable[[], object], new: bytes | None, *more: bytes
    ) -> None:
        """Do a step after which ``name`` has ``new``, or one of the others if it was cut."""
        old = self.files.get(name, {None})
        self.files[name] = old | {new, *more}
        try:
            step()
        except ftplib.error_perm as refusal:
            self._refused(name.partition("-")[0][:1], refusal)
            self.files[name] = old  # nothing of it is kept under its name
        except ftplib.error_temp as refusal:
            self._refused(name.partition("-")[0][:1], refusal)
            if not str(refusal).startswith("45"):
                raise
            self.files[name] = old
        except CUT:
            self.cuts += 1
            raise
        else:
            self.confirmed += 1
            self.files[name] = {new}

    def _store(self, client: ftplib.FTP, name: str) -> None:
        data = self._data()
        if self._chance.random() < 0.5:
            with suppress(ftplib.error_perm):  # more than the whole quota
                client.voidcmd(f"ALLO {len(data)}")
        self._decided(name, lambda: client.storbinary(f"STOR {name}", io.BytesIO(data)), data)

    def _replace(self, client: ftplib.FTP, name: str) -> None:
        (old,) = self.files[name]
        self.growing[name] = len(old or b"")
        self.replacements += 1
        self._store(client, name)
        del self.growing[name]  # stays if it was cut: its partial upload may be kept
        self.replacements += 1

    def _append(self, client: ftplib.FTP, name: str) -> None:
        (old,) = self.files[name]
        before, data = old or b"", self._data()
        self.files[name] = Prefixes(before, before + data)
        try:
            client.storbinary(f"APPE {name}", io.BytesIO(data))
        except ftplib.Error as refusal:  # what had arrived stays
            self._refused("c", refusal)
            size = client.size(name)
            assert size is not None
            self.files[name] = {before + data[: max(0, size - len(before))]}
        else:
            self.confirmed += 1
            self.files[name] = {before + data}

    def _delete(self, client: ftplib.FTP, name: str) -> None:
        self._decided(name, lambda: client.delete(name), None)

    def _rename(self, client: ftplib.FTP, name: str) -> None:
        (content,) = self.files[name]
        self._count += 1
        target = f"c{self._own}-{self._count}"
        self.files[target] = {None, content}
        try:
            self._decided(name, lambda: client.rename(name, target), None)
        except CUT:
            raise
        self.files[target] = {content} if self.files[name] == {None} else {None}

    def _interrupt(self, client: ftplib.FTP, name: str) -> None:
        """Break off an upload, and the session."""
        data = self._data()
        self.files[name] = Prefixes(b"", data, None)
        transfer = client.transfercmd(f"STOR {name}")
        with transfer:
            transfer.sendall(data)
            for own in (transfer, client.sock):
                assert own is not None
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._watch.ends(self.account, client)
        client.close()
        raise EOFError

    def check(self) -> list[str]:
        """Return what is not as it has to be on the disk."""
        wrong = []
        folder = self._nodes.files / self.account.name
        for name, contents in self.files.items():
            path = folder / name
            found = path.read_bytes() if path.exists() else None
            if found not in contents:
                size = None if found is None else len(found)
                allowed = sorted({-1 if one is None else len(one) for one in contents})
                wrong.append(f"{self.account.name}/{name}: {size} bytes, of {allowed[:5]}")
        return wrong
