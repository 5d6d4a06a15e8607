"""Common client programs resume an interrupted upload."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.restartable_service import RestartableService, hidden, noise, visible

NEW = noise(3_000_000, 1)
CURL = ("curl", "-sS", "--user", "demo:demo")
PROGRAMS = {
    "curl -C -": (*CURL, "-C", "-", "-T", "source", "ftp://127.0.0.1:{port}/new"),
    "curl -C offset, PASV": (
        *CURL, "--disable-epsv", "-C", "{came}", "-T", "source", "ftp://127.0.0.1:{port}/new"
    ),
    "lftp put -c": (
        "lftp", "-c",
        "set ftp:ssl-allow no; open -u demo,demo -p {port} 127.0.0.1; put -c source -o new",
    ),
}  # fmt: skip


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RestartableService]:
    with RestartableService(tmp_path).open() as service:
        yield service


@pytest.mark.parametrize("came", [20_000, 2_000_000])
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_resume_interrupted_uploads(
    service: RestartableService, tmp_path: Path, program: str, came: int
) -> None:
    if shutil.which(PROGRAMS[program][0]) is None:
        pytest.skip(f"{program} is not installed")
    service.cut("STOR new", NEW[:came])
    (tmp_path / "source").write_bytes(NEW)
    words = [word.format(port=service.port, came=came) for word in PROGRAMS[program]]
    home = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, timeout=30, cwd=tmp_path, env=home)
    assert done.returncode == 0, done
    assert visible(service.root) == {"new": NEW}
    assert not hidden(service.root)
    wire = service.session()
    assert wire.ask("SIZE new").text == str(len(NEW))
