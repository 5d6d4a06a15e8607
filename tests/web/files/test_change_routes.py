"""Directories are made; files and directories are renamed and deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftpservice.events import CommandRefused, FileChanged
from ftpservice.storage.errors import Denied
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.wire.paths import VirtualPath
from tests.support.page_in_memory import PageInMemory
from tests.support.web_client import Answer


def names(page: PageInMemory, path: str = "/") -> list[str]:
    return sorted(entry["name"] for entry in page.get("list", path=path).json["entries"])


def changes(page: PageInMemory) -> list[tuple[str, str, str]]:
    return [(one.action, one.path, one.target) for one in page.of_kind(FileChanged)]


def last_line(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body.splitlines()[-1])
    return found


def test_a_directory_is_made_once(page: PageInMemory) -> None:
    assert page.post("directory", path="/d").status == 200
    assert names(page) == ["d"]
    assert page.post("directory", path="/d").status == 409
    assert page.post("directory", path="/x/y").status == 404
    assert changes(page) == [("mkdir", "/d", "")]
    assert [one.code for one in page.of_kind(CommandRefused)] == [409, 404]


def test_a_file_is_renamed_and_replaces_another_one_only_if_asked(page: PageInMemory) -> None:
    page.write("/a", b"1")
    page.write("/b", b"2")
    refused = page.post("rename", path="/a", to="/b")
    assert (refused.status, refused.json["reason"]) == (409, "exists")
    assert page.get("content", path="/b").body == b"2"
    assert page.post("rename", path="/a", to="/b", replace=True).status == 200
    assert page.get("content", path="/b").body == b"1"
    assert names(page) == ["b"]
    assert changes(page) == [("rename", "/a", "/b")]


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"path": "/", "to": "/x"}, 400),
        ({"path": "/d", "to": "/"}, 400),
        ({"path": "/d", "to": "/d/e"}, 400),
        ({"path": "/d", "to": "x"}, 400),
        ({"path": "/d", "to": "/a\nb"}, 400),
        ({"path": "/none", "to": "/x"}, 404),
        ({"path": "/d"}, 400),
        ({"path": 1, "to": "/x"}, 400),
    ],
)
def test_a_rename_that_cannot_be_is_a_problem(
    page: PageInMemory, members: dict[str, Any], status: int
) -> None:
    page.write("/d/a")
    assert page.post("rename", **members).status == status
    assert names(page) == ["d"]


def test_a_file_and_an_empty_directory_are_deleted(page: PageInMemory) -> None:
    page.write("/d/a")
    assert page.post("delete", path="/d").json["reason"] == "not-empty"
    expected = {"deleted": 1, "failed": 0, "is_complete": True}
    assert last_line(page.post("delete", path="/d/a")) == expected
    assert last_line(page.post("delete", path="/d")) == expected
    assert page.post("delete", path="/d").status == 404
    assert page.post("delete", path="/").status == 400
    assert changes(page) == [("delete", "/d/a", ""), ("rmdir", "/d", "")]


def test_a_tree_is_deleted_with_an_event_for_each_name(page: PageInMemory) -> None:
    for path in ("/d/a", "/d/e/b", "/d/e/f/c", "/keep"):
        page.write(path)
    assert last_line(page.post("delete", path="/d", recursive=True))["deleted"] == 6
    assert names(page) == ["keep"]
    assert sorted(path for action, path, _ in changes(page) if action == "rmdir") == [
        "/d",
        "/d/e",
        "/d/e/f",
    ]


def test_what_cannot_be_deleted_is_told_and_the_rest_is_gone(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/d/a", "/d/e/kept", "/d/e/b"):
        page.write(path)
    remove = page.realm.storage.remove_file

    async def refuse(path: VirtualPath) -> None:
        if path.name == "kept":
            raise Denied(path)
        await remove(path)

    monkeypatch.setattr(page.realm.storage, "remove_file", refuse)
    page.log_in()
    answer = page.post("delete", path="/d", recursive=True)
    *failures, last = (json.loads(line) for line in answer.body.splitlines())
    assert [one["path"] for one in failures] == ["/d/e/kept", "/d/e", "/d"]
    assert failures[0]["detail"] == "Permission denied."
    assert last == {"deleted": 2, "failed": 3, "is_complete": False}
    assert names(page, "/d/e") == ["kept"]
    assert [one.path for one in page.of_kind(CommandRefused)] == ["/d/e/kept", "/d/e", "/d"]


def test_rights_are_enforced(page: PageInMemory) -> None:
    page.write("/d/a")
    page.realm.rights["ann"] = PRESETS["read"]
    page.log_in()
    assert page.post("directory", path="/x").status == 403
    assert page.post("rename", path="/d/a", to="/b").status == 403
    assert page.post("delete", path="/d/a").status == 403
    page.realm.rights["ann"] = PRESETS["read"] | {Right.DELETE}
    page.log_in()
    assert last_line(page.post("delete", path="/d", recursive=True))["is_complete"] is False
    assert names(page) == ["d"]
    assert changes(page) == [("delete", "/d/a", "")]
