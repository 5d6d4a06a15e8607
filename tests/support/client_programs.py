"""Third-party clients: where they are installed, and how a test runs one."""

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
    "CompletedProgram",
    "ipv6",
    "java_library",
    "node_module",
    "program",
    "run",
]

PATIENCE = 60
"""Timeout of a client in seconds."""
NODE_MODULES = Path(__file__).parent.parent / "scenarios" / "node_modules"
"""The packages of npm that ``install-clients`` installs; scripts in the same folder find them."""
JARS = Path("/usr/share/java")
NOT_INSTALLED = "is not installed: run tests/scenarios/install-clients"
ADDRESSES = Path("/proc/net/if_inet6")

CompletedProgram = subprocess.CompletedProcess[str]

ipv6 = pytest.mark.skipif(
    not ADDRESSES.exists() or " lo\n" not in ADDRESSES.read_text(),
    reason="IPv6 is not on: this machine has no ::1",
)


def program(name: str) -> str:
    """Return the path of a program (from a wheel or the system), or skip the test."""
    own = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([own, os.environ.get("PATH", os.defpath)]))
    return found or pytest.skip(f"{name} {NOT_INSTALLED}")


def java_library(name: str) -> Path:
    """Return the path of a Java library such as ``commons-net``, or skip the test."""
    path = JARS / f"{name}.jar"
    return path if path.exists() else pytest.skip(f"{name} {NOT_INSTALLED}")


def node_module(name: str) -> Path:
    """Return the directory of a package of npm, or skip the test."""
    path = NODE_MODULES / name
    return path if (path / "package.json").exists() else pytest.skip(f"{name} {NOT_INSTALLED}")


def run(
    argv: Sequence[str | Path],
    tmp_path: Path,
    *,
    cwd: Path | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    status: int | None = 0,
) -> CompletedProgram:
    """Run a program with its own HOME in ``tmp_path`` until it exits; return its output.

    ``stdin`` is its standard input. Fails unless the exit status is ``status`` (``None`` for any).
    Blocks: for tests that are ``in_thread``.
    """
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    words = [str(word) for word in argv]
    try:
        ended = subprocess.run(
            words,
            cwd=cwd or tmp_path,
            env=_environment(home) | dict(environment or {}),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except subprocess.TimeoutExpired as error:
        output = f"{(error.stdout or b'')[-4000:]!r} {(error.stderr or b'')[-4000:]!r}"
        pytest.fail(f"{words[:20]} does not exit; its output: {output}", pytrace=False)
    if status is not None and ended.returncode != status:
        output = f"{ended.stdout[-8000:]}\n{ended.stderr[-8000:]}"
        pytest.fail(f"{words[:20]} ended with {ended.returncode}, not {status}:\n{output}")
    return ended


def _environment(home: Path) -> dict[str, str]:
    """Return an environment without proxies, user configuration or another language."""
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
