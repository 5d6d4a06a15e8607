"""Changes of accounts, second factors and share links while the disk of the service is full."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.accounts.second_factors.factor_changes import with_code_secret
from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
from ftpservice.admin.cli import ftpservice
from tests.support.command_service import SECRET, CommandService
from tests.support.failing_disk import mounted
from tests.support.tus_client import BrowserClient

STRONG = "correct horse battery staple 9"


def fill(place: Path) -> Path:
    """Fill the file system of a directory; return the file that does."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            with pytest.raises(OSError, match="No space"):
                write_on(file, size)
    return filler


def write_on(file: io.RawIOBase, size: int) -> None:
    """Write pieces of a size until it fails."""
    while True:
        file.write(bytes(size))


def test_what_cannot_be_written_is_507_and_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    with mounted(place, 4 << 20) as is_mounted:
        if not is_mounted:
            pytest.skip("needs the right to mount")
        service = CommandService(place)
        service.add("--rights", "full,admin")
        service.command("add", "bob", "--root", "/bob", "--password-stdin", "--force")
        service.files.mkdir(parents=True)
        (service.files / "a").write_text("shared")
        factors = FactorFile(place / "var" / FACTOR_FILE)
        factors.change("bob", with_code_secret("JBSWY3DPEHPK3PXP", 0.0))
        words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--journal=none"]
        with service.serve(*words, "--data-dir=var") as program:
            port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
            ann = BrowserClient(port, "ann", SECRET)

            def ask(method: str, below: str, **members: object) -> tuple[int, dict[str, object]]:
                body = json.dumps(members).encode() if members else b""
                kind = {"Content-Type": "application/json"}
                reply = ann.ask(method, f"/api/v1{below}", body, kind)
                return reply.status, json.loads(reply.body)

            status, share = ask("POST", "/shares", path="/a", expires=3600)
            assert status == 200
            filler = fill(place)
            requests = [
                ("POST", "/shares", {"path": "/a", "expires": 3600}),
                ("DELETE", f"/shares/{share['id']}", {}),
                ("DELETE", "/second-factors/bob", {}),
                ("POST", "/accounts", {"name": "eve", "password": STRONG}),
                ("PATCH", "/accounts/bob", {"max_sessions": "3"}),
                ("POST", "/accounts/bob/lock", {}),
                ("POST", "/accounts/bob/password", {"password": STRONG}),
                ("POST", "/groups", {"name": "staff"}),
                ("DELETE", "/accounts/bob", {}),
            ]
            for method, path, members in requests:
                status, problem = ask(method, path, **members)
                assert (status, problem["reason"]) == (507, "no-space"), (path, problem)
                assert "No space left" in str(problem["detail"]) or "full" in str(problem["detail"])
            filler.unlink()
            assert factors.find("bob").is_on
            assert [ask(method, path, **members)[0] for method, path, members in requests] == (
                [200] * len(requests)
            )
            assert program.stopped() == 0


def test_a_command_on_a_full_disk_says_so(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    with mounted(place, 1 << 20) as is_mounted:
        if not is_mounted:
            pytest.skip("needs the right to mount")
        words = ["token", "add", "x", "--scope", "read", "--data-dir", str(place)]
        assert CliRunner().invoke(ftpservice, words).exit_code == 0
        fill(place)
        words[2] = "y"
        done = CliRunner().invoke(ftpservice, words)
        assert (done.exit_code, "No space left" in done.output) == (1, True)
