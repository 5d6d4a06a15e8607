"""SIGHUP and ``--check`` with a process."""

from __future__ import annotations

import ftplib
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.service_process import PATIENCE, Program, checkout_environment

FTPSERVICE = str(Path(sys.executable).parent / "ftpservice")
TWISTD = str(Path(sys.executable).parent / "twistd")
SETTINGS = """
listen = ["tcp:0:interface=127.0.0.1"]
auth = ["memory:ann:secret"]
root = "memory:"
"""


def greeting(port: int) -> str:
    with ftplib.FTP() as client:
        return client.connect("127.0.0.1", port, timeout=PATIENCE)


def test_sighup_reloads_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "ftp.toml"
    settings.write_text(SETTINGS)
    with Program([FTPSERVICE, "serve", "--allow-root", "--config=ftp.toml"], tmp_path) as running:
        port = running.port()
        assert greeting(port) == "220 ftpservice ready"
        settings.write_text(SETTINGS + 'welcome = "Changed"\ndurable = true\n')
        running.process.send_signal(signal.SIGHUP)
        running.line("settings read again, applied: welcome$")
        running.line("a restart is needed for: durable$")
        assert greeting(port) == "220 Changed"
        settings.write_text("welcome = ")
        running.process.send_signal(signal.SIGHUP)
        running.line(
            "settings not read again: --config ftp.toml, not TOML: .*; the previous ones stay in "
            "force"
        )
        assert greeting(port) == "220 Changed"
        assert running.stopped(signal.SIGTERM) == 0


def test_check_option(tmp_path: Path) -> None:
    settings = tmp_path / "ftp.toml"
    for command in ([FTPSERVICE, "serve", "--allow-root"], [TWISTD, "ftpservice", "--allow-root"]):
        for text, status in ((SETTINGS, 0), (SETTINGS + "bogus = 1\n", 1)):
            settings.write_text(text)
            ended = subprocess.run(
                [*command, "--check", "--config=ftp.toml"],
                cwd=tmp_path,
                env=checkout_environment(),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            assert ended.returncode == status, ended
            assert len((ended.stdout + ended.stderr).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ftp.toml"]
