"""A client, a router with NAT and a service, each in a network namespace of its own.

The router forwards two ports and nothing else, as Docker and a Kubernetes Service do. With
``hides_clients`` it replaces the addresses of clients with its own. Without ``forwards`` it has no
NAT, and another program listens there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.client_programs import CompletedProgram
from tests.support.service_process import PATIENCE, Program, checkout_environment

__all__ = ["CLIENTS", "CONTROL", "DATA", "INSIDE", "ROUTER", "SERVER", "NATNetwork", "missing"]

CONTROL, DATA = 2121, 50000
"""The ports that are forwarded; those of a namespace are free."""
CLIENTS = ("10.77.1.2", "10.77.1.3")
ROUTER = "10.77.1.1"
"""The address that clients connect to."""
INSIDE, SERVER = "10.77.2.1", "10.77.2.2"
"""The address of the router towards the service, and that of the service."""
RULES = """
table ip nat {{
  chain before {{
    type nat hook prerouting priority -100;
    ip daddr {router} tcp dport {{ {control}, {data} }} dnat to {server}
  }}
  chain after {{
    type nat hook postrouting priority 100;
    {hiding}
  }}
}}
table ip filter {{
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established accept
    ip daddr {server} tcp dport {{ {control}, {data} }} accept
  }}
}}
"""
numbers = itertools.count()


def missing() -> str:
    """Return why there can be no such network here; empty if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"{tool} is not installed"
    name = f"ftpservice-{os.getpid()}-try"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "exec", name, "nft", RULES.format(**_places(True)))
    except subprocess.CalledProcessError as error:
        return f"the kernel refuses: {error.stderr.decode().strip()[-100:]}"
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)


def _places(hides_clients: bool) -> dict[str, Any]:
    hiding = f"ip daddr {SERVER} masquerade" if hides_clients else ""
    places = {"router": ROUTER, "server": SERVER, "control": CONTROL, "data": DATA}
    return places | {"hiding": hiding}


class NATNetwork:
    """The namespaces; a context manager."""

    def __init__(self, *, hides_clients: bool = False, forwards: bool = True) -> None:
        number = f"{os.getpid()}-{next(numbers)}"
        self._names = {role: f"ftpservice-{number}-{role}" for role in ("c", "r", "s")}
        self._rules = RULES.format(**_places(hides_clients)) if forwards else ""

    def __enter__(self) -> NATNetwork:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for name in self._names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def name(self, role: str) -> str:
        """Return the name of the namespace of ``c``, ``r`` or ``s``."""
        return self._names[role]

    def words(self, role: str, *words: str) -> list[str]:
        """Return a command that runs in the namespace of ``c``, ``r`` or ``s``."""
        return ["ip", "netns", "exec", self._names[role], *words]

    def service(self, directory: Path, *options: str) -> Program:
        """Start a service; a context manager."""
        command = [sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve"]
        return Program(self.words("s", *command, "--allow-root", *options), directory)

    def client(self, directory: Path, words: Sequence[str], stdin: str = "") -> CompletedProgram:
        """Run a program as a client and return what it printed; it has to succeed."""
        ended = subprocess.run(
            self.words("c", *words),
            cwd=directory,
            input=stdin,
            env=checkout_environment(),
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def _make(self) -> None:
        for name in self._names.values():
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        router = self._names["r"]
        for role, far in (("c", ROUTER), ("s", INSIDE)):
            name = self._names[role]
            peer = f"to-{role}"
            _run(
                *("ip", "-n", router, "link", "add", peer, "type", "veth"),
                *("peer", "name", "eth0", "netns", name),
            )
            _run("ip", "-n", router, "address", "add", f"{far}/24", "dev", peer)
            _run("ip", "-n", router, "link", "set", peer, "up")
            for address in CLIENTS if role == "c" else (SERVER,):
                _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")
            _run("ip", "-n", name, "route", "add", "default", "via", far)
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        _run(*self.words("r", "sh", "-c", forward))
        _run(*self.words("r", "nft", self._rules))
