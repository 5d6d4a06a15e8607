"""Other people's clients: which are here, and how they are run beside the reactor."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["CHECKOUT", "CLIENTS", "PATIENCE", "SCRIPTS", "Outcome", "ipv6", "needs", "needs_file", "run"]

PATIENCE = 60.0
"""Seconds after which a client is killed."""
SCRIPTS = Path(__file__).parent / "clients"
CHECKOUT = Path(__file__).parent.parent.parent
CLIENTS = CHECKOUT / ".venv-clients"
"""Where ``install-clients`` puts what does not come from Debian."""
HOW = "run tests/interop/install-clients"

ipv6 = pytest.mark.skipif(
    not Path("/proc/net/if_inet6").exists() or " lo" not in Path("/proc/net/if_inet6").read_text(),
    reason="IPv6: this machine has no ::1",
)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip, by name, where a program is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    names = ", ".join(missing)
    return pytest.mark.skipif(bool(missing), reason=f"{names}: not installed; {HOW}")


def needs_file(client: str, path: Path) -> pytest.MarkDecorator:
    """Skip, by the client's name, where a file of it is not there."""
    return pytest.mark.skipif(not path.exists(), reason=f"{client}: not installed; {HOW}")


@dataclass(frozen=True)
class Outcome:
    """What a client left behind."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def run(
    command: Sequence[str | Path],
    directory: Path,
    *,
    told: str = "",
    environment: Mapping[str, str] | None = None,
    status: int | None = 0,
) -> Outcome:
    """Run a client in ``directory``, in a world of its own, until it ends.

    ``told`` is its standard input. It must end with ``status``, unless that is ``None``.
    """
    home = directory / ".home"
    home.mkdir(exist_ok=True)
    try:
        ended = subprocess.run(
            [str(word) for word in command],
            cwd=directory,
            env=_world(home) | dict(environment or {}),
            input=told.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{command[0]} does not end: {error.stdout!r} {error.stderr!r}")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    texts = [text.decode("utf-8", "surrogateescape") for text in (ended.stdout, ended.stderr)]
    outcome = Outcome(ended.returncode, *texts)
    assert status is None or outcome.status == status, outcome
    return outcome


def _world(home: Path) -> dict[str, str]:
    """Return an environment without proxies, habits and languages."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "USER": "tester",
        "LOGNAME": "tester",
    }
