"""The command ``ftpservice token``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from ftpservice.admin.cli import ftpservice


def run(*words: str) -> Result:
    return CliRunner().invoke(ftpservice, ["token", *words])


def test_tokens_are_added_listed_and_removed(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    added = json.loads(run("add", "a", "--scope=read", "--json", place).output)
    assert added["token"].startswith("fts_")
    assert run("add", "b", "--scope=read", "--scope=steer", "--expires=never", place).exit_code == 0
    listed = run("list", place).output
    assert "never" in listed
    assert added["token"] not in listed
    shown = json.loads(run("list", "--json", place).output)
    assert {one["name"]: one["scopes"] for one in shown} == {"a": ["read"], "b": ["read", "steer"]}
    assert run("remove", "a", place).output == "token 'a' removed\n"
    assert run("remove", "a", place).exit_code == 1


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    assert run("add", "a", place).exit_code == 2
    assert run("add", "a", "--scope=root", place).exit_code == 2
    assert run("add", "a", "--scope=read", "--expires=x", place).exit_code == 2
    refused = run("add", "a", "--scope=read", "--expires=5", place)
    assert (refused.exit_code, "'5' has no unit" in refused.output) == (2, True)
    missing = run("list", f"--data-dir={tmp_path / 'missing'}")
    assert missing.exit_code == 1
    assert len(missing.output.splitlines()) == 1


def test_the_settings_name_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    settings = tmp_path / "ftpservice.toml"
    settings.write_text(f'data-dir = "{tmp_path / "data"}"\n')
    assert run("add", "a", "--scope=read", f"--config={settings}").exit_code == 0
    assert (tmp_path / "data/api-tokens.json").exists()
