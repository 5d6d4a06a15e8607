"""A process is killed at each system call that deletes, overwrites or restores a file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "tests.support.killed_trash")


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each killed process has left."""
    done = subprocess.run(
        [*COMMAND, str(tmp_path_factory.mktemp("trash"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(states: list[dict[str, Any]], *changes: str) -> list[dict[str, Any]]:
    found = [state for state in states if state["change"] in changes]
    assert Counter(state["killed"] for state in found)[True] >= 4
    return found


def test_a_deleted_file_is_in_its_place_or_in_the_trash(states: list[dict[str, Any]]) -> None:
    for state in of(states, "delete"):
        kept = state["seen"].get("in/file"), state["kept"]
        assert kept in (("old", []), (None, ["old"])), state
    assert not state["killed"]
    assert state["kept"] == ["old"]


def test_a_file_that_is_overwritten_always_has_a_name(states: list[dict[str, Any]]) -> None:
    """It is in its place, in the trash, or in both; its name never means nothing."""
    for state in of(states, "upload", "rename"):
        kept = state["seen"]["in/file"], state["kept"]
        assert kept in (("old", []), ("old", ["old"]), ("new", ["old"])), state
    assert kept == ("new", ["old"])


def test_a_file_that_stays_in_its_place_is_copied_first(states: list[dict[str, Any]]) -> None:
    for state in of(states, "in place"):
        assert state["seen"]["in/file"] == "old" or state["kept"] == ["old"], state
    assert (state["seen"]["in/other"], state["kept"]) == ("new", ["old"])


def test_a_restored_file_is_in_the_trash_or_in_its_place(states: list[dict[str, Any]]) -> None:
    for state in of(states, "restore"):
        kept = state["seen"].get("in/file"), state["kept"]
        assert kept in (("old", []), (None, ["old"])), state
    assert not state["killed"]


def test_a_file_that_is_restored_over_another_one_loses_neither(
    states: list[dict[str, Any]],
) -> None:
    for state in of(states, "restore over"):
        kept = [state["seen"]["in/file"], *state["kept"]]
        assert {"old", "newer"} <= set(kept), state
    assert kept == ["old", "newer"]
