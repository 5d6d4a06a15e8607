"""Make the pictures of the status page in ``pictures/``, in a real Chromium, of a real service.

Run: PYTHONPATH=.:client python docs/make_pictures.py [DIRECTORY]
"""

from __future__ import annotations

import ftplib
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.browser import chromium, watched_page
from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import PATIENCE, Program

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
SIZE = 400_000
USERS = ("anna", "bruno", "clara")


def client(program: Program, user: str, password: str = SECRET) -> ftplib.FTP:
    """Return a client that has logged in."""
    found = ftplib.FTP()
    found.connect("127.0.0.1", program.port(), PATIENCE)
    found.login(user, password)
    return found


def make_traffic(program: Program, stack: ExitStack) -> None:
    """Let users store files, fail and be refused; some transfers go on."""
    for number, user in enumerate(USERS):
        session = client(program, user)
        stack.callback(session.close)
        with session.transfercmd(f"STOR invoice-{number}.pdf") as data:
            data.sendall(b"x" * SIZE * (number + 1))
        session.voidresp()
        if number:
            running = session.transfercmd(f"STOR scan-{number}.tif")
            stack.callback(running.close)
            running.sendall(b"x" * SIZE * number)
        else:
            with suppress(ftplib.error_perm):
                session.voidcmd("DELE missing.csv")
    for user in ("root", "anna"):
        with suppress(ftplib.error_perm):
            client(program, user, "guess").close()


def log_in(browser_page: Page, url: str) -> None:
    """Log in as the administrator."""
    browser_page.goto(url)
    browser_page.get_by_label("Account").fill("admin")
    browser_page.get_by_label("Password").fill(SECRET)
    browser_page.get_by_role("button", name="Log in").click()
    browser_page.get_by_text("Needs attention").wait_for()
    browser_page.get_by_text("login failed").first.wait_for()


def take(browser: Browser, url: str, target: Path) -> None:
    """Take the pictures."""
    for name, size, scheme in (("overview", DESKTOP, "light"), ("phone", PHONE, "dark")):
        with watched_page(browser, viewport=size, color_scheme=scheme) as (page, _):
            log_in(page, url)
            page.wait_for_timeout(3000)
            page.screenshot(path=target / f"{name}.png")
            if name == "overview":
                page.goto(f"{url}#user/clara")
                page.get_by_text("invoice-2.pdf").first.wait_for()
                page.get_by_role("row").filter(has_text="7 days").filter(has_text="MiB").wait_for()
                page.screenshot(path=target / "user.png")


def main() -> None:
    """Start a service and a browser, and take the pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        service = CommandService(Path(directory))
        new = ["--password-stdin", "--force"]
        service.command("add", "admin", "--root", "/admin", "--rights", "full,admin", *new)
        for number, user in enumerate(USERS):
            service.command("add", user, "--root", f"/{user}", "--quota", f"{2 + number}M", *new)
        words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
        program = stack.enter_context(service.serve(*words))
        browser = stack.enter_context(chromium())
        make_traffic(program, stack)
        port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        take(browser, f"http://127.0.0.1:{port}/", target)
        stack.close()


if __name__ == "__main__":
    socket.setdefaulttimeout(PATIENCE)
    main()
