"""The example with its own portal, realm and checker runs."""

from __future__ import annotations

import ftplib
import io
import sys
from pathlib import Path

from tests.support.service_process import CHECKOUT, Program

EXAMPLE = CHECKOUT / "docs" / "examples" / "embed.tac"


def test_the_embedding_example_runs(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if line and "import" not in line][1:]
    assert len(code) <= 10
    program = tmp_path / "embed.tac"
    program.write_text(text.replace("tcp:2121:", "tcp:0:"), encoding="utf-8")
    twistd = Path(sys.executable).parent / "twistd"
    with Program([twistd, "--pidfile=", "-ny", program], tmp_path) as running:
        port = int(running.line(r"FTPFactory starting on (\d+)")[1])
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=20)
            client.login("alice", "secret")
            client.storbinary("STOR greeting", io.BytesIO(b"hello"))
            parts: list[bytes] = []
            client.retrbinary("RETR greeting", parts.append)
            assert b"".join(parts) == b"hello"
        running.process.terminate()
        running.ended()
    assert "Traceback" not in running.output
    assert " object at 0x" not in running.output
