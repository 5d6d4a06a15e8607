"""The file browser in a real browser: lists, changes, previews, downloads."""

from __future__ import annotations

import json
import os
import random
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import StorageState, expect

from tests.support.browser import CHROMIUM, accessibility_problems, picture, watched_page
from tests.support.file_browser import (
    HOSTILE_USER,
    BrowsedFiles,
    FilePage,
    browsed,
    cookies,
    shown,
)

FIXTURES = (browsed, cookies, shown)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

MIB = 1 << 20
XSS = HOSTILE_USER
HOSTILE = [
    XSS,
    "\"'><script>alert(2)",
    "\u202egpj.exe",
    "..%2f..%2fpasswd",
    "{{7*7}} ${7*7}",
    "a&amp;b #1?x=%00",
    "-rf *",
    "é" * 120,
    "\udcff\udcfe",  # no UTF-8
]
HOSTILE_PAGE = "<script>parent.alert(3);document.title='no'</script><img src=x onerror=alert(4)>"
HOSTILE_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(5)">'
    '<script>alert(6)</script><rect width="9" height="9"/></svg>'
)
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def test_each_account_comes_to_its_page(browsed: BrowsedFiles) -> None:
    with watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, browsed.url)
        shown.log_in(password="wrong")
        expect(page.get_by_role("alert")).to_have_text("Login failed.")
        shown.log_in(XSS)
        page.wait_for_url("**/files")
        expect(page.get_by_text(XSS)).to_be_visible()
        expect(page.get_by_text("The folder is empty.")).to_be_visible()
        assert page.get_by_role("link", name="Status").count() == 0
        shown.press("Log out")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        shown.log_in("ann")
        page.get_by_role("link", name="Files").click()
        expect(shown.grid).to_be_visible()
        page.get_by_role("link", name="Status").click()
        expect(page.get_by_text("Throughput")).to_be_visible()
        shown.press("Log out")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        page.goto(f"{browsed.url}files#/somewhere")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert reports == []


