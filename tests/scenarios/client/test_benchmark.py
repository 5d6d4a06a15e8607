"""The benchmark of clients runs every job and detects incomplete transfers."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import clients
from benchmarks.clients import CLIENTS, JOBS, Job, measure, serving


@pytest.mark.parametrize("secured", [False, True], ids=["clear", "tls"])
def test_every_client_runs_every_job(secured: bool) -> None:
    installed = [name for name in CLIENTS if "ours" in name or shutil.which(name)]
    with serving(secured) as restartable:
        for job in (Job("down", False, 4096, 3), Job("up", True, 3 << 20, 1)):
            assert all(measure(restartable, job, CLIENTS[name]) > 0 for name in installed)


def test_an_incomplete_transfer_has_no_result() -> None:
    with serving(secured=False) as restartable, pytest.raises(RuntimeError, match="0 of 1 files"):
        measure(restartable, Job("down", False, 4096, 1), lambda *_: 1.0)


def test_a_table_has_a_row_for_each_job(monkeypatch, capsys) -> None:
    monkeypatch.setattr(clients, "measure", lambda *_: 2.0)
    assert clients.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * len(JOBS)
    assert lines[-1].startswith("| up, 4 KiB files, TLS, files/s | 2 (2-2) |")
