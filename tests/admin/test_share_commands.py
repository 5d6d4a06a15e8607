"""The command ``ftpservice share``."""

from __future__ import annotations

import json
import time
from pathlib import Path

from click.testing import CliRunner, Result

from ftpservice.admin.cli import ftpservice
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile


def run(place: Path, *words: str) -> Result:
    return CliRunner().invoke(ftpservice, ["share", *words, f"--data-dir={place}"])


def test_links_are_listed_and_removed(tmp_path: Path) -> None:
    file = ShareFile(tmp_path / SHARE_FILE, time.time)
    secret, first = file.add("ann", "/a\n\u202e", 60, "a hash")
    made = [file.add(user, "/b", 60)[1] for user in ("ann", "bob", "bob")]
    listed = run(tmp_path, "list").output
    assert secret not in listed
    assert "\u202e" not in listed
    assert len(listed.splitlines()) == 5
    shown = json.loads(run(tmp_path, "list", "ann", "--json").output)
    assert [(one["id"], one["password"]) for one in shown] == [
        (first.id, True),
        (made[0].id, False),
    ]
    assert run(tmp_path, "remove", first.id).output == f"share link {first.id} removed\n"
    assert run(tmp_path, "remove", first.id).exit_code == 1
    removed = json.loads(run(tmp_path, "remove", "--user", "bob", "--json").output)
    assert removed == {"removed": [made[1].id, made[2].id]}
    assert [one.id for one in file.read().values()] == [made[0].id]
    assert run(tmp_path, "remove", "--user", "bob").exit_code == 1


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "remove").exit_code == 2
    assert run(tmp_path, "remove", "x", "--user", "ann").exit_code == 2
    assert run(tmp_path / "missing", "list").exit_code == 1
    (tmp_path / SHARE_FILE).write_text("no")
    assert "is not a file of share links" in run(tmp_path, "list").output
