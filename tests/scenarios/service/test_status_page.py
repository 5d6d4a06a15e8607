"""The status page of a whole service, in a real browser."""

from __future__ import annotations

import ftplib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import CHROMIUM, accessibility_problems, chromium, watched_page
from tests.support.command_service import SECRET, CommandService
from tests.support.page_client import PageClient
from tests.support.service_process import PATIENCE, Program

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

XSS = "<img src=x onerror=alert(1)>"
STRONG = "correct horse battery staple 9"
PHONE = {"width": 375, "height": 740}
VIEWS = (
    *("overview", "sessions", "accounts", "bans", "events", "traces"),
    *("user/bob", "address/127.0.0.1", "session/1", "file/bob/%2Fx"),
)


class Served:
    """A service with the administrator ``ann`` and the account ``bob``, and a browser."""

    def __init__(self, service: CommandService, program: Program, browser: Browser) -> None:
        self.service, self.program, self.browser = service, program, browser
        port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.url = f"http://127.0.0.1:{port}/"

    def log_in(self, page: Page, user: str = "ann", password: str = SECRET) -> None:
        page.goto(self.url)
        self.fill_in(page, user, password)

    def fill_in(self, page: Page, user: str = "ann", password: str = SECRET) -> None:
        page.get_by_label("Account").fill(user)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()

    def client(self, user: str) -> ftplib.FTP:
        client = ftplib.FTP()
        client.connect("127.0.0.1", self.program.port(), PATIENCE)
        client.login(user, SECRET)
        return client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = CommandService(tmp_path_factory.mktemp("page"))
    new = ["--password-stdin", "--force"]
    service.command("add", "ann", "--root", "/ann", "--rights", "full,admin", *new)
    for name in ("bob", XSS):
        service.command("add", name, "--root", "/bob", *new)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with service.serve(*words) as program, chromium() as browser:
        yield Served(service, program, browser)


