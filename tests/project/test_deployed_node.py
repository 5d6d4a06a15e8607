"""A node with the settings of ``docs/deploy`` and the database of the page about clusters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.certificate import make_certificate
from benchmarks.ports import reserved_port
from tests.support.docs_pages import DOCS, read
from tests.support.postgresql import PASSWORD, USER, PostgreSQL, postgresql_directory
from tests.support.service_process import PATIENCE, Program, checkout_environment
from tests.support.worker_service import measured_environment

FTPSERVICE = (sys.executable, "-c", "from ftpservice.admin.cli import main; main()")
ROLE = "plain"
"""Takes the place of ``ftpservice``, which is the superuser of the server."""
MOST_IDLE = 5
"""Connections of a node when nobody uses it, but for those to accounts."""


def run(directory: Path, *words: str, given: str = "", **variables: str) -> tuple[int, str]:
    """Run a command; return its status and what it has printed."""
    done = subprocess.run(
        words,
        cwd=directory,
        env=checkout_environment() | variables,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def role(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[str]:
    """The role and the database that the commands of the page make."""
    binaries = postgresql_directory()
    assert binaries is not None
    shown = re.findall(r"^ +(create(?:user|db) .*)$", read(DOCS / "fleet.md"), re.MULTILINE)
    assert len(shown) == 2
    server = {"PGHOST": "127.0.0.1", "PGPORT": str(postgresql.port), "PGUSER": USER}
    for command in shown:
        program, *words = command.replace("ftpservice", ROLE).split()
        words = [one for one in words if one != "--pwprompt"]  # asks a terminal
        done = run(tmp_path, str(binaries / program), *words, **server, PGPASSWORD=PASSWORD)
        assert done == (0, "")
    with postgresql.connect() as connection:
        connection.execute(f"ALTER ROLE {ROLE} PASSWORD 'secret'")
    yield ROLE
    with postgresql.connect() as connection:
        connection.execute(f"DROP DATABASE {ROLE} WITH (FORCE)")
        connection.execute(f"DROP ROLE {ROLE}")


def settings_of(directory: Path, server: PostgreSQL, ports: Sequence[int]) -> Path:
    """Write node.toml with the places of a test, and the files that it names."""
    control, passive, page = ports
    text = read(DOCS / "deploy" / "node.toml")
    text = text.replace(
        "ftpservice@db.example.com/ftpservice", f"{ROLE}@127.0.0.1:{server.port}/{ROLE}"
    )
    for old, new in (
        ("/etc/ftpservice", directory),
        ("/srv/ftp", directory / "files"),
        ("/var/lib/ftpservice", directory / "data"),
        ("haproxy:tcp:2125", f"haproxy:tcp:{control}:interface=127.0.0.1"),
        ("tcp:8021", f"tcp:{page}:interface=127.0.0.1"),
        ("passive-port = 50001", f"passive-port = {passive}"),
        ('workers = "auto"', "workers = 2"),
    ):
        assert old in text
        text = text.replace(old, str(new))
    (directory / "files").mkdir()
    make_certificate(directory / "tls.pem")
    # The line of the page.
    (line,) = re.findall(r"^ +(db\.example\.com:5432:.*)$", read(DOCS / "fleet.md"), re.MULTILINE)
    words = line.replace("db.example.com:5432", f"127.0.0.1:{server.port}")
    password = directory / "pgpass"
    password.touch(0o600)
    password.write_text(words.replace("ftpservice:SECRET", f"{ROLE}:secret") + "\n")
    path = directory / "ftpservice.toml"
    path.write_text(text)
    return path


def test_a_node_serves_after_the_steps_of_the_page(
    role: str, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    def ftpservice(*words: str, given: str = "") -> tuple[int, str]:
        return run(tmp_path, *FTPSERVICE, *words, "--config", str(path), given=given)

    def connections() -> int:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
        with postgresql.connect() as connection:
            found = connection.execute(asked, (role,)).fetchone()
        assert found is not None
        return int(str(found[0]))

    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(3)]
        path = settings_of(tmp_path, postgresql, ports)
        status, told = ftpservice("config", "check", "--allow-root")
        assert (status, "ftpservice db upgrade" in told) == (1, True), told
        assert ftpservice("db", "upgrade")[0] == 0
        added = ftpservice("user", "add", "ann", "--password-stdin", given="a-good-passphrase-1\n")
        assert added[0] == 0, added
        assert ftpservice("config", "check", "--allow-root") == (
            0,
            "ftpservice: the settings are valid\n",
        )
        words = [*FTPSERVICE, "serve", "--allow-root", "--config", str(path)]
        running = stack.enter_context(Program(words, tmp_path, measured_environment()))
        running.line(f":{ports[0]}")
        running.line("this node, one, is in a cluster of 1 node")
        status, told = ftpservice("doctor", "--allow-root")
        assert status == 0, told
        assert f"port {ports[0]}: answers" in told
        assert "ERROR" not in told
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{ports[2]}/metrics", timeout=PATIENCE)
        assert b"ftpservice_cluster_connected 1.0" in metrics.read()
        assert ftpservice("nodes")[0] == 0
        assert connections() <= MOST_IDLE + 9 * 3
        status, told = ftpservice("drain", "--wait")
        assert (status, "no sessions are accepted" in told) == (0, True), told
        assert running.stopped() == 0
    assert os.listdir(tmp_path / "files") == []
