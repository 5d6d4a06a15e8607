"""Lists, facts and the search, with hostile names."""

from __future__ import annotations

import json

import pytest

from ftpservice.events import CommandRefused
from ftpservice.storage.rights import PRESETS
from ftpservice.web.files import listing_routes, name_search
from tests.support.page_in_memory import PageInMemory
from tests.support.web_client import Answer

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a\"b'c",
    "100%41",
    "a b+c&d=e?f#g",
    "\u202egnp.exe",
    "\udcff\udc80",
    "é",
    "e\u0301",
    "-rf",
    "~",
    "a\tb\x1b[31m",
    "x" * 255,
    "漢" * 85,
    "..x",
]


def lines(answer: Answer) -> list[dict[str, object]]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_a_list_has_names_facts_rights_and_no_quota(page: PageInMemory) -> None:
    page.write("/d/a.txt", b"abc")
    page.write("/d/e/b.txt")
    answer = page.get("list", path="/d")
    assert answer.headers["content-type"] == "application/json"
    found = answer.json
    entries = {entry["name"]: entry for entry in found["entries"]}
    assert (entries["a.txt"]["kind"], entries["a.txt"]["size"]) == ("file", 3)
    assert entries["e"]["kind"] == "directory"
    assert entries["a.txt"]["mode"].startswith("0")
    assert (found["path"], found["quota"], found["is_complete"]) == ("/d", None, True)
    assert found["left_out"] == 0
    assert all(found["may"].values())
    assert page.get("list", path="/d/e/../.").json["path"] == "/d"


def test_an_empty_directory_has_an_empty_list(page: PageInMemory) -> None:
    assert page.get("list", path="/").json["entries"] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_every_name_makes_its_way_through_json_and_the_address(
    page: PageInMemory, name: str
) -> None:
    page.write(f"/d/{name}", b"abc")
    (entry,) = page.get("list", path="/d").json["entries"]
    assert entry["name"] == name
    assert page.get("facts", path=f"/d/{entry['name']}").json["size"] == 3
    assert page.get("content", path=f"/d/{entry['name']}").body == b"abc"
    assert lines(page.post("delete", path=f"/d/{entry['name']}"))[-1]["deleted"] == 1


def test_a_long_list_is_cut_and_says_so(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        page.write(f"/d/{number}")
    for most, is_complete in ((4, False), (5, True)):
        monkeypatch.setattr(listing_routes, "MAX_ENTRIES", most)
        found = page.get("list", path="/d").json
        assert (len(found["entries"]), found["is_complete"]) == (most, is_complete)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/none", 404), ("/d/a", 409), ("relative", 400), ("/a\rb", 400), ("/a\0b", 400)],
)
def test_what_cannot_be_listed_is_a_problem(page: PageInMemory, path: str, status: int) -> None:
    page.write("/d/a")
    answer = page.get("list", path=path)
    assert (answer.status, answer.json["status"]) == (status, status)
    refused = page.of_kind(CommandRefused)
    assert [(one.command, one.path, one.code) for one in refused] == (
        [("GET list", path, status)] if status != 400 else []
    )


def test_the_account_sees_what_its_rights_allow(page: PageInMemory) -> None:
    page.realm.rights["ann"] = PRESETS["upload-only"]
    page.log_in()
    assert page.get("list", path="/").status == 403
    page.realm.rights["ann"] = PRESETS["read"]
    page.log_in()
    may = page.get("list", path="/").json["may"]
    assert (may["list"], may["download"], may["upload"], may["delete"]) == (
        True,
        True,
        False,
        False,
    )


def test_a_search_finds_parts_of_names_in_any_case_and_below(page: PageInMemory) -> None:
    for path in ("/d/Report.txt", "/d/e/f/my-report", "/d/reports/x", "/other/report"):
        page.write(path)
    *found, last = lines(page.get("search", path="/d", name="REPORT"))
    paths = [one["path"] for one in found]
    assert sorted(paths) == ["/d/Report.txt", "/d/e/f/my-report", "/d/reports"]
    assert last == {"is_complete": True, "unreadable": 0}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*.txt", ["a.txt", ".b.txt"]), ("?.txt", ["a.txt"]), ("[a].txt", []), ("[c]*", ["[c]d"])],
)
def test_stars_and_question_marks_are_wildcards(
    page: PageInMemory, pattern: str, names: list[str]
) -> None:
    for name in ("a.txt", ".b.txt", "[c]d"):
        page.write(f"/{name}")
    *found, _last = lines(page.get("search", path="/", name=pattern))
    assert sorted(str(one["name"]) for one in found) == sorted(names)


def test_a_search_has_limits(page: PageInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        page.write(f"/d/{number}/x{number}")
    monkeypatch.setattr(name_search, "MAX_RESULTS", 3)
    found = lines(page.get("search", path="/d", name="x"))
    assert (len(found), found[-1]["is_complete"]) == (4, False)
    monkeypatch.setattr(name_search, "MAX_DEPTH", 0)
    assert lines(page.get("search", path="/", name="x"))[-1]["is_complete"] is False
    monkeypatch.setattr(name_search, "MAX_SECONDS", 0)
    assert lines(page.get("search", path="/d", name="0")) == [
        {"is_complete": False, "unreadable": 0}
    ]


@pytest.mark.parametrize("name", ["", "x" * 256, "*a" * 17])
def test_a_search_for_no_pattern_is_refused(page: PageInMemory, name: str) -> None:
    assert page.get("search", path="/", name=name).status == 400


def test_files_need_the_login_of_an_account(page: PageInMemory) -> None:
    page.cookie = ""
    assert page.get("list", path="/").status == 401
    page.log_in()
    assert page.ask("GET", "/api/v1/service").status == 403
    assert page.ask("GET", "/api/v1/files/list").status == 400
    assert page.ask("GET", "/api/v1/files/list?path=/&x=1").status == 400


def test_a_change_needs_the_header_of_the_page(page: PageInMemory) -> None:
    page.csrf = "wrong"
    assert page.post("directory", path="/d").status == 403
    assert page.get("list", path="/").json["entries"] == []
