"""The status page of a node, in a real browser: it shows and steers all nodes."""

from __future__ import annotations

import ftplib
import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import CHROMIUM, accessibility_problems, chromium, watched_page
from tests.support.cluster_services import Nodes
from tests.support.postgresql import PostgreSQL
from tests.support.service_process import PATIENCE, Program
from tests.support.worker_service import login

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

WAIT = PATIENCE * 1000
"""Milliseconds; what happens at another node is shown some seconds later."""
PHONE = {"width": 375, "height": 740}


class Served:
    """The nodes n1, which has the page, and n2."""

    def __init__(self, nodes: Nodes, browser: Browser) -> None:
        self.nodes, self.browser = nodes, browser
        self.first = nodes.start("n1", "--http=tcp:0:interface=127.0.0.1")
        self.second = nodes.start("n2")
        self.second.line("cluster (of|has) 2 nodes")
        port = self.first.line(r" http://127\.0\.0\.1:(\d+)/")[1]
        self.url = f"http://127.0.0.1:{port}/"

    def log_in(self, page: Page) -> None:
        page.goto(self.url)
        page.get_by_label("Account").fill("demo")
        page.get_by_label("Password").fill("demo")
        page.get_by_role("button", name="Log in").click()

    def sessions(self, page: Page) -> None:
        page.get_by_role("link", name="Sessions", exact=True).click()