def test_an_account_that_may_only_read_sees_no_actions_that_change(browsed: BrowsedFiles) -> None:
    with watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, browsed.url)
        shown.log_in("reader")
        expect(page.get_by_role("button", name="Download", exact=True)).to_be_visible()
        for name in ("Upload files", "New folder", "Rename", "Delete"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        assert reports == []


def test_hostile_names_are_text_in_every_view(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("hostile")
    for name in HOSTILE:
        os.mkdir(os.fsencode(here) + b"/" + os.fsencode(name))
        (here / name / "inner").write_text("x")
    page = shown.page
    shown.go("/hostile")
    expect(shown.grid.get_by_role("row")).to_have_count(1 + len(HOSTILE))
    for name in HOSTILE:
        title = name.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        title = title.replace("\u202e", "\\u202e")
        title = title.replace("\udcff\udcfe", "\\udcff\\udcfe")
        row = shown.row(title)
        row.get_by_role("link").click()
        expect(page.get_by_title("inner")).to_be_visible()
        expect(page).to_have_title(f"{title} \u2013 ftpservice")
        page.get_by_title("inner").click()
        expect(shown.dialog.get_by_label("Content of inner")).to_have_text("x")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="hostile", exact=True).click()
    shown.select(XSS)
    for button in ("Rename", "Move", "Share", "Delete"):
        shown.press(button)
        expect(shown.dialog.get_by_role("heading")).to_contain_text(XSS)
        page.keyboard.press("Escape")
        expect(shown.dialog).to_have_count(0)
    page.get_by_label("Filter or search").fill("inner")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{len(HOSTILE)} found")).to_be_visible()
    expect(page.locator(".files img")).to_have_count(0)


def test_what_is_in_a_file_cannot_run(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("previews")
    (here / "page.html").write_text(HOSTILE_PAGE)
    (here / "picture.svg").write_text(HOSTILE_PICTURE)
    (here / "paper.pdf").write_bytes(PDF)
    (here / "no picture.png").write_text(HOSTILE_PAGE)
    shown.go("/previews")
    page = shown.page
    page.get_by_title("page.html").click()
    expect(shown.dialog.locator("pre")).to_have_text(HOSTILE_PAGE)
    shown.press("Next")
    shown.press("Next")
    expect(shown.dialog.get_by_role("heading")).to_have_text("picture.svg")
    picture = shown.dialog.locator("img")
    expect(picture).to_have_js_property("naturalWidth", 9)
    page.keyboard.press("Escape")
    page.get_by_title("no picture.png").click()
    expect(shown.dialog.get_by_role("alert")).to_have_text("The picture cannot be shown.")
    page.keyboard.press("Escape")
    with page.expect_response(lambda answer: "paper.pdf" in answer.url) as shown_paper:
        page.get_by_title("paper.pdf").click()
    assert shown_paper.value.status == 200
    expect(shown.dialog.locator("iframe")).to_be_visible()
    page.keyboard.press("Escape")
    for name in ("page.html", "picture.svg"):
        page.goto(f"{browsed.url}api/v1/files/content?path=/previews/{name}&view=1")
        assert page.evaluate("self.origin") == "null"
    expect(page).not_to_have_title("no")


def test_names_are_changed_and_entries_moved_and_deleted(
    browsed: BrowsedFiles, shown: FilePage
) -> None:
    here = browsed.folder("changes")
    for name in ("one.txt", "two.txt", "three.txt"):
        (here / name).write_text(name)
    shown.go("/changes")
    page = shown.page
    shown.press("New folder")
    page.get_by_label("Name", exact=True).fill("sub")
    shown.press("Create")
    expect(shown.row("sub")).to_be_visible()
    shown.select("one.txt")
    shown.press("Rename")
    page.get_by_label("New name").fill("two.txt")
    shown.dialog.get_by_role("button", name="Rename").click()
    shown.press("Replace the other file")
    expect(shown.row("one.txt")).to_have_count(0)
    assert (here / "two.txt").read_text() == "one.txt"
    shown.row("two.txt").drag_to(shown.row("sub"))
    expect(shown.row("two.txt")).to_have_count(0)
    shown.select("three.txt")
    shown.press("Move")
    shown.press("sub")
    shown.press("Move here")
    expect(shown.row("three.txt")).to_have_count(0)
    assert sorted(path.name for path in (here / "sub").iterdir()) == ["three.txt", "two.txt"]
    shown.select("sub")
    shown.press("Delete")
    expect(shown.dialog).to_contain_text("2 entries in it")
    shown.dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The folder is empty.")).to_be_visible()
    assert list(here.iterdir()) == []


def test_deleted_files_are_restored(browsed: BrowsedFiles) -> None:
    here = browsed.files.parent / "keeper"
    (here / "notes").mkdir(parents=True)
    for name in ("one.txt", "two.txt"):
        (here / "notes" / name).write_text(name)
    with watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, browsed.url)
        shown.log_in("keeper")
        page.wait_for_url("**/files")
        expect(shown.grid).to_be_visible()
        shown.go("/notes")
        shown.select("one.txt", "two.txt")
        shown.press("Delete")
        expect(shown.dialog).to_contain_text("They can be restored")
        shown.dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("The folder is empty.")).to_be_visible()
        (here / "notes" / "two.txt").write_text("new")
        shown.press("Deleted files")
        shown.press("Restore /notes/one.txt")
        expect(shown.dialog.get_by_text("/notes/one.txt is restored")).to_be_visible()
        shown.press("Restore /notes/two.txt")
        expect(shown.dialog.get_by_role("alert")).not_to_be_empty()
        assert accessibility_problems(page) == []
        assert (here / "notes" / "two.txt").read_text() == "new"
        shown.press("Replace the file that is there")
        expect(shown.dialog.get_by_text("/notes/two.txt is restored")).to_be_visible()
        page.keyboard.press("Escape")
        expect(shown.row("one.txt")).to_be_visible()
        for name in ("one.txt", "two.txt"):
            assert (here / "notes" / name).read_text() == name
        assert reports == []


