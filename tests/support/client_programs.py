"""Clients written by others: where they are, and how one is run to its end beside the reactor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

__all__ = [
    "NODE_MODULES",
    "PATIENCE",
    "Ended",
    "ipv6",
    "java_library",
    "node_module",
    "program",
    "run",
]

PATIENCE = 60
"""Seconds after which a client is killed."""
NODE_MODULES = Path(__file__).parent.parent / "scenarios" / "node_modules"
"""Where ``install-clients`` puts npm's packages; scripts in this directory find them there."""
JARS = Path("/usr/share/java")
HOW = "is not installed: run tests/scenarios/install-clients"
ADDRESSES = Path("/proc/net/if_inet6")

Ended = subprocess.CompletedProcess[str]

ipv6 = pytest.mark.skipif(
    not ADDRESSES.exists() or " lo\n" not in ADDRESSES.read_text(),
    reason="IPv6 is not on: this machine has no ::1",
)


def program(name: str) -> str:
    """Return the path of a program, also one that came as a wheel, or skip the test."""
    ours = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([ours, os.environ.get("PATH", os.defpath)]))
    return found or pytest.skip(f"{name} {HOW}")


def java_library(name: str) -> Path:
    """Return the path of a Java library such as ``commons-net``, or skip the test."""
    path = JARS / f"{name}.jar"
    return path if path.exists() else pytest.skip(f"{name} {HOW}")


def node_module(name: str) -> Path:
    """Return the directory of a package of npm, or skip the test."""
    path = NODE_MODULES / name
    return path if (path / "package.json").exists() else pytest.skip(f"{name} {HOW}")


def run(
    argv: Sequence[str | Path],
    tmp_path: Path,
    *,
    cwd: Path | None = None,
    told: str = "",
    environment: Mapping[str, str] | None = None,
    status: int | None = 0,
) -> Ended:
    """Run a program until it ends, with a HOME of its own in ``tmp_path``, and return its output.

    ``told`` is its standard input. It fails unless the exit status is ``status``; any will do if
    that is ``None``. It blocks: for tests that are ``in_thread``.
    """
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    words = [str(word) for word in argv]
    try:
        ended = subprocess.run(
            words,
            cwd=cwd or tmp_path,
            env=_environment(home) | dict(environment or {}),
            input=told,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except subprocess.TimeoutExpired as error:
        said = f"{(error.stdout or b'')[-4000:]!r} {(error.stderr or b'')[-4000:]!r}"
        pytest.fail(f"{words[:20]} does not end; it said {said}", pytrace=False)
    if status is not None and ended.returncode != status:
        said = f"{ended.stdout[-8000:]}\n{ended.stderr[-8000:]}"
        pytest.fail(f"{words[:20]} ended with {ended.returncode}, not {status}:\n{said}")
    return ended


def _environment(home: Path) -> dict[str, str]:
    """Return an environment without proxies, habits of a user or another language."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
    }
