"""Errors and warnings of all commands, as text and as JSON."""

import json

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from ftpservice.admin.command_output import CommandGroup


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(ftpservice, words)
    return done.exit_code, done.stdout, done.stderr


def commands(group: CommandGroup = ftpservice, *before: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        if isinstance(command, CommandGroup):
            found += commands(command, *before, name)
        else:
            found.append((*before, name))
    return found


@pytest.mark.parametrize("words", [one for one in commands() if one != ("serve",)], ids=" ".join)
def test_a_wrong_command_line_is_an_object_with_json(words: tuple[str, ...]) -> None:
    status, shown, error = run(*words, "--bogus", "--json")
    assert shown == ""
    assert set(json.loads(error)["error"]) == {"kind", "message"}
    assert "bogus" in json.loads(error)["error"]["message"]
    assert status == 2


@pytest.mark.parametrize(
    ("words", "status", "kind"),
    [
        (("user", "shwo"), 2, "UsageError"),
        (("user", "show", "ann", "--store", "passwd:{}/none"), 3, "StoreUnavailable"),
        (("user", "show", "ann", "--config", "{}/none"), 2, "UsageError"),
        (("user", "import", "{}/none", "--store", "passwd:{}/x"), 1, "ImportFailed"),
        (("db", "show", "--store", "passwd:{}/x"), 2, "UsageError"),
        (("quota", "show", "ann", "--socket", "{}/none"), 3, "ServiceUnreachable"),
        (("certificate", "show", "--socket", "{}/none"), 3, "ServiceUnreachable"),
        (("retention", "run", "--socket", "{}/none"), 3, "ServiceUnreachable"),
        (("who", "--socket", "{}/none"), 3, "ServiceUnreachable"),
        (("config", "check", "--config", "{}/none"), 1, "CannotStart"),
        (("config", "show", "--config", "{}/none"), 1, "CannotStart"),
        (("doctor", "--config", "{}/none"), 1, "CannotStart"),
        (("doctor", "--from-outside", "host:ftp"), 2, "UsageError"),
    ],
)
def test_errors_have_one_form(words, status, kind, tmp_path) -> None:
    words = [word.replace("{}", str(tmp_path)) for word in words]
    found, shown, error = run(*words, "--json")
    assert (found, shown, error.count("\n")) == (status, "", 1)
    assert json.loads(error)["error"]["kind"] == kind
    found, shown, text = run(*words)
    assert (found, shown) == (status, "")
    assert text.splitlines()[-1] == f"ftpservice: {json.loads(error)['error']['message']}"


def test_json_may_stand_anywhere(tmp_path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'auth = "memory:ann:secret"\nroot = "{tmp_path}"\ndata-dir = "{tmp_path}"\n'
    )
    for words in (("--json", "--config", str(settings)), ("--config", str(settings), "--json")):
        status, shown, _ = run("config", "show", *words)
        assert (status, json.loads(shown)["root"]["value"]) == (0, str(tmp_path))
        status, shown, error = run("config", "check", *words, "--listen", "tcp:0", "--allow-root")
        assert (status, json.loads(shown)) == (0, {"valid": True}), error


def test_a_question_that_is_interrupted_is_an_error(monkeypatch) -> None:
    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ftpservice.admin.user_commands.check_name", interrupted)
    status, _, error = run("user", "add", "ann", "--json")
    assert (status, json.loads(error.strip())["error"]["kind"]) == (1, "Interrupted")