def test_a_transfer_is_watched_and_kicked(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        client = served.client("bob")
        data = client.transfercmd(f"STOR {XSS.replace('/', '')}")
        data.sendall(b"x" * 300_000)
        page.get_by_role("link", name="Sessions", exact=True).click()
        row = page.get_by_role("row").filter(has_text="bob")
        expect(row).to_contain_text("upload")
        expect(row).to_contain_text(XSS)
        expect(row).to_contain_text("293 KiB")
        data.sendall(b"x" * 300_000)
        expect(row).to_contain_text("586 KiB")
        row.get_by_role("button", name="Kick").click()
        with pytest.raises((ftplib.error_temp, EOFError, ConnectionError)):
            client.voidresp()
        data.close()
        client.close()
        expect(page.get_by_role("row").filter(has_text="bob")).to_have_count(0)
        page.get_by_role("link", name="Overview").click()
        failures = page.locator("section").filter(has_text="Last failures")
        expect(failures).to_contain_text(XSS)
        expect(page.locator("img")).to_have_count(0)
        assert reports == []


def test_only_administrators_with_the_right_password_get_in(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page, password="wrong")
        expect(page.get_by_role("alert")).to_have_text("Login failed.")
        served.log_in(page, user="bob")
        page.wait_for_url("**/files")
        page.get_by_role("button", name="Log out").click()
        with ftplib.FTP(encoding="latin-1") as client:
            client.connect("127.0.0.1", served.program.port(), PATIENCE)
            with pytest.raises(ftplib.error_perm):
                client.login("\xff<b>", "x")  # no UTF-8
        served.log_in(page, user=XSS, password=XSS)
        expect(page.get_by_role("alert")).to_have_text("Login failed.")
        served.log_in(page)
        expect(page.get_by_text("Throughput")).to_be_visible()
        expect(page.get_by_text(XSS).first).to_be_visible()
        expect(page.get_by_text("\\udcff<b>").first).to_be_visible()
        cookies = page.context.cookies()
        assert [(one["name"], one["httpOnly"], one["sameSite"]) for one in cookies] == [
            ("ftpservice", True, "Strict")
        ]
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert reports == []


def test_accounts_are_edited_and_bans_are_lifted(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        page.get_by_role("link", name="Accounts").click()
        expect(page.get_by_role("row").filter(has_text=XSS)).to_have_count(1)
        page.get_by_role("button", name="New account").click()
        page.get_by_label("Name", exact=True).fill("carl")
        page.get_by_label("Password").fill("12345")
        page.get_by_label("Root").fill("/carl")
        page.get_by_label("Quota", exact=True).fill("10M")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("too weak")
        page.get_by_label("Password").fill(STRONG)
        page.get_by_role("button", name="Save").click()
        row = page.get_by_role("row").filter(has_text="carl")
        expect(row).to_contain_text("10.0 MiB")
        page.on("dialog", lambda dialog: dialog.accept())
        row.get_by_role("button", name="Lock").click()
        expect(row).to_contain_text("locked")
        row.get_by_role("button", name="Remove").click()
        expect(row).to_have_count(0)
        page.get_by_role("link", name="Bans").click()
        page.get_by_label("Address or network").fill("192.0.2.7")
        page.get_by_label("Reason").fill(XSS)
        page.get_by_role("button", name="Ban").click()
        row = page.get_by_role("row").filter(has_text="192.0.2.7")
        expect(row).to_contain_text(XSS)
        row.get_by_role("button", name="Lift").click()
        expect(row).to_have_count(0)
        page.get_by_role("link", name="Events").click()
        expect(page.get_by_text(re.compile("user remove · carl"))).to_be_visible()
        assert reports == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(
    served: Served, scheme: str, tmp_path: Path
) -> None:
    with watched_page(served.browser, viewport=PHONE, color_scheme=scheme) as (page, reports):
        served.log_in(page)
        expect(page.get_by_text("Needs attention")).to_be_visible()
        client = served.client("bob")
        for name in VIEWS:
            page.goto(f"{served.url}#{name}")
            expect(page.locator("section").first).to_be_visible()
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 375, name
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.goto(f"{served.url}#sessions")
        page.get_by_label("Sort by").select_option("User")
        users = page.get_by_role("row").get_by_role("cell").nth(1)
        expect(users.first).to_have_text("ann")
        page.get_by_role("button", name="Sort descending").click()
        expect(users.first).to_have_text("bob")
        assert color == {"light": "rgb(245, 246, 248)", "dark": "rgb(15, 19, 24)"}[scheme]
        client.close()
        assert reports == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(served: Served, scheme: str) -> None:
    with watched_page(served.browser, color_scheme=scheme) as (page, reports):
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert accessibility_problems(page) == []
        served.log_in(page)
        for name in VIEWS:
            page.goto(f"{served.url}#{name}")
            expect(page.locator("section").first).to_be_visible()
            assert accessibility_problems(page) == [], name
        page.set_viewport_size(PHONE)
        for name in VIEWS[:2]:
            page.goto(f"{served.url}#{name}")
            expect(page.locator("section").first).to_be_visible()
            assert accessibility_problems(page) == [], name
        assert reports == []


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 800}])
def test_long_names_leave_room_for_the_other_columns(served: Served, size: dict[str, int]) -> None:
    """No word is broken at every letter, and a row has a few lines."""
    with served.client("bob") as client:
        client.storbinary(f"STOR {'x' * 255}", io.BytesIO(b"y" * 300_000))
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", served.program.port(), PATIENCE)
        with pytest.raises(ftplib.error_perm):
            client.login("A" * 400, "wrong")
    with watched_page(served.browser, viewport=size) as (page, _):
        served.log_in(page)
        for view, shown in (
            ("overview", re.compile(r"iB \(\d+\)")),
            ("events", "x" * 255),
            ("accounts", "full, admin"),
            ("user/bob", "x" * 255),
        ):
            page.goto(f"{served.url}#{view}")
            expect(page.get_by_role("cell").filter(has_text=shown).first).to_be_visible()
            heights = page.evaluate(
                "[...document.querySelectorAll('table tr')].map((one) => one.offsetHeight)"
            )
            assert max(heights) < 320, view
            cell = page.get_by_role("cell").filter(has_text=shown).first.bounding_box()
            assert cell is not None, view
            assert cell["width"] > 60, view
            wraps = page.evaluate(
                "[...document.querySelectorAll('.scroll th')]"
                ".map((one) => getComputedStyle(one).overflowWrap)"
            )
            assert set(wraps) <= {"normal"}, view


