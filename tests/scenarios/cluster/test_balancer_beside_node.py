"""Three machines in all: the balancer of ``docs/deploy`` is on the machine of a node."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ftpservice.accounts.password_hash import hash_password
from tests.support.client_programs import program
from tests.support.nat_network import CONTROL, INSIDE, ROUTER, SERVER, NATNetwork, missing
from tests.support.service_process import CHECKOUT, Program, checkout_environment

CONFIGURATION = CHECKOUT / "docs" / "deploy" / "haproxy.cfg"
SERVE = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve")
MACHINES = {"r": (INSIDE, 50001), "s": (SERVER, 50002)}
"""The address and the passive port of a node; the balancer is at ``r``."""
ROUNDS = 4
CLIENT = f"""
import ftplib, io
for number in range({ROUNDS}):
    client = ftplib.FTP()
    client.connect("{ROUTER}", {CONTROL}, 20)
    client.login("ann", "secret")
    client.set_pasv(True)
    for family in (client.af, 10):  # PASV, then EPSV
        client.af = family
        content = str((number, family)).encode() * 10_000
        client.storbinary(f"STOR {{number}}-{{family}}", io.BytesIO(content))
        got = io.BytesIO()
        client.retrbinary(f"RETR {{number}}-{{family}}", got.write)
        assert got.getvalue() == content
    client.quit()
"""


@pytest.fixture
def network() -> Iterator[NATNetwork]:
    """A client, the machine of a balancer and a node, and that of another node."""
    if why := missing():
        pytest.skip(why)
    with NATNetwork(forwards=False) as made:
        yield made


def haproxy_file() -> str:
    """Return the file without the passive port of the own node, as the page says."""
    text = CONFIGURATION.read_text()
    text, count = re.subn(r"frontend data_one\n.*?(?=\nfrontend)", "", text, flags=re.DOTALL)
    assert count == 1
    for old, (new, _port) in zip(("10.0.0.5", "10.0.0.6"), MACHINES.values(), strict=True):
        text = text.replace(old, new)
    return text.replace("inter 2s", "inter 100ms")


def test_clients_reach_the_node_beside_it_and_the_others(
    network: NATNetwork, tmp_path: Path
) -> None:
    (tmp_path / "accounts").write_text(f"ann:{hash_password('secret')}:/:full\n")
    (tmp_path / "files").mkdir()
    (tmp_path / "haproxy.cfg").write_text(haproxy_file())
    with ExitStack() as stack:
        nodes = []
        for role, (_address, passive) in MACHINES.items():
            options = [
                *("--listen=haproxy:tcp:2125", "--http=tcp:8021", f"--passive-port={passive}"),
                *("--root=local:files", f"--data-dir=data-{role}", "--auth=passwd:accounts"),
                *("--passive-proxied", INSIDE, "--passive-proxied", SERVER),
                *("--allow-root", "--allow-plaintext"),
            ]
            words = network.words(role, *SERVE, *options)
            running = stack.enter_context(Program(words, tmp_path, checkout_environment()))
            running.line(":2125")
            nodes.append(running)
        balancer = network.words("r", program("haproxy"), "-f", "haproxy.cfg", "-db")
        stack.enter_context(Program(balancer, tmp_path)).line("is UP|Server ftp/three is DOWN")
        client = network.words("c", sys.executable, "-c", CLIENT)
        with Program(client, tmp_path) as used:
            assert used.ended() == 0, used.output
        for running in nodes:
            assert running.stopped() == 0
            assert "uploaded /" in running.output
            assert "downloaded /" in running.output
    assert len(os.listdir(tmp_path / "files")) == 2 * ROUNDS
