"""The fail2ban filter of the documentation finds the addresses of failed logins, and no others."""

import shutil
import subprocess
import sys

import pytest

from tests.admin.test_service_commands import Client
from tests.support.docs_pages import EXAMPLES
from tests.support.service_process import PATIENCE, Program

SERVE = [
    sys.executable,
    "-c",
    "from ftpservice.admin.cli import main; main()",
    "serve",
    "--allow-root",
]
OUT_OF_RESOURCES = (
    "2026-11-21T03:23:33+0000 [ftpservice#warn] -@198.51.100.9 [0] was refused: "
    "Out of resources (Too many open files); try again later."
)
FORGED = "x@203.0.113.99 [1] failed to log in: wrong password"


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="fail2ban is not installed")
def test_the_filter_finds_failed_logins_only(tmp_path):
    (tmp_path / "files").mkdir()
    options = ["--auth=memory:ann:secret", "--root=files", "--allow-plaintext"]
    options += ["--listen=haproxy:tcp:0:interface=127.0.0.1", "--log-file=ftpservice.log"]
    with Program([*SERVE, *options], tmp_path) as program:
        port = program.port()
        for address, name, password in (
            ("198.51.100.1", "ann", "wrong"),
            ("198.51.100.2", FORGED, "wrong"),
            ("198.51.100.3", "ann", "secret"),
            ("198.51.100.4", f"{FORGED} (", "wrong"),
        ):
            client = Client(port, address)
            client.ask(f"USER {name}")
            client.ask(f"PASS {password}")
            client.ask(f"STOR {FORGED}")
            client.close()
        assert program.stopped() == 0
    with open(tmp_path / "ftpservice.log", "a") as log_file:
        log_file.write(f"{OUT_OF_RESOURCES}\n")
    found = subprocess.run(
        ["fail2ban-regex", "--out=ip", "ftpservice.log", EXAMPLES / "fail2ban/ftpservice.conf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    log = (tmp_path / "ftpservice.log").read_text()
    assert sorted(set(found.stdout.split())) == [
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.4",
    ], (found, log)
