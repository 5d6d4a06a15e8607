"""``--check`` tells whether the service would start, and leaves everything as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet import reactor

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.net.tls.self_signed import self_signed_certificate
from ftpservice.service.tap import Options
from tests.accounts.doubles import SECRET

ALICE = "--auth=memory:alice:secret"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(*words: str) -> str | int | None:
    """Return how the process would end."""
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--check", "--allow-root", *words])
    return ended.value.code


def test_what_is_good_ends_well_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(ALICE, "--listen=tcp:2121", "--log-file=x.log") == 0
    assert capsys.readouterr() == ("ftpservice: the settings are valid\n", "")
    assert os.listdir(tmp_path) == []


def test_nothing_of_the_storage_is_left_running(tmp_path: Path) -> None:
    before = reactor.getDelayedCalls()
    assert checked(ALICE, "--listen=tcp:2121", "--root=.") == 0
    assert reactor.getDelayedCalls() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bogus",), "option --bogus not recognized"),
        (("--listen=nonsense:1",), "--listen nonsense:1 is not an endpoint"),
        (("--root=none",), "no such directory"),
        (("--root=bogus:x",), "--root: "),
        (("--certificate=none.pem",), "none.pem cannot be read"),
        (("--client-ca=file",), "file has no certificates in PEM"),
        (("--data-dir=file",), "it is not a directory"),
        (("--log-file=none/x.log",), "its directory is missing"),
        (("--log-file=.",), "it is a directory"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "file").write_text("")
    code = checked(ALICE, *words)
    assert isinstance(code, str)
    assert code.startswith("ftpservice: ")
    assert message in code
    assert os.listdir(tmp_path) == ["file"]


def test_a_shipped_password_beyond_this_machine_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "passwd.db").write_text(f"demo:{SHIPPED_HASH}:/:full\n")
    for place in ("tcp:2121", "tcp6:2121"):
        code = checked(f"--listen={place}")
        assert isinstance(code, str)
        assert "the password of 'demo' in " in code
    assert checked("--listen=tcp:2121:interface=127.0.0.1") == 0


def test_certificates_that_are_there_are_good(tmp_path: Path) -> None:
    assert checked(ALICE, f"--certificate={self_signed_certificate(tmp_path)}") == 0


def test_a_key_that_everybody_can_read_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = self_signed_certificate(tmp_path)
    path.chmod(0o644)
    assert checked(ALICE, f"--certificate={path}") == 0
    [line] = capsys.readouterr().err.splitlines()
    assert "every user of this machine can read the private key" in line


def test_lines_that_close_an_account_only_are_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "passwd.db").write_text(f"ann:{SECRET}:/:full\nbob:{SECRET}:/:raed\n")
    assert checked() == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ftpservice: warning: {tmp_path}/passwd.db, line 2: ")
