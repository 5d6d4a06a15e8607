"""Second factors on the pages of a whole service, in a real browser with a passkey device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from ftpservice.accounts.second_factors.factor_changes import with_code_secret
from ftpservice.accounts.second_factors.factor_file import FactorFile
from tests.support.browser import CHROMIUM, chromium, watched_page
from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import Program

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

XSS = "<img src=x onerror=alert(1)>"


class Secured:
    """A service with the accounts ``ann``, ``bob`` and one of a hostile name, and a browser."""

    def __init__(self, place: Path, program: Program, browser: Browser) -> None:
        self.program, self.browser = program, browser
        port = int(program.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.url = f"http://localhost:{port}"
        self.file = FactorFile(place / "second-factors.json")

    def log_in(self, page: Page, user: str, path: str = "/security") -> None:
        page.goto(self.url + path)
        page.get_by_label("Account", exact=True).fill(user)
        page.get_by_label("Password", exact=True).fill(SECRET)
        page.get_by_role("button", name="Log in").click()

    def log_out(self, page: Page) -> None:
        page.context.clear_cookies()


def next_code(secret: str, used: set[str]) -> str:
    """Return a code that is accepted and was not used: that of now, or of the next step."""
    generator, now = pyotp.TOTP(secret), time.time()
    code = next(one for one in (generator.at(now), generator.at(now + 30)) if one not in used)
    used.add(code)
    return code


def reported(reports: list[str]) -> list[str]:
    return [one for one in reports if "http://localhost:" not in one]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    place = tmp_path_factory.mktemp("security")
    service = CommandService(place)
    new = ["--password-stdin", "--force"]
    service.command("add", "ann", "--root", "/ann", "--rights", "full,admin", *new)
    for name in ("bob", XSS):
        service.command("add", name, "--root", "/bob", *new)
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db", "--data-dir=."]
    with service.serve(*words) as program, chromium() as browser:
        yield Secured(place, program, browser)


def test_an_app_is_added_and_its_codes_are_asked_for(secured: Secured) -> None:
    with watched_page(secured.browser) as (page, reports):
        secured.log_in(page, XSS)
        expect(page.get_by_text("the password is enough")).to_be_visible()
        page.get_by_role("button", name="Add an app").click()
        page.get_by_label("Your password").fill("wrong")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_have_text("Login failed.")
        page.get_by_label("Your password").fill(SECRET)
        page.get_by_role("button", name="Continue").click()
        picture = page.get_by_role("img", name="QR code of the secret")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 100
        secret, used = page.locator("code.secret").inner_text(), set[str]()
        page.get_by_label("Code", exact=True).fill("000000")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
        page.get_by_label("Code", exact=True).fill(next_code(secret, used))
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator(".codes li")).to_have_count(10)
        recovery = page.locator(".codes li").first.inner_text()
        page.get_by_role("button", name="I have kept them").click()
        expect(page.get_by_text("Recovery codes: 10 left")).to_be_visible()
        secured.log_out(page)
        secured.log_in(page, XSS)
        page.get_by_label("Code of your app").fill("12345")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_have_text("The code is wrong or was used before.")
        page.get_by_label("Code of your app").fill(next_code(secret, used))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("button", name="Remove the app")).to_be_visible()
        page.get_by_role("button", name="Remove the app").click()
        page.get_by_label("Code of your app").fill(recovery)
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("the password is enough")).to_be_visible()
        expect(page.locator("img")).to_have_count(0)
        assert reported(reports) == []
    assert secured.file.find(XSS).is_on is False


def test_a_passkey_is_added_used_and_removed(secured: Secured) -> None:
    options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True}
    with watched_page(secured.browser) as (page, reports):
        device = page.context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        device.send(
            "WebAuthn.addVirtualAuthenticator",
            {"options": {**options, "isUserVerified": True}},
        )
        secured.log_in(page, "bob")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_label("Name of the passkey").fill(XSS)
        page.get_by_label("Your password").fill(SECRET)
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".codes li")).to_have_count(10)
        expect(page.get_by_role("row").filter(has_text=XSS)).to_contain_text("for localhost")
        (passkey,) = secured.file.find("bob").passkeys
        secured.log_out(page)
        secured.log_in(page, "bob")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("row").filter(has_text=XSS)).to_be_visible()
        (used,) = secured.file.find("bob").passkeys
        assert used.sign_count > passkey.sign_count
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_label("Name of the passkey").fill("the same device")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("has a passkey of the account already")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name=f"Remove the passkey {XSS}").click()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("the password is enough")).to_be_visible()
        expect(page.locator("img")).to_have_count(0)
        assert reported(reports) == []
    assert secured.file.find("bob").is_on is False


def test_an_administrator_gets_to_the_status_page_with_a_code(secured: Secured) -> None:
    secret = pyotp.random_base32()
    secured.file.change("ann", with_code_secret(secret, time.time()))
    size = {"width": 375, "height": 740}
    with watched_page(secured.browser, viewport=size, color_scheme="dark") as (page, reports):
        secured.log_in(page, "ann", "/")
        expect(page.get_by_label("Code of your app")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.keyboard.type(next_code(secret, set()))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Throughput")).to_be_visible()
        page.get_by_title("Account security").click()
        expect(page.get_by_role("button", name="New recovery codes")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        assert reported(reports) == []
