"""The file of the last number of nodes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpservice.cluster.last_share import ended_run, load_share, save_share
from ftpservice.cluster.place_leases import ShareRule


def test_it_keeps_the_share(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    save_share(path, ShareRule(5, 2))
    assert load_share(path) == ShareRule(5, 2)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"nodes": 0, "rank": 0}', '{"nodes": 2, "rank": 2}', "[" * 4000]
)
def test_a_file_that_cannot_be_used_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cluster.json"
    assert load_share(path) is None
    path.write_text(content)
    assert load_share(path) is None


def test_the_run_of_a_process_that_has_ended_is_known(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    assert ended_run(path) is None
    save_share(path, ShareRule(), "own")
    assert ended_run(path) is None  # this process has it
    path.write_text(path.read_text().replace(f'"process": {os.getpid()}', '"process": 0'))
    assert ended_run(path) == "own"
