"""The logs for other programs, written by a service with real sessions."""

import ftplib
import json
import os
import signal
import sys
from pathlib import Path

from tests.support.service_process import PATIENCE, Program

SERVE = [sys.executable, "-c", "from ftpservice.admin.cli import main; main()", "serve"]
OPTIONS = (
    *("--allow-root", "--listen=tcp:0:interface=127.0.0.1", "--auth=memory:ann:secret"),
    *("--root=files", "--log-format=json", "--xferlog=xferlog"),
)
HOSTILE = 'a "b\x1b\x7f é'


def test_the_output_is_json_and_the_xferlog_has_the_transfers(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with Program([*SERVE, *OPTIONS], tmp_path) as running:
        with ftplib.FTP(encoding="utf-8") as client:
            client.connect("127.0.0.1", running.port(), timeout=PATIENCE)
            client.login("ann", "secret")
            with open(os.devnull, "rb") as empty:
                client.storbinary(f"STOR {HOSTILE}", empty)
            running.line("transfer_ended")
            client.retrbinary(f"RETR {HOSTILE}", lambda _data: None)
            client.delete(HOSTILE)
            client.quit()
        running.process.send_signal(signal.SIGHUP)
        assert running.stopped(signal.SIGTERM) == 0
    objects = [json.loads(line) for line in running.lines]
    assert all({"time", "level", "event", "message"} <= one.keys() for one in objects)
    kinds = [one["event"] for one in objects if one["event"] != "log"]
    assert kinds == [
        "logged_in",
        "transfer_ended",
        "transfer_ended",
        "file_changed",
        "session_closed",
    ]
    upload = next(one for one in objects if one["event"] == "transfer_ended")
    assert upload["path"] == f"/{HOSTILE}"
    assert upload["file"] == f"{tmp_path}/files/{HOSTILE}"
    assert upload["transfer"] == f"{upload['session']}-1"
    ended = objects[[one["event"] for one in objects].index("session_closed")]
    assert (ended["user"], ended["files_up"], ended["files_down"]) == ("ann", 1, 1)
    assert ended["session"] == upload["session"]
    assert any("is serving" in one["message"] for one in objects)
    lines = (tmp_path / "xferlog").read_text().splitlines()
    assert [" ".join(line.split()[8:13]) for line in lines] == [
        f'{tmp_path}/files/a_"b___é b _ {direction} r' for direction in "iod"
    ]
