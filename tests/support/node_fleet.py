"""Nodes with one directory behind the haproxy of ``docs/deploy``, in network namespaces."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from ftpservice.accounts.password_hash import hash_password
from tests.support.client_programs import program
from tests.support.nat_network import CONTROL, ROUTER, SERVER, NATNetwork
from tests.support.service_process import CHECKOUT, PATIENCE, Program

__all__ = ["LOGIN", "NodeFleet", "wait_for"]

NAMES = ("one", "two", "three")
LOGIN = ("ann", "secret")
CONFIGURATION = CHECKOUT / "docs" / "deploy" / "haproxy.cfg"
COMMAND = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()")


def wait_for(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} does not happen"
        time.sleep(0.005)


class NodeFleet:
    """A context manager; ``root`` is the storage string of all nodes."""

    def __init__(self, directory: Path, root: str) -> None:
        self.directory = directory
        self.network = NATNetwork(forwards=False)
        self.nodes: dict[str, Program] = {}
        self._root = root
        self._stack = ExitStack()

    def __enter__(self) -> NodeFleet:
        self._stack.enter_context(self.network)
        name, password = LOGIN
        (self.directory / "accounts").write_text(f"{name}:{hash_password(password)}:/:full\n")
        for one in NAMES:
            self._begin(one)
        for one in NAMES:
            self._wait_for_node(one)
        text = CONFIGURATION.read_text().replace("inter 2s", "inter 100ms")
        for number in range(len(NAMES)):
            text = text.replace(f"10.0.0.{number + 5}:2125", f"{SERVER}:{2125 + number}")
            text = text.replace(f"10.0.0.{number + 5}:", f"{SERVER}:")
            control = str(2125 + number)
            text = text.replace(f"{control} port 8021", f"{control} port {8021 + number}")
        haproxy = self.directory / "haproxy.cfg"
        haproxy.write_text(text.replace(":2121", f"{ROUTER}:{CONTROL}"))
        words = self.network.words("r", program("haproxy"), "-f", str(haproxy), "-db")
        self.balancer = self._stack.enter_context(Program(words, self.directory))
        return self

    def __exit__(self, *exception: object) -> None:
        for node in self.nodes.values():
            node.__exit__()
        self._stack.close()

    def start(self, name: str) -> None:
        """Start a node that was killed, and wait until it serves."""
        self._begin(name)
        self._wait_for_node(name)

    def _begin(self, name: str) -> None:
        number = NAMES.index(name)
        options = [
            *("--listen", f"haproxy:tcp:{2125 + number}", "--http", f"tcp:{8021 + number}"),
            *("--passive-port", str(50001 + number), "--passive-proxied", "10.77.2.1"),
            *("--data-dir", str(self.directory / f"data-{name}"), "--root", self._root),
            *("--auth", f"passwd:{self.directory / 'accounts'}", "--allow-plaintext"),
            *("--allow-root", "--grace", "60"),
        ]
        words = self.network.words("s", *COMMAND, "serve", *options)
        self.nodes[name] = Program(words, self.directory)

    def _wait_for_node(self, name: str) -> None:
        self.nodes[name].line(f":{2125 + NAMES.index(name)}")

    def kill(self, name: str) -> None:
        """Kill a node as a loss of power would."""
        self.nodes[name].process.kill()
        self.nodes[name].__exit__()

    def ask(self, name: str, *words: str) -> None:
        """Run a command of ``ftpservice`` for a node."""
        socket = ("--socket", str(self.directory / f"data-{name}" / "control.sock"))
        with Program([*COMMAND, *words, *socket], self.directory) as asked:
            assert asked.ended() == 0, asked.output

    def client(self, words: Sequence[str]) -> Program:
        """Start a client program; a context manager."""
        return Program(self.network.words("c", *words), self.directory)

    def holder(self, folder: Path, least: int) -> str | None:
        """Return the node that has a file of a folder open of at least so many bytes."""
        for name, node in self.nodes.items():
            if any(
                path.startswith(f"{folder}/") and size >= least
                for path, size in _open_files(node.process.pid)
            ):
                return name
        return None


def _open_files(pid: int) -> Iterator[tuple[str, int]]:
    """Yield the path and the size of what a process has open."""
    with suppress(OSError):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                yield os.readlink(one), one.stat().st_size