def test_one_click_leads_to_user_address_session_and_file_and_back_in_time(
    served: Served,
) -> None:
    name = XSS.replace("/", "")
    client = served.client(XSS)
    client.storbinary(f"STOR {name}", io.BytesIO(b"12345"))
    client.rename(name, f"2{name}")
    client.delete(f"2{name}")
    with watched_page(served.browser) as (page, reports):
        page.on("dialog", lambda dialog: dialog.accept())
        served.log_in(page)
        page.get_by_role("link", name="Sessions", exact=True).click()
        page.get_by_role("row").get_by_role("link", name=XSS, exact=True).first.click()
        expect(page.get_by_role("heading", name=f"User {XSS}")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="24 hours")).to_contain_text("5 B (1)")
        events = page.locator("table.events").get_by_role("row")
        expect(events.filter(has_text="rename")).to_have_count(1)
        events.filter(has_text="upload").get_by_role("link", name=f"/{name}").click()
        expect(page.get_by_role("heading", name=f"File /{name}")).to_be_visible()
        expect(events.filter(has_text="5 B")).to_have_count(1)
        events.filter(has_text="rename").get_by_role("link", name=f"/2{name}").click()
        expect(events.filter(has_text="delete")).to_have_count(1)
        events.filter(has_text="delete").get_by_role("link", name="Session").click()
        expect(page.get_by_role("heading", name="Session")).to_be_visible()
        expect(events.filter(has_text="login")).to_have_count(1)
        page.get_by_role("link", name="127.0.0.1").first.click()
        expect(page.get_by_role("heading", name="Address 127.0.0.1")).to_be_visible()
        page.get_by_role("button", name="Ban for 2 hours").click()
        expect(page.get_by_role("status")).to_contain_text("would lock you out")
        page.goto(f"{served.url}#user/{quote(XSS, safe='')}")
        page.get_by_role("button", name="Kick all 1").click()
        expect(page.get_by_role("status")).to_contain_text("have ended")
        with pytest.raises((ftplib.error_temp, EOFError, ConnectionError)):
            client.voidcmd("NOOP")
        client.close()
        expect(page.get_by_text("None now.")).to_be_visible()
        expect(page.locator("img")).to_have_count(0)
        assert reports == []


def test_a_name_that_is_no_text_leads_to_its_events(served: Served) -> None:
    with ftplib.FTP(encoding="latin-1") as client:
        client.connect("127.0.0.1", served.program.port(), PATIENCE)
        with pytest.raises(ftplib.error_perm):
            client.login("\xfe%25<i>\xc3\xa4", "x")
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        page.get_by_role("link", name="\\udcfe%25<i>ä").first.click()
        expect(page.get_by_role("heading", name="User \\udcfe%25<i>ä")).to_be_visible()
        expect(page.get_by_role("cell", name="login failed")).to_have_count(1)
        assert reports == []


def test_events_are_filtered_and_come_in_pages(served: Served) -> None:
    client = served.client("bob")
    for _ in range(110):
        with pytest.raises(ftplib.error_perm):
            client.sendcmd("DELE none")
    client.close()
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        page.get_by_role("link", name="Events").click()
        page.get_by_label("Kind").select_option("command refused")
        rows = page.locator("table.events tbody tr")
        expect(rows).to_have_count(100)
        page.get_by_role("button", name="Older").click()
        expect(page.get_by_role("button", name="Newer")).to_be_enabled()
        expect(rows.nth(9)).to_be_visible()
        expect(rows).not_to_have_count(100)
        page.get_by_role("button", name="Latest").click()
        page.get_by_label("User", exact=True).fill("nobody")
        page.get_by_label("User", exact=True).press("Enter")
        expect(page.get_by_text("No events of this kind")).to_be_visible()
        page.get_by_label("User", exact=True).fill("bob")
        page.get_by_label("From").fill("2100-01-01T00:00:00")
        expect(page.get_by_text("No events of this kind")).to_be_visible()
        page.get_by_label("From").fill("2020-01-01T00:00:00")
        expect(rows).to_have_count(100)
        assert reports == []


