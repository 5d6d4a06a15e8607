"""The file browser in a real browser: uploads, and links for others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import CHROMIUM, accessibility_problems, picture, watched_page
from tests.support.file_browser import (
    HOSTILE_USER,
    BrowsedFiles,
    FilePage,
    browsed,
    cookies,
    drop,
    shown,
)
from tests.support.service_process import PATIENCE
from tests.support.upload_network import UploadNetwork

FIXTURES = (browsed, cookies, shown)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

MIB = 1 << 20
XSS = HOSTILE_USER


def test_files_arrive_byte_for_byte(browsed: BrowsedFiles, shown: FilePage, tmp_path: Path) -> None:
    here = browsed.folder("arriving")
    shown.go("/arriving")
    content = random.Random(1).randbytes(5 * MIB + 1)
    for name, data in (("large.bin", content), ("small.txt", b"abc"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        shown.upload(tmp_path / name)
        expect(shown.states(name)).to_contain_text("done")
        assert (here / name).read_bytes() == data
    expect(shown.row("large.bin")).to_contain_text("5.0 MiB")


def test_an_upload_goes_on_after_its_connection_was_cut(
    browsed: BrowsedFiles, tmp_path: Path
) -> None:
    here = browsed.folder("cut")
    content = random.Random(2).randbytes(6 * MIB)
    (tmp_path / "cut.bin").write_bytes(content)
    with UploadNetwork(browsed.port) as network, watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, f"http://127.0.0.1:{network.port}/")
        shown.log_in()
        page.wait_for_url("**/files")
        shown.go("/cut")
        offsets = [0]
        page.on(
            "request",
            lambda request: offsets.append(int(request.headers.get("upload-offset", -1))),
        )
        network.cut(after=4 * MIB)
        shown.upload(tmp_path / "cut.bin")
        expect(shown.states("cut.bin")).to_contain_text("done", timeout=PATIENCE * 1000)
        assert network.cuts == 1
        assert max(offsets) > 3 * MIB, "it began anew"
        assert (here / "cut.bin").read_bytes() == content
        assert reports == []


def test_an_upload_is_paused_and_goes_on_after_the_page_was_loaded_again(
    browsed: BrowsedFiles, tmp_path: Path
) -> None:
    here = browsed.folder("again")
    content = random.Random(3).randbytes(4 * MIB)
    (tmp_path / "again.bin").write_bytes(content)
    (tmp_path / "other.bin").write_bytes(content[1:])
    with UploadNetwork(browsed.port) as network, watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, f"http://127.0.0.1:{network.port}/")
        shown.log_in()
        page.wait_for_url("**/files")
        shown.go("/again")
        network.hold(after=2 * MIB)
        shown.upload(tmp_path / "again.bin")
        shown.page.get_by_role("button", name="Pause again.bin").click()
        network.go_on()
        expect(shown.states("again.bin")).to_contain_text("paused")
        page.reload()
        row = shown.states("again.bin")
        expect(row).to_contain_text("interrupted")
        expect(row).to_contain_text(" MiB of 4.0 MiB")
        before = network.sent
        row.locator("input").set_input_files(tmp_path / "other.bin")
        expect(row).to_contain_text("another file")
        row.locator("input").set_input_files(tmp_path / "again.bin")
        expect(row).to_contain_text("done", timeout=PATIENCE * 1000)
        assert network.sent - before < 3.5 * MIB, "it began anew"
        assert (here / "again.bin").read_bytes() == content
        page.reload()
        expect(shown.grid).to_be_visible()
        expect(page.locator(".upload")).to_have_count(0)
        assert reports == []


def test_uploads_survive_the_end_of_the_login(browsed: BrowsedFiles, tmp_path: Path) -> None:
    here = browsed.folder("login")
    content = random.Random(5).randbytes(3 * MIB)
    (tmp_path / "long.bin").write_bytes(content)
    with UploadNetwork(browsed.port) as network, watched_page(browsed.browser) as (page, reports):
        shown = FilePage(page, f"http://127.0.0.1:{network.port}/")
        shown.log_in()
        page.wait_for_url("**/files")
        shown.go("/login")
        network.hold(after=MIB)
        shown.upload(tmp_path / "long.bin")
        row = shown.states("long.bin")
        page.get_by_role("button", name="Pause long.bin").click()
        page.context.clear_cookies()
        network.go_on()
        page.get_by_role("button", name="Resume long.bin").click()
        expect(page.get_by_text("The login has ended.").first).to_be_visible()
        with page.context.expect_page() as tab:
            page.get_by_role("link", name="Log in in another tab").click()
        FilePage(tab.value, shown.url).log_in()
        tab.value.wait_for_url("**/files")
        page.get_by_role("button", name="I have logged in").click()
        expect(row).to_contain_text("done", timeout=PATIENCE * 1000)
        assert (here / "long.bin").read_bytes() == content
        assert reports == []


def test_for_a_name_that_exists_the_user_decides(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("decide")
    for name in ("a.txt", "b.txt", "c.txt"):
        (here / name).write_text("old")
    shown.go("/decide")
    shown.upload(*({"name": f"{x}.txt", "mimeType": "", "buffer": b"new"} for x in "abc"))
    expect(shown.page.get_by_text("The name exists already.")).to_have_count(3)
    assert accessibility_problems(shown.page) == []
    picture(shown.page, "file-browser-uploads")
    assert {path.read_text() for path in here.iterdir()} == {"old"}
    shown.press("Replace a.txt")
    shown.press("Keep both: b.txt")
    shown.press("Skip c.txt")
    expect(shown.row("b (2).txt")).to_be_visible()
    expect(shown.states("a.txt")).to_contain_text("done")
    expect(shown.states("c.txt")).to_contain_text("skipped")
    assert {path.name: path.read_text() for path in here.iterdir()} == {
        "a.txt": "new", "b.txt": "old", "b (2).txt": "new", "c.txt": "old"
    }  # fmt: skip
    shown.upload(*({"name": f"{x}.txt", "mimeType": "", "buffer": b"newer"} for x in "abc"))
    expect(shown.page.get_by_text("The name exists already.")).to_have_count(3)
    shown.states("a.txt").get_by_label("the same for all").check()
    shown.page.get_by_role("button", name="Replace a.txt").click()
    expect(shown.page.get_by_text("The name exists already.")).to_have_count(0)
    expect(shown.row("c.txt")).to_contain_text("5 B")
    assert {(here / f"{x}.txt").read_text() for x in "abc"} == {"newer"}


def test_folders_are_uploaded_by_button_and_dropped(
    browsed: BrowsedFiles, shown: FilePage, tmp_path: Path
) -> None:
    here = browsed.folder("trees")
    tree = tmp_path / "tree"
    (tree / "deep/er").mkdir(parents=True)
    (tree / "none").mkdir()
    (tree / "top.txt").write_text("top")
    (tree / f"deep/er/{XSS}").write_text("deep")
    shown.go("/trees")
    shown.upload(tree, button="folder")
    expect(shown.states("top.txt")).to_contain_text("done")
    expect(shown.states(XSS)).to_contain_text("done")
    assert (here / "tree/deep/er" / XSS).read_text() == "deep"
    drop(shown, tree.rename(tmp_path / "dropped"), shown.page.locator("main"))
    expect(shown.row("dropped")).to_be_visible()
    expect(shown.page.get_by_text("4 of 4")).to_be_visible()
    assert (here / "dropped/deep/er" / XSS).read_text() == "deep"
    assert (here / "dropped/none").is_dir()
    drop(shown, tmp_path / "dropped/top.txt", shown.row("tree"))
    shown.press("Replace top.txt")
    expect(shown.page.get_by_text("5 of 5")).to_be_visible()


def test_a_link_opens_without_a_login(browsed: BrowsedFiles, shown: FilePage) -> None:
    here = browsed.folder("shared")
    (here / "letter.txt").write_text("dear")
    shown.go("/shared")
    shown.select("letter.txt")
    shown.press("Share")
    shown.page.get_by_label("Password").fill("open sesame")
    shown.press("Make a link")
    url = shown.page.get_by_label("Link", exact=True).input_value()
    shown.page.keyboard.press("Escape")
    with watched_page(browsed.browser) as (page, reports):
        page.goto(url)
        page.get_by_label("Password").fill("open sesame")
        page.keyboard.press("Enter")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert Path(download.value.path()).read_text() == "dear"
        assert reports == []
    shown.press("Links")
    row = shown.dialog.get_by_role("row").filter(has_text="/shared/letter.txt")
    expect(row).to_contain_text("yes")
    shown.press("Remove the link of /shared/letter.txt")
    expect(shown.dialog.get_by_text("There are no links.")).to_be_visible()
    with watched_page(browsed.browser) as (page, _reports):
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 404


def test_a_shared_folder_shows_hostile_names_as_text(
    browsed: BrowsedFiles, shown: FilePage
) -> None:
    here = browsed.folder("open")
    (here / XSS).mkdir()
    (here / XSS / f"{XSS}.txt").write_text("x")
    shown.go("/open")
    shown.select(XSS)
    shown.press("Share")
    shown.press("Make a link")
    url = shown.page.get_by_label("Link", exact=True).input_value()
    size = {"width": 375, "height": 740}
    with watched_page(browsed.browser, viewport=size, color_scheme="dark") as (page, reports):
        page.goto(url)
        expect(page.get_by_role("heading", name=XSS)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        assert accessibility_problems(page) == []
        with page.expect_download() as download:
            page.get_by_role("link", name=f"{XSS}.txt").click()
        assert Path(download.value.path()).read_text() == "x"
        assert reports == []