def test_a_failure_is_told_in_words_and_stays(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("failures")
    (here / "gone.txt").write_text("x")
    shown.go("/failures")
    shown.select("gone.txt")
    (here / "gone.txt").unlink()
    shown.press("Delete")
    shown.dialog.get_by_role("button", name="Delete").click()
    expect(shown.dialog.get_by_role("alert")).to_contain_text("gone.txt")
    shown.page.keyboard.press("Escape")
    shown.page.evaluate("location.hash = '/failures/nowhere'")
    expect(shown.page.get_by_role("alert")).to_be_visible()
    shown.page.get_by_role("link", name="Up to /failures").click()
    expect(shown.page.get_by_text("The folder is empty.")).to_be_visible()


def test_a_file_comes_byte_for_byte(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("archive")
    for name in ("invoices", "photos"):
        (here / name).mkdir()
    for name, size in (("holiday.mp4", 5 * MIB + 1), ("notes.txt", 312), ("empty.log", 0)):
        (here / name).write_bytes(random.Random(1).randbytes(size))
    shown.go("/archive")
    for name in ("holiday.mp4", "empty.log"):
        shown.select(name)
        with shown.page.expect_download() as download:
            shown.press("Download")
        assert download.value.suggested_filename == name
        assert Path(download.value.path()).read_bytes() == (here / name).read_bytes()
        picture(shown.page, "file-browser")
        shown.row(name).get_by_role("checkbox").uncheck()


def test_several_entries_come_as_one_zip(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("several")
    (here / "tree/deep").mkdir(parents=True)
    (here / "tree/deep/file.bin").write_bytes(random.Random(4).randbytes(MIB))
    (here / "ünï.txt").write_text("text")
    shown.go("/several")
    shown.select("tree", "ünï.txt")
    with shown.page.expect_download() as download:
        shown.press("Download")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        names = {name for name in archive.namelist() if not name.endswith("/")}
        assert names == {"tree/deep/file.bin", "ünï.txt"}
        assert archive.read("tree/deep/file.bin") == (here / "tree/deep/file.bin").read_bytes()


def test_everything_can_be_done_by_keyboard(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("keys")
    (here / "sub").mkdir()
    for name in ("alpha.txt", "beta.txt", "gamma.txt"):
        (here / name).write_text(name)
    shown.go("/keys")
    expect(shown.row("gamma.txt")).to_be_visible()
    page, keys = shown.page, shown.page.keyboard
    shown.grid.focus()
    keys.press("Home")
    keys.press("Enter")
    expect(page.get_by_text("The folder is empty.")).to_be_visible()
    shown.grid.focus()
    keys.press("Backspace")
    expect(shown.row("gamma.txt")).to_be_visible()
    shown.grid.focus()
    keys.type("be")
    keys.press("F2")
    expect(page.get_by_label("New name")).to_be_focused()
    keys.type("delta")
    keys.press("Enter")
    expect(shown.row("delta.txt")).to_have_attribute("aria-selected", "true")
    expect(shown.grid).to_be_focused()
    keys.press("Escape")
    keys.press("End")
    keys.press("Shift+ArrowUp")
    keys.press("Delete")
    expect(shown.dialog.get_by_role("heading")).to_have_text("Delete 2 entries?")
    expect(shown.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_text("2 entries", exact=True)).to_be_visible()
    assert sorted(path.name for path in here.iterdir()) == ["alpha.txt", "sub"]
    keys.press("Control+a")
    expect(page.get_by_text("2 entries · 2 selected")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_text("2 entries", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_and_axe_finds_nothing(
    browsed: BrowsedFiles, cookies: StorageState, scheme: str
) -> None:
    name = f"phone {scheme}"
    here = browsed.folder(name)
    (here / f"{'long' * 50}.txt").write_text("x" * 5000)
    (here / "folder").mkdir()
    size = {"width": 375, "height": 740}
    options = {"viewport": size, "color_scheme": scheme, "storage_state": cookies}
    with watched_page(browsed.browser, **options) as (page, reports):
        shown = FilePage(page, browsed.url)
        page.goto(f"{browsed.url}files")
        expect(shown.grid).to_be_visible()
        shown.go(f"/{name}")
        expect(shown.row("folder")).to_be_visible()
        assert accessibility_problems(page) == []
        shown.select(f"{'long' * 50}.txt")
        for button in ("Rename", "Move", "Share", "Delete", "Links"):
            shown.press(button)
            expect(shown.dialog).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, button
            assert accessibility_problems(page) == [], button
            page.keyboard.press("Escape")
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == {"light": "rgb(245, 246, 248)", "dark": "rgb(15, 19, 24)"}[scheme]
        assert reports == []


def test_paths_in_addresses_keep_every_byte(shown: FilePage) -> None:
    found = shown.page.evaluate(
        r"""async () => {
          const { base64, clean, decode, encode, numbered } = await import("/assets/files_api.js");
          const names = ["a b/#?%", "\u00e9\u{1f600}", "\udcff\udcfe", "x\udce9y", "\ud800"];
          return [names.map(encode), names.map((one) => decode(encode(one)) === one),
            base64("\udcff\u00e9"), clean("/a/../b//./c"), numbered("/d/a.tar.gz", 2),
            numbered("/.x", 3)];
        }"""
    )
    assert found == [
        ["a%20b%2F%23%3F%25", "%C3%A9%F0%9F%98%80", "%FF%FE", "x%E9y", "%EF%BF%BD"],
        [True, True, True, True, False],
        "/8Op", "/b/c", "/d/a.tar (2).gz", "/.x (3)",
    ]  # fmt: skip


def test_of_50_000_files_only_those_that_are_seen_are_in_the_document(shown: FilePage) -> None:
    page = shown.page
    entries = [
        {"name": f"file {number}", "kind": "file", "size": 50_000 - number, "modified": number}
        for number in range(1, 50_001)
    ]
    may = dict.fromkeys(("upload", "delete", "rename", "make_directory", "download"), True)
    body = json.dumps({"path": "/big", "entries": entries, "may": may, "quota": None})
    page.route("**/files/list?path=%2Fbig", lambda route: route.fulfill(body=body))
    shown.go("/big")
    expect(page.get_by_text("50000 entries")).to_be_visible()
    assert shown.grid.get_by_role("row").count() < 60
    shown.grid.focus()
    page.keyboard.press("End")
    expect(shown.row("file 50000")).to_be_visible()
    page.get_by_role("button", name="Size").click()
    page.keyboard.press("Home")
    shown.grid.evaluate("element => element.scrollTo(0, 0)")
    expect(shown.row("file 50000")).to_be_visible()
    page.get_by_label("Filter or search").fill("file 4711")
    expect(page.get_by_text("11 of 50000 entries")).to_be_visible()
    assert shown.grid.get_by_role("row").count() < 60
