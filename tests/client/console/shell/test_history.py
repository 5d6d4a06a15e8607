from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ftpservice_client.console.shell.history import MAX_HISTORY_LINES, HistoryFile, history_path


def test_the_history_is_private_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    history = HistoryFile(path)
    assert history.load() == []
    for line in ("ls", "  ", "!", "open ftp://a:b@c/", "get \udcff"):
        history.add(line)
    assert history.load() == ["ls", "open ftp://a@c/", "get \\udcff"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_permissions_of_an_existing_file_are_restricted(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.touch(0o644)
    HistoryFile(path).add("ls")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_history_is_shortened(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"{number}\n" for number in range(2 * MAX_HISTORY_LINES + 1)))
    history = HistoryFile(path)
    assert history.load()[-1] == str(2 * MAX_HISTORY_LINES)
    assert len(path.read_text().splitlines()) == MAX_HISTORY_LINES
    assert [each.name for each in tmp_path.iterdir()] == ["history"]


def test_errors_of_the_history_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    history = HistoryFile(tmp_path / "file" / "history")
    history.add("ls")
    assert history.load() == []


def test_a_history_that_cannot_be_shortened_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history"
    path.write_text("x\n" * (2 * MAX_HISTORY_LINES + 1))

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    assert len(HistoryFile(path).load()) == MAX_HISTORY_LINES
    assert [each.name for each in tmp_path.iterdir()] == ["history"]


def test_the_history_is_in_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert history_path({}) == Path("/home/ann/.local/state/ftpservice/history")
    assert history_path({"XDG_STATE_HOME": "/s"}) == Path("/s/ftpservice/history")
    assert history_path({"XDG_STATE_HOME": "rel"}) == Path(
        "/home/ann/.local/state/ftpservice/history"
    )
