"""What was deleted and overwritten is listed and restored."""

from __future__ import annotations

import pytest

from ftpservice.events import CommandRefused, FileChanged
from ftpservice.storage.trash import TrashRule
from tests.support.page_in_memory import PageInMemory


@pytest.fixture
def kept(page: PageInMemory) -> PageInMemory:
    """A page whose account has a trash, with a deleted and an overwritten file."""
    page.realm.storage = page.realm.storage.with_trash(TrashRule(3600))
    page.log_in()
    page.write("/d/a", b"first")
    page.write("/d/a", b"second!")
    page.write("/b", b"b")
    page.post("delete", path="/d/a")
    page.post("delete", path="/b")
    page.events.clear()
    return page


def test_what_was_deleted_is_listed_the_latest_first(kept: PageInMemory) -> None:
    found = kept.get("trash").json
    assert (found["path"], found["keeps"], found["is_complete"]) == ("/", 3600, True)
    facts = [(one["path"], one["size"], one["overwritten"]) for one in found["files"]]
    assert facts == [("/b", 1, False), ("/d/a", 7, False), ("/d/a", 5, True)]
    assert {one["kind"] for one in found["files"]} == {"file"}
    assert [one["path"] for one in kept.get("trash", path="/d").json["files"]] == ["/d/a", "/d/a"]
    assert kept.get("trash", path="/none").json["files"] == []
    assert kept.get("trash", path="d").status == 400


def test_a_file_is_restored_with_its_directory_and_replaces_one_only_if_asked(
    kept: PageInMemory,
) -> None:
    kept.post("delete", path="/d")
    latest, first = kept.get("trash", path="/d/a").json["files"]
    done = kept.post("undelete", id=latest["id"])
    assert (done.status, done.json) == (200, {"path": "/d/a", "size": 7})
    refused = kept.post("undelete", id=first["id"], path="/d/a")
    assert (refused.status, refused.json["reason"]) == (409, "exists")
    assert kept.get("content", path="/d/a").body == b"second!"
    assert kept.post("undelete", id=first["id"], path="/d/a", replace=True).status == 200
    assert kept.get("content", path="/d/a").body == b"first"
    [again] = kept.get("trash", path="/d/a").json["files"]
    assert kept.post("undelete", id=again["id"], to="/new/copy").json["path"] == "/new/copy"
    assert kept.get("content", path="/new/copy").body == b"second!"
    told = [(one.path, one.target) for one in kept.of_kind(FileChanged) if one.action == "restore"]
    assert told == [("/d/a", "/d/a"), ("/d/a", "/d/a"), ("/d/a", "/new/copy")]


def test_what_cannot_be_restored_is_a_problem(kept: PageInMemory) -> None:
    [b] = kept.get("trash", path="/b").json["files"]
    for members, status in (
        ({"id": "0"}, 404),
        ({"id": b["id"], "path": "/d"}, 404),
        ({"id": b["id"], "to": "/"}, 409),
        ({"id": b["id"], "to": "/d", "replace": True}, 409),
        ({"id": b["id"], "to": "x"}, 400),
        ({"id": b["id"], "replace": "yes"}, 400),
        ({"path": "/b"}, 400),
    ):
        assert kept.post("undelete", **members).status == status, members
    assert [one.code for one in kept.of_kind(CommandRefused)] == [404, 404, 409, 409]
    kept.post("undelete", id=b["id"])
    assert kept.post("undelete", id=b["id"]).status == 404


def test_an_account_without_a_trash_has_an_empty_list(page: PageInMemory) -> None:
    page.write("/a")
    page.post("delete", path="/a")
    found = page.get("trash").json
    assert found == {"path": "/", "keeps": None, "files": [], "is_complete": True}
