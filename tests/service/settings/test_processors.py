"""How many processors there are for a process in control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpservice.service.settings.processors import processor_count


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)))


def place(root: Path, groups: str, **files: str) -> Path:
    """Make the files of the kernel; ``files`` are below ``/sys/fs/cgroup``, `__` for a slash."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("9900000 100000\n", 8),
        ("nonsense\n", 8),
        ("100000 0\n", 8),
        ("", 8),
    ],
)
def test_the_limit_of_a_container_holds(tmp_path: Path, limit: str, count: int) -> None:
    assert processor_count(place(tmp_path, "0::/\n", cpu_max=limit)) == count


def test_the_least_limit_of_the_groups_above_holds(tmp_path: Path) -> None:
    root = place(
        tmp_path,
        "0::/system.slice/ftp.service\n",
        cpu_max="700000 100000\n",
        **{
            "system.slice__cpu_max": "300000 100000\n",
            "system.slice__ftp.service__cpu_max": "max 100000\n",
        },
    )
    assert processor_count(root) == 3


@pytest.mark.parametrize("path", ["/docker/abc", "/"], ids=["of the host", "of the container"])
@pytest.mark.parametrize(("quota", "count"), [("250000\n", 3), ("-1\n", 8)])
def test_version_1_of_control_groups(tmp_path: Path, path: str, quota: str, count: int) -> None:
    root = place(tmp_path, f"5:cpuset:/\n2:cpu,cpuacct:{path}\n0::/\n")
    group = root / "sys" / "fs" / "cgroup" / "cpu"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text(quota)
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert processor_count(root) == count


def test_without_control_groups_it_is_that_of_the_machine(tmp_path: Path) -> None:
    assert processor_count(tmp_path) == 8
    assert 1 <= processor_count() <= 8
