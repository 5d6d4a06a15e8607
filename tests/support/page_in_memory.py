"""The page's logins in memory: accounts with files in memory, on a clock."""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.accounts.account import Account, IAccount
from ftpservice.accounts.second_factors.factor_file import FactorFile
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.control.factory import FTPFactory
from ftpservice.events import Event
from ftpservice.session.settings import SessionSettings
from ftpservice.storage.errors import Exists
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import create_file
from ftpservice.web.access.factor_access import FactorAccess
from ftpservice.web.access.login_challenges import LoginChallenges
from ftpservice.web.access.page_sessions import PageSessions
from ftpservice.web.access.portal_access import PortalAccess
from ftpservice.web.access.request_access import RequestAccess
from ftpservice.web.access.second_step import SecondStep
from ftpservice.web.access.security_access import SecurityAccess
from ftpservice.web.access.token_access import TokenAccess
from ftpservice.web.api.api_resource import ApiResource
from ftpservice.web.api_mount import API_ROUTES
from ftpservice.web.page.page import LoginResource
from ftpservice.wire.paths import VirtualPath
from tests.support.web_client import Answer, SiteInMemory

__all__ = ["ORIGIN", "PASSWORD", "PageInMemory", "done"]

ORIGIN = "http://127.0.0.1:8021"
PASSWORD = "secret"


@implementer(IRealm)
class NamedRealm:
    """Accounts over the same files: ``ann``, and ``root`` with the right ``admin``."""

    def __init__(self) -> None:
        self.storage: Any = MemoryStorage()
        self.rights = {"ann": PRESETS["full"], "root": PRESETS["full"] | {Right.ADMIN}}
        self.more: dict[str, Any] = {}
        self.logouts: list[str] = []

    def requestAvatar(self, avatar_id: Any, _mind: Any, *_interfaces: Any) -> Any:
        name = avatar_id.decode()
        storage = RestrictedStorage(self.storage, self.rights[name])
        account = Account(name, storage, self.rights[name], **self.more)
        return succeed((IAccount, account, lambda: self.logouts.append(name)))


class PageInMemory:
    """A site with ``/login``, and the accounts of a `NamedRealm`."""

    def __init__(
        self,
        settings: SessionSettings | None = None,
        factor_file: FactorFile | None = None,
        required: tuple[str, ...] = (),
    ) -> None:
        self.memory, self.realm = SiteInMemory(), NamedRealm()
        self.clock, self.site = self.memory.clock, self.memory.site
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for name in self.realm.rights:
            checker.addUser(name.encode(), PASSWORD.encode())
        self.factory = FTPFactory(Portal(self.realm, [checker]), self.clock, settings)
        self.events: list[Event] = []
        self.factory.event_sink.events.subscribe(self.events.append)
        self.sessions = PageSessions(self.clock)
        self.portal = PortalAccess(self.factory, (checker,), lambda _seconds: succeed(None))
        self.access = RequestAccess(
            TokenAccess(None, InlineRunner(), self.events.append, self.clock.seconds, self.clock),
            self.portal,
            self.sessions,
            lambda _is_secure, _host: True,
            self.clock.seconds,
        )
        self.now = 1_700_000_000.0
        """The time of second factors."""
        factors = FactorAccess(
            factor_file,
            InlineRunner(),
            self.factory,
            lambda _seconds: succeed(None),
            lambda: self.now,
        )
        self.challenges = LoginChallenges(self.clock)
        self.access.second_step = SecondStep(factors, self.challenges, required)
        security = SecurityAccess(self.access, factors)
        self.site.mount("/login", LoginResource(self.access, security))
        parts = SimpleNamespace(archive_pool=InlineRunner(), archives={})
        self.site.mount("/api/v1", ApiResource(API_ROUTES, self.access, parts))
        self.cookie = self.csrf = ""

    def log_in(self, user: str = "ann", password: str = PASSWORD) -> Answer:
        """Log in; the cookie is sent from then on."""
        given = json.dumps({"user": user, "password": password}).encode()
        answer = self.ask("POST", "/login", given)
        if answer.status == 200:
            self.cookie = _cookie(answer)
            self.csrf = answer.json.get("csrf", "")
        return answer

    def send(self, path: str, **body: Any) -> Answer:
        """Send a JSON object to a path below ``/login``."""
        answer = self.ask("POST", f"/login/{path}", json.dumps(body).encode())
        if "csrf" in answer.json:
            self.cookie, self.csrf = _cookie(answer), answer.json["csrf"]
        return answer

    @property
    def headers(self) -> list[str]:
        """The headers of a request of the page."""
        return [
            f"Origin: {ORIGIN}",
            "Content-Type: application/json",
            *([f"Cookie: {self.cookie}", f"X-CSRF-Token: {self.csrf}"] if self.cookie else []),
        ]

    def ask(self, method: str, path: str, body: bytes = b"", *more: str) -> Answer:
        """Send a request of the page."""
        return self.memory.ask(f"{method} {path}", *self.headers, *more, body=body)

    def get(self, word: str, *more: str, method: str = "GET", **query: str) -> Answer:
        """Ask for one of the files: ``list``, ``content``, ...; ``more`` are headers."""
        pairs = ((name, text.encode("utf-8", "surrogateescape")) for name, text in query.items())
        return self.ask(method, f"/api/v1/files/{word}?{urlencode(list(pairs))}", b"", *more)

    def post(self, word: str, **members: Any) -> Answer:
        """Change a file: ``directory``, ``rename`` or ``delete``."""
        return self.ask("POST", f"/api/v1/files/{word}", json.dumps(members).encode())

    def write(self, path: str, content: bytes = b"") -> None:
        """Create a file, with the directories above it."""
        storage, place = self.realm.storage, VirtualPath.parse(path)

        async def write() -> None:
            for depth in range(1, len(place.parts)):
                with suppress(Exists):
                    await storage.make_directory(VirtualPath(place.parts[:depth]))
            await create_file(storage, path, content)

        done(write())

    def of_kind(self, kind: type[Event]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def stop(self) -> None:
        """End everything; nothing may be left on the clock."""
        self.sessions.stop()
        self.challenges.stop()
        self.factory.stopFactory()
        assert self.factory.sessions == {}
        assert self.clock.getDelayedCalls() == []


def done(work: Any) -> Any:
    """Return the result of a coroutine that does not wait."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def _cookie(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]
