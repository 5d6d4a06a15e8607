"""Second factors of logins to the page, in memory: enrolment, login, removal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from ftpservice.accounts.second_factors.factor_changes import with_code_secret
from ftpservice.accounts.second_factors.factor_file import FactorFile
from ftpservice.accounts.second_factors.factor_records import Passkey
from ftpservice.accounts.second_factors.passkeys import with_passkey
from ftpservice.events import AdminAction, LoggedIn, LoginFailed, LoginRefusal
from ftpservice.web.access.login_challenges import LIFE_SECONDS, MAX_TRIES
from ftpservice.web.access.request_access import CHECK_SECONDS
from tests.support.page_in_memory import PASSWORD, PageInMemory
from tests.support.web_client import Answer

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def file(tmp_path: Path) -> FactorFile:
    return FactorFile(tmp_path / "second-factors.json")


@pytest.fixture
def page(file: FactorFile) -> Iterator[PageInMemory]:
    made = PageInMemory(factor_file=file)
    yield made
    made.stop()


def code_of(page: PageInMemory, secret: str = SECRET) -> str:
    return pyotp.TOTP(secret).at(int(page.now))


def kinds(page: PageInMemory) -> list[str]:
    return [type(event).__name__ for event in page.events]


def test_an_app_is_added_with_the_password_and_a_code_then_asked_for(page: PageInMemory) -> None:
    page.log_in()
    refused = page.send("factors/app")
    assert (refused.status, refused.json["proof"]) == (403, "password")
    assert page.send("factors/app", password="wrong").status == 401
    begun = page.send("factors/app", password=PASSWORD).json
    assert begun["qr"].startswith("data:image/svg+xml")
    assert f"secret={begun['secret']}" in begun["uri"]
    assert page.send("factors/app/confirm", code="000000").status == 400
    assert page.ask("GET", "/login/factors").json["app_since"] is None
    codes = page.send("factors/app/confirm", code=code_of(page, begun["secret"])).json
    assert len(codes["recovery_codes"]) == 10
    actions = [one for one in page.events if isinstance(one, AdminAction)]
    assert [(one.user, one.action, one.detail) for one in actions] == [
        ("ann", "second factor added", "one-time codes")
    ]
    shown = page.ask("GET", "/login/factors")
    assert shown.json["app_since"] == page.now
    assert begun["secret"].encode() not in shown.body
    page.ask("DELETE", "/login")
    page.cookie = ""
    answer = page.log_in().json
    assert set(answer) == {"user", "second_factor"}
    assert answer["second_factor"] == {"codes": True, "passkey": None, "recovery": 10}
    used_up = code_of(page, begun["secret"])
    assert page.send("second-factor", code=used_up).status == 401
    page.now += 30
    done = page.send("second-factor", code=code_of(page, begun["secret"]))
    assert (done.status, done.json["user"]) == (200, "ann")
    assert page.ask("GET", "/login").status == 200


def test_an_app_that_was_added_meanwhile_is_not_replaced(
    page: PageInMemory, file: FactorFile
) -> None:
    page.log_in()
    begun = page.send("factors/app", password=PASSWORD).json
    file.change("ann", with_code_secret(SECRET, 0.0))
    before = file.read()
    answer = page.send("factors/app/confirm", code=code_of(page, begun["secret"]))
    assert (answer.status, "meanwhile" in answer.json["detail"]) == (409, True)
    assert file.read() == before


def test_before_the_second_factor_there_is_no_login(page: PageInMemory, file: FactorFile) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    assert "step" in page.cookie
    for method, path in (("GET", "/login"), ("GET", "/login/factors"), ("DELETE", "/login")):
        assert page.ask(method, path).status == 401
    assert page.send("factors/app/remove", code=code_of(page)).status == 401
    value = page.cookie.partition("=")[2]
    page.cookie = f"ftpservice={value}"
    assert page.ask("GET", "/login").status == 401
    assert kinds(page) == []
    page.cookie = f"ftpservice-step={value}"
    assert page.send("second-factor", code=code_of(page)).status == 200
    assert page.events[-1].info.protocol == "http"
    assert isinstance(page.events[-1], LoggedIn)
    again = page.cookie
    page.cookie = f"ftpservice-step={value}"
    assert page.send("second-factor", code=code_of(page)).status == 410
    page.cookie = again


def test_the_answer_belongs_to_its_browser_and_its_time(
    page: PageInMemory, file: FactorFile
) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    assert page.send("second-factor", code=code_of(page)).status == 410
    page.log_in()
    headers = ["Origin: http://evil.example", "Content-Type: application/json"]
    body = json.dumps({"code": code_of(page)}).encode()
    cookie = f"Cookie: {page.cookie}"
    evil = page.memory.ask("POST /login/second-factor", *headers, cookie, body=body)
    assert evil.status == 403
    page.clock.advance(LIFE_SECONDS)
    assert page.send("second-factor", code=code_of(page)).status == 410
    assert page.realm.logouts == ["ann"]


def test_an_account_that_changes_between_the_steps_begins_with_the_password(
    page: PageInMemory, file: FactorFile
) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    noted: list[LoggedIn] = []
    page.factory.password_accepted = noted.append
    page.log_in()
    (login,) = noted
    assert (login.user, login.session) == ("ann", *page.factory.sessions)
    page.factory.sessions[login.session].finish_and_disconnect("as the watch of accounts does")
    assert page.send("second-factor", code=code_of(page)).status == 410
    assert "LoggedIn" not in kinds(page)
    page.log_in()
    page.now += 30
    assert page.send("second-factor", code=code_of(page)).status == 200


def test_after_some_wrong_codes_the_password_is_asked_for_again(
    page: PageInMemory, file: FactorFile
) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    assert [page.send("second-factor", code="1").status for _ in range(MAX_TRIES)] == (
        [401] * MAX_TRIES
    )
    assert page.send("second-factor", code=code_of(page)).status == 410
    reasons = [one.reason for one in page.events if isinstance(one, LoginFailed)]
    assert reasons == [LoginRefusal.WRONG_FACTOR] * MAX_TRIES
    assert page.realm.logouts == ["ann"]


@pytest.mark.parametrize(
    "body", [{}, {"code": 5}, {"code": None}, {"passkey": "x"}, {"passkey": {"id": []}}]
)
def test_malformed_answers_are_refused(page: PageInMemory, file: FactorFile, body: Any) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    assert page.send("second-factor", **body).status == 400
    assert page.ask("POST", "/login/second-factor", b"[").status == 400
    assert page.ask("POST", "/login/second-factor", b"[]").status == 400


def test_removal_needs_a_code_every_time(page: PageInMemory, file: FactorFile) -> None:
    codes = file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    page.send("second-factor", code=code_of(page))
    for body in ({}, {"password": PASSWORD}, {"code": "000000"}, {"code": code_of(page)}):
        assert page.send("factors/app/remove", **body).status == 403
    assert page.ask("GET", "/login").status == 200
    page.now += 30
    renewed = page.send("factors/recovery-codes", code=code_of(page)).json["recovery_codes"]
    assert page.send("factors/app/remove", code=codes[0]).status == 403
    assert page.send("factors/app/remove", code=renewed[0]).status == 200
    assert file.read() == {}
    assert page.send("factors/app/remove").status == 403


def test_a_second_factor_that_was_just_given_is_enough_to_add_another(
    page: PageInMemory, file: FactorFile
) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    page.send("second-factor", code=code_of(page))
    page.now += 30
    assert page.send("factors/recovery-codes", code=code_of(page)).status == 200
    assert page.send("factors/app").status == 409
    assert page.send("factors/passkey").status == 409  # by an address
    page.now += 300
    assert page.send("factors/app").status == 403


def test_accounts_that_need_a_second_factor_do_not_get_in_without(file: FactorFile) -> None:
    for required, user in ((("admins",), "root"), (("ann",), "ann"), (("all",), "ann")):
        page = PageInMemory(factor_file=file, required=required)
        refused = page.log_in(user)
        assert refused.status == 403
        assert "an administrator adds it" in refused.json["detail"]
        (event,) = page.events
        assert isinstance(event, LoginFailed)
        assert event.reason is LoginRefusal.NO_FACTOR
        page.stop()
    page = PageInMemory(factor_file=file, required=("admins", "@staff"))
    assert page.log_in("ann").status == 200
    page.stop()
    page = PageInMemory(factor_file=file, required=("@staff",))
    page.realm.more["groups"] = ("staff",)
    assert page.log_in("ann").status == 403
    page.stop()


def test_a_file_that_cannot_be_read_lets_nobody_in(page: PageInMemory, file: FactorFile) -> None:
    file.path.write_text("{")
    assert page.log_in().status == 503
    assert page.realm.logouts == ["ann"]


def test_without_a_data_directory_there_are_no_second_factors() -> None:
    page = PageInMemory()
    page.log_in()
    shown = page.ask("GET", "/login/factors").json
    assert (shown["apps_possible"], shown["passkeys_possible"]) == (False, False)
    begun = page.send("factors/app", password=PASSWORD).json
    code = code_of(page, begun["secret"])
    assert page.send("factors/app/confirm", code=code).status == 404
    page.stop()


def test_a_challenge_of_a_passkey_is_good_for_one_try(tmp_path: Path) -> None:
    file = FactorFile(tmp_path / "second-factors.json")
    known = Passkey("key", "AAAA", "AAAA", "localhost", 0.0)
    file.change("ann", with_passkey(known))
    page = PageInMemory(factor_file=file)
    name = ["Host: localhost:8021", "Origin: http://localhost:8021"]

    def send(path: str, **given: object) -> Answer:
        cookie = [f"Cookie: {page.cookie}"] if page.cookie else []
        kind = ["Content-Type: application/json", *name, *cookie]
        return page.memory.ask(f"POST {path}", *kind, body=json.dumps(given).encode())

    answer = send("/login", user="ann", password=PASSWORD)
    page.cookie = answer.headers["set-cookie"].partition(";")[0]
    challenges = [answer.json["second_factor"]["passkey"]["challenge"]]
    (waiting, _timer) = next(iter(page.challenges._challenges.values()))
    for _ in range(3):
        before = waiting.ceremony
        refused = send("/login/second-factor", passkey={"id": "AAAA"})
        assert refused.status == 401
        assert waiting.ceremony != before
        challenges.append(refused.json["passkey"]["challenge"])
    assert len(set(challenges)) == 4
    page.stop()


def test_a_change_ends_the_other_logins_of_the_account(
    page: PageInMemory, file: FactorFile
) -> None:
    logins = []
    for _ in range(2):
        page.cookie = ""
        page.log_in()
        logins.append((page.cookie, page.csrf))
    begun = page.send("factors/app", password=PASSWORD).json
    assert page.send("factors/app/confirm", code=code_of(page, begun["secret"])).status == 200
    page.clock.advance(CHECK_SECONDS)
    assert page.ask("GET", "/login").status == 200
    page.cookie, page.csrf = logins[0]
    assert page.ask("GET", "/login").status == 401
    page.cookie, page.csrf = logins[1]
    page.clock.advance(CHECK_SECONDS)
    file.path.write_text("[")  # what cannot be read ends nothing
    assert page.ask("GET", "/login").status == 200
    file.path.unlink()  # as after `ftpservice user second-factor remove`
    page.clock.advance(CHECK_SECONDS)
    assert page.ask("GET", "/login").status == 401


def test_factors_that_change_between_the_two_steps_end_the_login(
    page: PageInMemory, file: FactorFile
) -> None:
    file.change("ann", with_code_secret(SECRET, 0.0))
    page.log_in()
    other = with_passkey(Passkey("key", "AAAA", "AAAA", "localhost", 0.0))
    file.change("ann", other)
    assert page.send("second-factor", code=code_of(page)).status == 200
    page.clock.advance(CHECK_SECONDS)
    assert page.ask("GET", "/login").status == 401
