"""The command ``ftpservice`` without an account: versions, help, ``serve``."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice import __version__
from ftpservice.admin.cli import main


def ended(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


def test_serve_is_twistd_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("twisted.scripts.twistd.runApp", ran.append)
    assert ended("serve", "--auth=memory:a:b", "--listen=tcp:0", "-c", "/dev/null") == 0
    (program,) = ran
    assert program["nodaemon"]
    assert program["pidfile"] == ""
    assert program.subCommand == "ftpservice"
    assert program.subOptions.settings.listen == ("tcp:0",)


def test_it_prints_its_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out == f"ftpservice {__version__}\n"
    assert ended("--help") == 0
    shown = capsys.readouterr().out
    assert "serve" in shown
    assert "3  the account store or the running service" in shown


def test_the_help_of_serve_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("serve", "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: ftpservice serve [options]\n")
    assert "--listen" in shown


def test_an_unknown_command_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ftpservice", "sevre"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "Unknown command: 'sevre'. Did you mean 'serve'?" in capsys.readouterr().err
    assert ended("bogus") == 2
    assert "Unknown command: 'bogus'.\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("doctor", "--bogus"), "option --bogus not recognized"),
        (("serve", "--chek"), "option --chek not recognized"),
        (("config", "check", "--bogus"), "option --bogus not recognized"),
        (("config", "show", "--listen"), "option --listen requires argument"),
        (("config", "check", "bogus"), "unexpected argument 'bogus'"),
    ],
)
def test_a_wrong_option_of_serve_is_a_wrong_command_line(
    words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*words) == 2
    shown = capsys.readouterr().err
    assert reason in shown
    if words[0] != "serve":
        assert ended(*words, "--json") == 2
        assert '"kind": "UsageError"' in capsys.readouterr().err


def test_a_value_that_does_not_fit_is_no_wrong_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("config", "check", "--max-sessions", "many") == 1
    assert "--max-sessions" in capsys.readouterr().err
