"""The command ``ftpservice user second-factor``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyotp
from click.testing import CliRunner, Result

from ftpservice.accounts.second_factors.factor_changes import FactorKind, without_used_code
from ftpservice.accounts.second_factors.factor_file import FactorFile
from ftpservice.admin.cli import ftpservice


def run(*words: str) -> Result:
    return CliRunner().invoke(ftpservice, ["user", "second-factor", *words])


def test_an_app_is_added_and_its_codes_are_right(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    added = json.loads(run("add", "ann", "--json", place).output)
    assert pyotp.parse_uri(added["uri"]).secret == added["secret"]
    code, file = pyotp.TOTP(added["secret"]).now(), FactorFile(tmp_path / "second-factors.json")
    assert file.change("ann", without_used_code(code, time.time())) is FactorKind.CODE
    assert run("add", "ann", place).exit_code == 1
    shown = run("show", "ann", place).output
    assert "app for one-time codes, since 20" in shown
    assert "recovery codes: 10 left" in shown
    renewed = json.loads(run("recovery-codes", "ann", "--json", place).output)["recovery"]
    assert not set(renewed) & set(added["recovery"])
    for output in (run("show", "ann", "--json", place).output, run("list", place).output):
        assert "ann" in output
        assert added["secret"] not in output


def test_the_text_has_a_qr_code_the_secret_and_the_recovery_codes(tmp_path: Path) -> None:
    lines = run("add", "ann", f"--data-dir={tmp_path}").output.splitlines()
    assert "▀" in "".join(lines)
    assert sum(line.startswith("secret: ") for line in lines) == 1
    assert "recovery codes, each for one login:" in lines
    assert len(lines[-1]) == 19


def test_factors_are_removed_and_renamed(tmp_path: Path) -> None:
    place = f"--data-dir={tmp_path}"
    assert run("remove", "ann", place).exit_code == 1
    assert run("recovery-codes", "ann", place).exit_code == 1
    assert run("show", "ann", place).output == "account 'ann' has no second factor\n"
    run("add", "ann", place)
    assert run("rename", "ann", "anna", place).exit_code == 0
    assert [one["user"] for one in json.loads(run("list", "--json", place).output)] == ["anna"]
    assert run("remove", "anna", place).output == ("account 'anna' has no second factor any more\n")
    missing = run("list", f"--data-dir={tmp_path / 'missing'}")
    assert missing.exit_code == 1
    assert len(missing.output.splitlines()) == 1
