"""Private JSON files, and what becomes of those that are copies."""

from __future__ import annotations

import json
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftpservice.state_files.private_json import (
    STAMP,
    DocumentUnavailable,
    LocalDocuments,
    PrivateJSON,
    UnknownDocuments,
)

COPY = {"a": 1, STAMP: {"origin": "o", "version": 3}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.json"


def test_a_change_replaces_the_file_for_its_owner_only(path: Path) -> None:
    file = PrivateJSON(path)
    with file.changing() as write:
        assert file.read() == {}
        write({"a": 1})
    assert file.read() == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_change_of_this_machine_alone_makes_a_copy_a_file_of_its_own(path: Path) -> None:
    path.write_text(json.dumps(COPY))
    file = PrivateJSON(path, LocalDocuments())
    with file.changing() as write:
        write({"a": 2})
    assert file.content() == {"a": 2}


def test_a_copy_is_not_changed_without_settings_but_another_file_is(path: Path) -> None:
    file = PrivateJSON(path, UnknownDocuments())
    with file.changing() as write:
        write({"a": 1})
    path.write_text(json.dumps(COPY))
    with pytest.raises(DocumentUnavailable) as refused, file.changing():
        pytest.fail("it was changed")
    assert "--config" in str(refused.value.strerror)
    assert file.read() == COPY


def test_a_damaged_file_is_found_by_the_change_of_it(path: Path) -> None:
    path.write_text("[")
    file = PrivateJSON(path, UnknownDocuments())
    with pytest.raises(ValueError, match="Expecting"), file.changing():
        file.read()


def test_what_fails_before_the_new_file_is_in_its_place_leaves_the_old_one(path: Path) -> None:
    class Failing(LocalDocuments):
        @contextmanager
        def changing(self, file):
            def fail() -> None:
                raise DocumentUnavailable("the database is away")

            yield lambda content: file.replace(content, before=fail)

    PrivateJSON(path).replace({"a": 1})
    file = PrivateJSON(path, Failing())
    with pytest.raises(DocumentUnavailable), file.changing() as write:
        write({"a": 2})
    assert file.read() == {"a": 1}
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".new"] == []