REQUEST = """async ([method, path]) => {
    const { csrf } = await (await fetch("/login")).json();
    const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
    const body = method === "PATCH" ? JSON.stringify({ rights: "read" }) : undefined;
    return (await fetch(`/api/v1${path}`, { method, headers, body })).status;
}"""


def test_administrators_do_not_lock_themselves_out_and_a_double_click_acts_once(
    served: Served,
) -> None:
    first, second = served.client("bob"), served.client("bob")
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        expect(page.get_by_text("Throughput")).to_be_visible()
        for method, path in (("POST", "/lock"), ("DELETE", ""), ("PATCH", "")):
            assert page.evaluate(REQUEST, [method, f"/accounts/ann{path}"]) == 409
        page.goto(f"{served.url}#sessions/bob")
        rows = page.get_by_role("row").filter(has_text="bob")
        expect(rows).to_have_count(2)
        rows.first.get_by_role("button", name="Kick").dblclick()
        expect(page.get_by_role("status").first).to_contain_text("has ended")
        with pytest.raises((ftplib.error_temp, EOFError, ConnectionError)):
            first.voidcmd("NOOP")
        first.close()
        expect(rows).to_have_count(1)
        assert second.voidcmd("NOOP").startswith("200")
        second.close()
        assert reports == []


def test_a_hidden_tab_gets_nothing(served: Served) -> None:
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with watched_page(served.browser) as (page, _):
        served.log_in(page)
        expect(page.get_by_text("live", exact=True)).to_be_visible()
        with page.expect_event("requestfailed", lambda request: "/live" in request.url):
            page.evaluate(hide, True)
        with page.expect_request("**/api/v1/live"):
            page.evaluate(hide, False)


def test_the_end_of_a_login_is_told(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        page.get_by_role("link", name="Accounts").click()
        expect(page.get_by_role("row").filter(has_text=XSS)).to_have_count(1)
        page.context.clear_cookies()
        page.goto(f"{served.url}#bans")
        expect(page.get_by_role("alert").first).to_have_text("Your login has ended. Log in again.")
        served.fill_in(page)
        expect(page.get_by_role("heading", name="Bans")).to_be_visible()
        assert reports == []


def test_what_has_failed_is_there_after_a_restart_and_a_lost_connection_is_told(
    served: Served, tmp_path: Path
) -> None:
    service = CommandService(tmp_path)
    service.add("--rights", "full,admin")
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with watched_page(served.browser) as (page, _):
        with service.serve(*words) as program:
            first = Served(service, program, served.browser)
            first.log_in(page, password="wrong")
            expect(page.get_by_role("alert")).to_have_text("Login failed.")
            first.log_in(page)
            expect(page.get_by_role("cell", name="login failed")).to_be_visible()
            program.stopped()
        expect(page.get_by_text("Connection lost")).to_be_visible()
        expect(page.get_by_text("not connected")).to_be_visible()
        with service.serve(*words) as program:
            Served(service, program, served.browser).log_in(page)
            expect(page.get_by_role("cell", name="login failed")).to_be_visible()
            page.get_by_label("Time").select_option("hour")
            expect(page.get_by_role("img", name="Sessions:")).to_be_visible()
            program.stopped()


def session_row(number: int) -> dict[str, object]:
    transfer = {
        "id": str(number), "path": f"/file {number}", "upload": True, "since": 0, "size": 100
    }  # fmt: skip
    return {
        "session": number, "id": f"s-{number}", "user": f"user{number}", "address": "192.0.2.1",
        "protocol": "ftp", "since": 0, "transfers": [transfer], "last": None,
    }  # fmt: skip


def test_of_thousands_of_sessions_only_those_that_are_seen_are_in_the_document(
    served: Served,
) -> None:
    rows = [session_row(number) for number in range(1, 5001)]
    moved = [[str(number), 50] for number in range(1, 5001)]
    snapshot = {"sessions": rows, "moved": moved, "now": 9, "started": 0, "last": 0}
    events = f"retry: 60000\nevent: snapshot\ndata: {json.dumps(snapshot)}\n\n"
    with watched_page(served.browser) as (page, reports):
        page.route(
            "**/api/v1/live",
            lambda route: route.fulfill(body=events, content_type="text/event-stream"),
        )
        served.log_in(page)
        page.get_by_role("link", name="Sessions", exact=True).click()
        expect(page.get_by_text("5000 of 5000")).to_be_visible()
        assert page.get_by_role("row").count() < 50
        table = page.get_by_label("Rows of sessions")
        table.evaluate("element => element.scrollTo(0, element.scrollHeight)")
        expect(page.get_by_role("row").filter(has_text="user5000")).to_be_visible()
        assert page.get_by_role("row").count() < 50
        number = page.get_by_role("columnheader", name="No")
        expect(number).to_have_attribute("aria-sort", "ascending")
        page.get_by_role("button", name="Sort by No").click()
        expect(number).to_have_attribute("aria-sort", "descending")
        table.evaluate("element => element.scrollTo(0, 0)")
        expect(page.get_by_role("row").filter(has_text="user5000")).to_be_visible()
        page.get_by_label("Filter sessions").fill("user4711")
        expect(page.get_by_role("row")).to_have_count(2)  # with that of the heads
        assert reports == []


def test_the_page_can_be_used_by_keyboard(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        page.goto(served.url)
        expect(page.get_by_label("Account")).to_be_focused()
        page.keyboard.type("ann")
        page.keyboard.press("Tab")
        page.keyboard.type(SECRET)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Throughput")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Filter sessions")).to_be_visible()
        assert reports == []