@pytest.fixture(scope="module")
def served(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Nodes(tmp_path_factory.mktemp("page"), postgresql) as nodes, chromium() as browser:
        expect.set_options(timeout=WAIT)
        yield Served(nodes, browser)
        expect.set_options(timeout=None)


def ended(client: ftplib.FTP) -> None:
    """Require that a session was ended."""
    with pytest.raises((ftplib.error_temp, EOFError, ConnectionError)):
        client.voidresp()


def test_a_transfer_of_another_node_is_watched_and_kicked(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        with (
            closing(login(served.second.port(), "other")) as client,
            client.transfercmd("STOR there") as data,
        ):
            data.sendall(b"x" * 300_000)
            served.sessions(page)
            row = page.get_by_role("row").filter(has_text="other")
            expect(row.locator(".node")).to_have_text("n2")
            expect(row).to_contain_text("293 KiB")
            data.sendall(b"x" * 300_000)
            expect(row).to_contain_text("586 KiB")
            expect(page.get_by_role("row").filter(has_text="demo").locator(".node")).to_have_text(
                "n1"
            )
            page.get_by_label("Node", exact=True).select_option("n1")
            expect(row).to_have_count(0)
            page.get_by_label("Node", exact=True).select_option("n2")
            expect(row).to_have_count(1)
            row.get_by_role("link", name="Session n2:").click()
            expect(page.get_by_role("heading", name="Session n2:")).to_be_visible()
            expect(page.get_by_text("upload", exact=False).first).to_be_visible()
            page.get_by_role("button", name="Kick").click()
            expect(page.get_by_role("status")).to_contain_text("Session n2:")
            ended(client)
            expect(page.get_by_text("has ended", exact=True)).to_be_visible()
            served.sessions(page)
            expect(page.get_by_role("row").filter(has_text="other")).to_have_count(0)
            page.get_by_role("link", name="Overview").click()
            failures = page.locator("section").filter(has_text="Last failures")
            expect(failures).to_contain_text("/there")
        assert reports == []


def test_the_table_of_all_nodes_is_accessible(served: Served) -> None:
    with watched_page(served.browser) as (page, _):
        served.log_in(page)
        expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
        assert accessibility_problems(page) == []
        served.sessions(page)
        expect(page.get_by_label("Node", exact=True)).to_be_visible()
        assert accessibility_problems(page) == []


def test_all_sessions_of_an_account_and_of_an_address_end_at_all_nodes(served: Served) -> None:
    ports = served.first.port(), served.second.port()
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        with closing(login(ports[0], "other")) as here, closing(login(ports[1], "other")) as there:
            page.goto(f"{served.url}#user/other")
            page.once("dialog", lambda dialog: dialog.accept())
            page.get_by_role("button", name="Kick all 2").click()
            expect(page.get_by_role("status")).to_contain_text("have ended")
            ended(here)
            ended(there)
            expect(page.get_by_text("None now.")).to_be_visible()
        assert [one for one in reports if not one.startswith("dialog")] == []


def test_nodes_have_their_health_and_one_that_dies_is_no_longer_shown(served: Served) -> None:
    with watched_page(served.browser) as (page, reports):
        served.log_in(page)
        table = page.locator("section").filter(has=page.get_by_role("heading", name="Nodes"))
        row = table.get_by_role("row").filter(has_text="n2")
        expect(row).to_contain_text("ready")
        expect(table.get_by_role("row").filter(has_text="n1")).to_contain_text("this one")
        served.nodes.run("n1", "drain", "--node", "n2")
        attention = page.locator("section").filter(has_text="Needs attention")
        expect(attention).to_contain_text("Node n2: draining")
        served.nodes.run("n1", "drain", "--undo", "--node", "n2")
        with closing(login(served.second.port(), "other")):
            served.sessions(page)
            found = page.get_by_role("row").filter(has_text="other")
            expect(found).to_have_count(1)
            served.second.process.kill()
            expect(found).to_have_count(0)
        page.get_by_role("link", name="Overview").click()
        expect(row).to_contain_text("gone for")
        served.second = served.nodes.start("n2")
        served.sessions(page)
        with closing(login(served.second.port(), "other")):
            expect(page.get_by_role("row").filter(has_text="other")).to_have_count(1)
        assert reports == []


def test_quotas_and_problems_of_all_nodes_are_shown(served: Served) -> None:
    quota = {"bytes": 95, "files": 1, "quota_bytes": 100, "quota_files": None, "filled": 0.95}
    journal = {"place": "sqlite:j", "waiting": 0, "lost": 3, "problem": ""}
    state = {"accepts": True, "journal": journal, "hooks": [], "quotas": [{"user": "eve", **quota}]}
    body = {"answers": [{"node": "n2", "result": state}], "silent": [], "problem": ""}
    with watched_page(served.browser) as (page, reports):
        page.route("**/api/v1/nodes/state", lambda route: route.fulfill(json=body))
        served.log_in(page)
        attention = page.locator("section").filter(has_text="Needs attention")
        expect(attention).to_contain_text("n2: The journal has lost 3 events.")
        expect(attention).to_contain_text("Nearly full quotas: eve")
        quotas = page.locator("section").filter(has=page.get_by_role("heading", name="Quotas"))
        expect(quotas).to_contain_text("of all nodes")
        expect(quotas).to_contain_text("eve")
        expect(page.get_by_text("Of this node, n1.")).to_have_count(3)
        page.unroute("**/api/v1/nodes/state")
        with page.expect_response("**/api/v1/nodes/state") as found:
            page.reload()
        answers = {one["node"]: one["result"] for one in found.value.json()["answers"]}
        assert sorted(answers) == ["n1", "n2"]
        assert [one["accepts"] for one in answers.values()] == [True, True]
        assert reports == []


def session_row(number: int) -> dict[str, object]:
    transfer = {
        "id": str(number), "path": f"/file {number}", "upload": True, "since": 0, "size": 100
    }  # fmt: skip
    return {
        "session": number // 2, "id": f"s-{number}", "user": f"user{number}", "node":
        f"n{number % 2 + 1}", "address": "192.0.2.1", "protocol": "ftp", "since": 0,
        "transfers": [transfer], "last": None,
    }  # fmt: skip


def test_of_thousands_of_sessions_of_two_nodes_only_those_that_are_seen_are_in_the_document(
    served: Served,
) -> None:
    rows = [session_row(number) for number in range(2, 5002)]
    known = {"node": "n1", "nodes": ["n1", "n2"], "away": "", "now": 9}
    snapshot = {"sessions": rows, "moved": [], "started": 0, "last": 0, **known}
    moved = [[str(number), 50] for number in range(2, 5002)]
    delta = {"changed": [], "gone": ["n1:1"], "moved": moved, "events": [], **known}
    texts = (("snapshot", snapshot), ("delta", delta | {"now": 10}))
    events = "".join(f"event: {name}\ndata: {json.dumps(value)}\n\n" for name, value in texts)
    with watched_page(served.browser, viewport=PHONE) as (page, reports):
        page.route(
            "**/api/v1/live",
            lambda route: route.fulfill(
                body=f"retry: 60000\n{events}", content_type="text/event-stream"
            ),
        )
        served.log_in(page)
        served.sessions(page)
        expect(page.get_by_text("4999 of 4999")).to_be_visible()
        assert page.get_by_role("row").count() < 50
        expect(page.get_by_role("link", name="Session n2:1", exact=True)).to_be_visible()
        page.set_viewport_size({"width": 1200, "height": 800})
        page.get_by_label("Node", exact=True).select_option("n2")
        expect(page.get_by_text("2500 of 4999")).to_be_visible()
        page.get_by_role("button", name="Sort by Node").click()
        assert page.get_by_role("row").count() < 50
        assert reports == []


def test_it_is_told_when_only_this_node_is_known(served: Served) -> None:
    away = {"node": "n1", "nodes": ["n1"], "away": "the database cannot be used", "now": 9}
    snapshot = {"sessions": [], "moved": [], "started": 0, "last": 0, **away}
    body = f"retry: 60000\nevent: snapshot\ndata: {json.dumps(snapshot)}\n\n"
    with watched_page(served.browser) as (page, reports):
        page.route(
            "**/api/v1/live",
            lambda route: route.fulfill(body=body, content_type="text/event-stream"),
        )
        served.log_in(page)
        expect(page.get_by_text("Only this node is shown: the database")).to_be_visible()
        served.sessions(page)
        expect(page.get_by_text("Only the sessions of this node are shown")).to_be_visible()
        assert reports == []


def stopped(program: Program) -> None:
    assert program.stopped() == 0
    assert "Traceback" not in program.output


def test_both_nodes_stop_without_an_error(served: Served) -> None:
    stopped(served.second)
    stopped(served.first)
