"""The examples of hooks in the documentation, with a real virus scanner and real clients."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftpservice.events import TransferEnded, UploadRefused
from tests.scenarios.service.test_gates import Gated
from tests.support.clamd import EICAR, PROGRAM, Clamd
from tests.support.client_programs import NOT_INSTALLED
from tests.support.raw_client import in_thread, starting
from tests.support.service_process import PATIENCE, Program

__all__ = ["starting"]

EXAMPLES = Path(__file__).parents[3] / "docs/examples/hooks"


def hook(name, example, *words, gate=False, more=""):
    command = json.dumps([sys.executable, str(EXAMPLES / example), *map(str, words)])
    lines = [f'name = "{name}"', 'on = ["upload"]', f"command = {command}", more]
    return "\n".join(["[[hook]]", f"gate = {str(gate).lower()}", *lines, ""])


@pytest.fixture
def served_with(server, tmp_path):
    return lambda hooks, *options: Gated(server, tmp_path, hooks, *options)


@pytest.mark.skipif(not Path(PROGRAM).exists(), reason=f"clamd {NOT_INSTALLED}")
@in_thread
def test_clamav_finds_a_virus_in_an_upload(served_with, tmp_path) -> None:
    with Clamd(tmp_path / "clamd") as clamd:
        service = served_with(hook("clamav", "clamd_gate.py", f"127.0.0.1:{clamd.port}", gate=True))
        wire = service.served.session()
        refused = wire.upload("STOR virus", EICAR)
        assert (refused.code, refused.text) == (550, "The file has a virus: Eicar-Test.UNOFFICIAL.")
        assert wire.upload("STOR large", os.urandom(1 << 20) + EICAR).code == 550
        assert wire.upload("STOR clean", b"clean").code == 226
        assert service.files() == {"clean": b"clean"}
        assert [event.refused_by for event in service.of(UploadRefused)] == ["clamav"] * 2
    assert wire.upload("STOR unchecked", b"clean").code == 550  # without clamd
    assert service.files() == {"clean": b"clean"}


@in_thread
def test_the_example_of_csv_files(served_with) -> None:
    gate = hook("csv", "csv_gate.py", "day", "amount", gate=True, more='paths = ["*.csv"]')
    service = served_with(gate)
    wire = service.served.session()
    for content, text in (
        (b"day,amount\n1,2\n3\n", "Line 3 has 1 columns instead of 2."),
        (b"amount,day\n", "The first line is not day,amount."),
        (b"", "The first line is not day,amount."),
        (b"day,amount\n\xff,1\n", "Not a CSV file in UTF-8: 'utf-8' codec can't decode"),
    ):
        answer = wire.upload("STOR a.csv", content)
        assert answer.code == 550
        assert answer.text.startswith(text)
    assert wire.upload("STOR a.csv", b"day,amount\r\n1,2\r\n").code == 226
    assert wire.upload("STOR a.txt", b"anything").code == 226
    assert service.files().keys() == {"a.csv", "a.txt"}


@in_thread
def test_the_example_that_moves_uploads(served_with, tmp_path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    service = served_with(hook("move", "move_after_upload.py", done))
    wire = service.served.session()
    for content in (b"one", b"two"):
        assert wire.upload("STOR a", content).code == 226
        service.served.wait_for(lambda: not service.files())
    assert sorted(path.read_bytes() for path in done.iterdir()) == [b"one", b"two"]
    assert (done / "a").read_bytes() == b"one"


@in_thread
def test_the_example_of_a_receiver_gets_each_event_once(served_with, tmp_path) -> None:
    key = tmp_path / "key"
    key.write_text("a key of many letters\n")
    with Program(
        [sys.executable, EXAMPLES / "webhook_receiver.py", "0", key], tmp_path
    ) as receiver:
        port = receiver.line(r"listening on port (\d+)")[1]
        table = f"""[[hook]]
name = "tell"
on = ["upload", "delete"]
webhook = "http://127.0.0.1:{port}/hook"
secret-file = "{key}"
"""
        service = served_with(table, "--data-dir", str(tmp_path / "data"))
        wire = service.served.session()
        assert wire.upload("STOR a", b"x").code == 226
        assert wire.code("DELE a") == 250
        receiver.line("delete /a")
        assert [line for line in receiver.lines if "/a" in line] == ["upload /a", "delete /a"]
    assert len(service.of(TransferEnded)) == 1


def test_the_receiver_refuses_a_wrong_signature(tmp_path) -> None:
    code = (
        "from webhook_receiver import is_signed\n"
        "headers = {'webhook-id': 'a', 'webhook-timestamp': '100', 'webhook-signature': 'v1,x'}\n"
        "assert not is_signed(headers, b'{}', b'key', 100)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=EXAMPLES,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
