"""The certificates of a running service, shown and renewed; with ACME: tests/scenarios/service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.service_process import CHECKOUT, Program

SERVE = [
    *(sys.executable, "-c", "from ftpservice.admin.cli import main; main()"),
    *("serve", "--allow-root"),
]


def run(place: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        ftpservice, ["certificate", *words, "--socket", str(place / "var/control.sock")]
    )
    return done.exit_code, done.stdout + done.stderr


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Program]:
    options = ["--listen=tcp:0:interface=127.0.0.1", f"--auth=passwd:{CHECKOUT / 'passwd.db'}"]
    with Program([*SERVE, *options], tmp_path) as program:
        program.port()
        yield program


def test_the_certificate_in_use_is_shown(service: Program, tmp_path: Path) -> None:
    fingerprint = service.line("SHA-256 ([0-9A-F:]{95})")[1]
    status, output = run(tmp_path, "show")
    assert status == 0
    assert fingerprint in output
    assert "localhost" in output
    assert "ACME" not in output
    shown: dict[str, Any] = json.loads(run(tmp_path, "show", "--json")[1])
    assert shown["acme"] is None
    assert [one["fingerprint"] for one in shown["certificates"]] == [fingerprint]


def test_without_acme_there_is_nothing_to_renew(service: Program, tmp_path: Path) -> None:
    assert run(tmp_path, "renew") == (
        1,
        "ftpservice: the service gets no certificate itself: acme is not set\n",
    )


def test_a_service_that_does_not_run(tmp_path: Path) -> None:
    status, output = run(tmp_path, "show")
    assert status == 3
    assert "is the service running?" in output
