"""The cookies of logins: what a browser is told of them, and what is read of them."""

from __future__ import annotations

import pytest
from twisted.web.test.requesthelper import DummyRequest

from ftpservice.web.access.login_cookie import LoginCookie


class Request(DummyRequest):
    """A request whose cookies are kept with all of their attributes."""

    def __init__(self, is_secure: bool, cookies: dict[bytes, bytes]) -> None:
        super().__init__([b""])
        self.set: dict[str, dict[str, object]] = {}
        self._is_secure, self._received = is_secure, cookies

    def isSecure(self) -> bool:
        return self._is_secure

    def getCookie(self, name: bytes) -> bytes | None:
        return self._received.get(name)

    def addCookie(self, name: str, value: str, **attributes: object) -> None:
        self.set[name] = {"value": value} | attributes


@pytest.mark.parametrize(("is_secure", "name"), [(True, "__Host-login"), (False, "login")])
def test_it_is_bound_to_this_host_and_hidden_from_scripts(is_secure: bool, name: str) -> None:
    request = Request(is_secure, {})
    LoginCookie("login").set(request, "secret")
    assert request.set == {
        name: {
            "value": "secret",
            "path": "/",
            "max_age": None,
            "httpOnly": True,
            "secure": is_secure,
            "sameSite": "strict",
        }
    }
    LoginCookie("login").set(request, "", seconds=0)
    assert request.set[name]["max_age"] == "0"


def test_under_tls_only_the_bound_one_is_read() -> None:
    cookies = {b"login": b"plain", b"__Host-login": b"bound"}
    assert LoginCookie("login").read(Request(True, cookies)) == "bound"
    assert LoginCookie("login").read(Request(False, cookies)) == "plain"
    assert LoginCookie("other").read(Request(True, cookies)) == ""
    assert LoginCookie("login").read(Request(False, {b"login": b"\xff"})) == "\ufffd"
