"""Nodes with one directory behind the haproxy of ``docs/deploy``, in network namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from ftpservice.accounts.password_hash import hash_password
from tests.support.client_programs import program
from tests.support.cluster import cluster_url
from tests.support.nat_network import CONTROL, ROUTER, SERVER, NATNetwork
from tests.support.postgresql import PASSWORD, PostgreSQL
from tests.support.service_process import CHECKOUT, PATIENCE, Program, checkout_environment

__all__ = ["LIMITED", "LOGIN", "MOST", "NodeFleet", "wait_for"]

NAMES = ("one", "two", "three")
LOGIN = ("ann", "secret")
LIMITED, MOST = "ben", 3
"""An account with the same password, and how many sessions it may have."""
TOGETHER = f"""
import ftplib
from concurrent.futures import ThreadPoolExecutor
def log_in(_number):
    client = ftplib.FTP()
    try:
        client.connect("{ROUTER}", {CONTROL}, 20)
        client.login("{LIMITED}", "{LOGIN[1]}")
    except (OSError, EOFError, ftplib.Error) as refusal:
        print("refused", refusal, flush=True)
        return None
    return client
with ThreadPoolExecutor(12) as threads:
    clients = [one for one in threads.map(log_in, range(12)) if one]
print("sessions:", len(clients), flush=True)
for client in clients:
    client.quit()
"""
WAITING = f"""
import ftplib, time
began = time.monotonic()
while True:
    client = ftplib.FTP()
    try:
        client.connect("{ROUTER}", {CONTROL}, 20)
        client.login("{LIMITED}", "{LOGIN[1]}")
        break
    except (OSError, EOFError, ftplib.Error):
        time.sleep(0.2)
print("in after", time.monotonic() - began, "s", flush=True)
time.sleep(600)
"""
RELAY = """
global
  maxconn 1000
  stats socket {}/relay.sock
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
"""
QUICKLY = (
    ("inter 2s", "inter 100ms"),
    ("srvtcpka-idle 10s", "srvtcpka-idle 1s"),
    ("srvtcpka-intvl 5s", "srvtcpka-intvl 1s"),
    ("tcp-ut 30s", "tcp-ut 4s"),
)
"""Times of haproxy's file, and those of a test."""
CUT = """
table ip off {{
  chain in {{ type filter hook input priority 0; tcp dport {{ {0} }} drop; }}
  chain out {{ type filter hook output priority 0; tcp sport {{ {0} }} drop; }}
}}
"""
CONFIGURATION = CHECKOUT / "docs" / "deploy" / "haproxy.cfg"
COMMAND = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()")


def wait_for(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} does not happen"
        time.sleep(0.005)


class NodeFleet:
    """A context manager; ``root`` is the storage string of all nodes.

    With a ``server`` they are a cluster. ``ports`` of this machine are the same for the nodes.
    """

    def __init__(
        self,
        directory: Path,
        root: str,
        server: PostgreSQL | None = None,
        ports: Sequence[int] = (),
        options: Sequence[str] = (),
        count: int = len(NAMES),
    ) -> None:
        self.directory = directory
        self._database = "" if server is None else cluster_url(server, has_password=False)
        self._server = server
        self._options = options
        self._names = NAMES[:count]
        self._ports = [*ports, *([] if server is None else [server.port])]
        self.network = NATNetwork(forwards=False)
        self.nodes: dict[str, Program] = {}
        self._root = root
        self._stack = ExitStack()

    def __enter__(self) -> NodeFleet:
        self._stack.enter_context(self.network)
        name, password = LOGIN
        secret = hash_password(password)
        accounts = f"{name}:{secret}:/:full\n{LIMITED}:{secret}:/:full:max-sessions={MOST}\n"
        (self.directory / "accounts").write_text(accounts)
        if self._ports:
            relay = self.directory / "relay.cfg"
            texts = [RELAY.format(self.directory), *map(self._relay, self._ports)]
            relay.write_text("".join(texts))
            words = [program("haproxy"), "-f", relay, "-db"]
            self._stack.enter_context(Program(words, self.directory))
        for one in self._names:
            self._begin(one)
        for one in self._names:
            self._wait_for_node(one)
        text = CONFIGURATION.read_text()
        for old, new in QUICKLY:
            assert old in text
            text = text.replace(old, new)
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

    def _relay(self, port: int) -> str:
        place, inner = f"127.0.0.1:{port}", self.network.name("s")
        is_database = self._server is not None and port == self._server.port
        mode = "tcp" if is_database else "http"
        where = f"  mode {mode}\n  bind {place} namespace {inner}\n  server one {place}\n"
        return f"listen to{port}\n{where}"

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
            *("--allow-root", "--grace", "60", *self._options),
        ]
        if self._database:
            options += ["--cluster", self._database, "--cluster-node", name]
        words = self.network.words("s", *COMMAND, "serve", *options)
        environment = checkout_environment() | {"PGPASSWORD": PASSWORD}
        self.nodes[name] = Program(words, self.directory, environment)

    def _wait_for_node(self, name: str) -> None:
        self.nodes[name].line(f":{2125 + NAMES.index(name)}")
        if self._database:
            self.nodes[name].line("is in a cluster of")

    def kill(self, name: str) -> None:
        """Kill a node as a loss of power would."""
        self.nodes[name].process.kill()
        self.nodes[name].__exit__()

    def cut_off(self, name: str) -> None:
        """Let nothing reach a node any more, nor leave it, as if its machine had no power."""
        number = NAMES.index(name)
        rules = CUT.format(f"{2125 + number}, {50001 + number}, {8021 + number}")
        words = self.network.words("s", program("nft"), rules)
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)

    def join_again(self) -> None:
        """Undo `cut_off`."""
        words = self.network.words("s", program("nft"), "delete table ip off")
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)

    def ask(self, name: str, *words: str) -> str:
        """Run a command of ``ftpservice`` for a node; return what it prints."""
        socket = ("--socket", str(self.directory / f"data-{name}" / "control.sock"))
        with Program([*COMMAND, *words, *socket], self.directory) as asked:
            assert asked.ended() == 0, asked.output
            return asked.output

    def client(self, words: Sequence[str]) -> Program:
        """Start a client program; a context manager."""
        return Program(self.network.words("c", *words), self.directory)

    def check_sessions_at_once(self) -> None:
        """Require that of twelve clients of the limited account as many log in as may."""
        with self.client([sys.executable, "-c", TOGETHER]) as clients:
            found = int(clients.line(r"sessions: (\d+)")[1])
            assert clients.ended() == 0
        told = [clients.output, *(node.output[-1000:] for node in self.nodes.values())]
        assert found == MOST, "\n".join(told)

    def waiting_login(self) -> Program:
        """Start a client of that account that logs in as soon as it can; a context manager."""
        return self.client([sys.executable, "-c", WAITING])

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
