"""Thousands of complete and interrupted transfers leave no resources open.

3,000 transfers by default; ``FTPSERVICE_TRANSFERS=10000`` sets another number.
"""

from __future__ import annotations

import os
import random
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from tests.support.raw_client import Wire, receive_all, reset
from tests.support.restartable_service import RestartableService, hidden, noise, wait_until

TRANSFERS = int(os.environ.get("FTPSERVICE_TRANSFERS", "3000"))
CLIENTS = 4
EACH = 15
"""Transfers of a session."""
LARGE = noise(1_300_000, 1)
SMALL = LARGE[:3000]
LISTENING = "0A"


class Mischief:
    """One client: sessions of some transfers each; every second transfer is interrupted."""

    def __init__(self, service: RestartableService, number: int) -> None:
        self.done: Counter[str] = Counter()
        self._service = service
        self._name = f"file{number}"
        self._chance = random.Random(number)

    def session(self) -> None:
        """Log in, transfer, and end the session in one of several ways."""
        with socket.create_connection(("127.0.0.1", self._service.port), 15) as end:
            self._transfers(Wire(self._service, end).login())  # type: ignore[arg-type]

    def _transfers(self, wire: Wire) -> None:
        wire.code("TYPE I")
        for _ in range(EACH):
            way = self._chance.choice(WAYS)
            self.done[way.__name__] += 1
            with socket.create_connection(wire.passive_address(), 15) as data:
                if not way(self, wire, data):
                    return
        self._chance.choice([wire.drop, lambda: reset(wire.end), lambda: wire.code("QUIT")])()

    def stores(self, wire: Wire, data: socket.socket) -> bool:
        command, content = self._chance.choice([("STOR", SMALL), ("STOR", LARGE), ("STOU", SMALL)])
        assert wire.code(f"{command} {self._name}") == 150
        data.sendall(content)
        data.close()
        assert wire.reply().code == 226
        return True

    def retrieves(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("RETR large") == 150
        assert len(receive_all(data)) == len(LARGE)
        data.close()
        assert wire.reply().code == 226
        return True

    def lists(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("MLSD empty") == 150
        assert receive_all(data) == b""
        data.close()
        assert wire.reply().code == 226
        return True

    def breaks_a_store(self, wire: Wire, data: socket.socket) -> bool:
        command = self._chance.choice(["STOR", "APPE"])
        code = wire.code(f"{command} {self._name}")
        if command == "APPE" and code == 554:  # an upload of that name was cut before
            assert wire.code(f"DELE {self._name}") == 250
            return True
        assert code == 150
        data.sendall(self._chance.choice([SMALL, LARGE]))
        reset(data)
        assert wire.reply().code == 426
        return True

    def aborts_a_store(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code(f"STOR {self._name}") == 150
        data.sendall(self._chance.choice([SMALL, LARGE]))
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        return True

    def breaks_a_retrieval(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("RETR huge") == 150
        data.recv(1000)
        reset(data)
        assert wire.reply().code == 426
        return True

    def aborts_a_retrieval(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("RETR huge") == 150
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        return True

    def leaves_in_a_store(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code(f"STOR {self._name}") == 150
        data.sendall(self._chance.choice([SMALL, LARGE]))
        wire.drop()
        return False

    def leaves_in_a_retrieval(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("RETR huge") == 150
        reset(wire.end)
        return False

    def asks_for_nothing_there(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("RETR none") == 550
        return True

    def changes_its_mind(self, wire: Wire, data: socket.socket) -> bool:
        assert wire.code("REST 999999999") == 350
        assert wire.code(f"STOR {self._name}") == 554
        assert wire.ask("PASV").code == 227
        return True


Way = Callable[[Mischief, Wire, socket.socket], bool]
WAYS: list[Way] = [
    *[Mischief.stores, Mischief.retrieves, Mischief.lists] * 3,
    Mischief.breaks_a_store,
    Mischief.aborts_a_store,
    Mischief.breaks_a_retrieval,
    Mischief.aborts_a_retrieval,
    Mischief.leaves_in_a_store,
    Mischief.leaves_in_a_retrieval,
    Mischief.asks_for_nothing_there,
    Mischief.changes_its_mind,
]


def carried_out(service: RestartableService, count: int, seed: int) -> Counter[str]:
    """Do a number of transfers; return the count of each kind."""
    done: Counter[str] = Counter()
    lock = Lock()

    def client(number: int) -> None:
        mischief = Mischief(service, seed + number)
        while sum(mischief.done.values()) < count / CLIENTS:
            mischief.session()
        with lock:
            done.update(mischief.done)

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    return done


def listening(service: RestartableService) -> int:
    """Return the number of listening ports of the service."""
    ours = {name[8:-1] for name in service.descriptors() if name.startswith("socket:[")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == LISTENING and row[9] in ours for row in rows)


def without_pipes(service: RestartableService) -> Counter[str]:
    """Return open descriptors by kind, without pipes: each pool thread may have one."""
    return Counter(
        name.partition(":")[0] for name in service.descriptors() if not name.startswith("pipe:")
    )


def threads(service: RestartableService) -> int:
    return len(os.listdir(f"/proc/{service.process}/task"))


def served_files(service: RestartableService) -> list[str]:
    return [name for name in service.descriptors() if name.startswith(str(service.root))]


def pipes(service: RestartableService) -> int:
    return sum(name.startswith("pipe:") for name in service.descriptors())


def test_descriptors_threads_and_ports_do_not_leak(tmp_path: Path) -> None:
    restartable = RestartableService(tmp_path)
    (restartable.root / "large").write_bytes(LARGE)
    (restartable.root / "empty").mkdir()
    with open(restartable.root / "huge", "wb") as file:
        file.truncate(200_000_000)
    with restartable.open(
        "--max-sessions-per-user=1000", "--max-sessions-per-address=1000"
    ) as service:
        assert listening(service) == 1
        sockets = without_pipes(service)["socket"]
        carried_out(service, CLIENTS, seed=0)  # what is made once, with the first of its kind
        wait_until(lambda: not served_files(service))  # the sweep at the start is over too
        wait_until(lambda: without_pipes(service)["socket"] == sockets)
        before, pipes_before = without_pipes(service), pipes(service)
        threads_before = threads(service)
        done = carried_out(service, TRANSFERS, seed=1)
        assert sum(done.values()) >= TRANSFERS and len(done) == len(set(WAYS))
        wait_until(
            lambda: without_pipes(service) == before, lambda: without_pipes(service) - before
        )
        assert listening(service) == 1
        pool, logins = 8, 2
        assert threads(service) <= threads_before + pool + logins
        assert pipes(service) <= pipes_before + 2 * pool
        wire = service.session()
        assert wire.upload("STOR last", LARGE).code == 226
        assert len(hidden(service.root)) <= CLIENTS, "one for each name at most"