def test_each_transfer_of_a_login_has_a_row_with_its_progress(served: Served) -> None:
    (served.service.place / "var/files/bob").mkdir(exist_ok=True)
    (served.service.place / "var/files/bob/large.bin").write_bytes(bytes(48 << 20))
    bob = PageClient(served.program, "bob")
    address = bob.files("content", path="/large.bin")
    downloads = [
        bob.open("GET", address, Range=f"bytes={first}-{last}")
        for first, last in ((0, (24 << 20) - 1), (24 << 20, (48 << 20) - 1))
    ]
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        expect(page.get_by_role("link", name="2 transfers")).to_be_visible()
        expect(page.get_by_text("2 running")).to_be_visible()
        page.get_by_role("link", name="Sessions", exact=True).click()
        page.get_by_label("Filter sessions").fill("large.bin")
        expect(page.get_by_role("progressbar")).to_have_count(2)
        expect(page.get_by_role("row").filter(has_text="/large.bin")).to_have_count(2)
        expect(page.get_by_role("button", name="Kick")).to_have_count(1)
        page.get_by_role("link", name="bob").first.click()
        expect(page.get_by_role("progressbar")).to_have_count(2)
        for one in downloads.pop():
            one.close()
        expect(page.get_by_role("progressbar")).to_have_count(1)
        for one in downloads.pop():
            one.close()
        expect(page.get_by_role("progressbar")).to_have_count(0)
        assert reports == []


def test_a_trace_is_started_downloaded_and_stopped(served: Served) -> None:
    with watched_page(served.browser) as (page, reports), served.client("bob") as client:
        served.log_in(page)
        page.get_by_role("link", name="Traces", exact=True).click()
        page.get_by_label("Session or account").fill("bob")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("status")).to_contain_text("The trace of bob has begun")
        row = page.get_by_role("row").filter(has_text="bob")
        expect(row).to_contain_text("runs until")
        client.voidcmd("NOOP")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the transcript of bob").click()
        lines = Path(download.value.path()).read_text().splitlines()
        assert json.loads(lines[0])["trace"] == 1
        assert [json.loads(line).get("command") for line in lines].count("NOOP") == 1
        page.get_by_role("button", name="Stop the trace of bob").click()
        expect(row).to_contain_text("ended: stopped by ann")
        page.get_by_role("button", name="Remove the trace of bob").click()
        expect(page.get_by_text("There is none.")).to_be_visible()
        page.get_by_label("Session or account").fill("4711")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("status")).to_contain_text("there is no session 4711")
        assert reports == []
