"""The file browser of a whole service, as a user sees it in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.support.browser import chromium, watched_page
from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import Program

__all__ = ["HOSTILE_USER", "BrowsedFiles", "FilePage", "browsed", "cookies", "drop", "shown"]

HOSTILE_USER = "<img src=x onerror=alert(1)>"
SIZE = {"width": 1000, "height": 640}


class FilePage:
    """The page of the file browser: what a user sees and does."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def log_in(self, user: str = "bob", password: str = SECRET) -> None:
        self.page.goto(self.url)
        self.page.get_by_label("Account").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def go(self, folder: str) -> None:
        """Open a folder by its address."""
        self.page.evaluate("place => { location.hash = place; }", folder)
        expect(self.grid).to_have_attribute("aria-label", f"Files in {folder}")

    @property
    def grid(self) -> Locator:
        return self.page.get_by_role("grid")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def row(self, name: str) -> Locator:
        return self.grid.get_by_role("row").filter(has=self.page.get_by_title(name, exact=True))

    def select(self, *names: str) -> None:
        for name in names:
            self.row(name).get_by_role("checkbox").check()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def upload(self, *files: Any, button: str = "files") -> None:
        self.page.set_input_files(f"[data-pick={button}]", list(files))

    def states(self, name: str) -> Locator:
        return self.page.locator(".upload").filter(has_text=name)


class BrowsedFiles:
    """A service with the administrator ``ann`` and the account ``bob``, and a browser."""

    def __init__(self, service: CommandService, program: Program, browser: Browser) -> None:
        self.program, self.browser = program, browser
        self.files = service.place / "var/files/bob"
        self.port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.url = f"http://127.0.0.1:{self.port}/"

    def folder(self, name: str) -> Path:
        """Make a folder of bob for one test."""
        made = self.files / name
        made.mkdir(parents=True)
        return made


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowsedFiles]:
    service = CommandService(tmp_path_factory.mktemp("browser"))
    new = ["--password-stdin", "--force"]
    service.command("add", "ann", "--root", "/ann", "--rights", "full,admin", *new)
    service.command("add", "bob", "--root", "/bob", "--quota", "1G", *new)
    service.command("add", HOSTILE_USER, "--root", "/hostile", *new)
    service.command("add", "keeper", "--root", "/keeper", "--trash", "30d", *new)
    service.command("add", "reader", "--root", "/bob", "--rights", "read", *new)
    service.place.joinpath("var/files/bob").mkdir(parents=True)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with service.serve(*words) as program, chromium() as browser:
        yield BrowsedFiles(service, program, browser)


@pytest.fixture(scope="module")
def cookies(browsed: BrowsedFiles) -> StorageState:
    """The login of bob."""
    with watched_page(browsed.browser) as (page, _reports):
        FilePage(page, browsed.url).log_in()
        page.wait_for_url("**/files")
        return page.context.storage_state()


@pytest.fixture
def shown(browsed: BrowsedFiles, cookies: StorageState) -> Iterator[FilePage]:
    """The page of bob; fails if a script of somebody else ran or the policy was broken."""
    with watched_page(browsed.browser, storage_state=cookies, viewport=SIZE) as (page, reports):
        page.on("dialog", lambda dialog: [reports.append(dialog.message), dialog.dismiss()])
        shown = FilePage(page, browsed.url)
        page.goto(f"{browsed.url}files")
        expect(shown.grid).to_be_visible()
        yield shown
        assert reports == []


def drop(shown: FilePage, path: Path, target: Locator) -> None:
    """Drop a file or a folder of the machine on an element."""
    box = target.bounding_box()
    assert box is not None
    browser = shown.page.context.new_cdp_session(shown.page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + min(box["height"] / 2, 300)}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})
    browser.detach()
