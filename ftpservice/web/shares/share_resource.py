"""Answers the requests of people who have a link: ``/s/SECRET``, and what is below a folder.

A link that does not exist, has expired, or whose account may no longer read the file, is the same
404. Links of the file system are not followed: they could lead out of the folder.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.accounts.defence.login_attempts import TooManyAttempts, delay_after
from ftpservice.control.factory import FTPFactory
from ftpservice.events import AdminAction, LoginFailed, LoginRefusal, SessionInfo
from ftpservice.storage.errors import StorageError
from ftpservice.storage.links import lstat
from ftpservice.web.access.account_session import PROTOCOL, AccountSession
from ftpservice.web.access.portal_access import PortalAccess
from ftpservice.web.access.random_secrets import hash_of, new_secret
from ftpservice.web.access.request_access import TLS_TEXT
from ftpservice.web.api.api_resource import problem_of
from ftpservice.web.files.content_routes import send_file
from ftpservice.web.files.directory_batches import OpenDirectory, has_address
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest
from ftpservice.web.shares.share_file import Share
from ftpservice.web.shares.share_page import (
    PAGE_POLICY,
    file_page,
    folder_page,
    password_page,
    quoted_name,
)
from ftpservice.web.shares.share_watch import ShareWatch
from ftpservice.web.shares.shares import Shares
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = ["SHARES_ROOT", "ShareAccess", "ShareResource"]

SHARES_ROOT = "/s"
HTML, TEXT = b"text/html; charset=utf-8", b"text/plain; charset=utf-8"
COOKIE = b"ftpshare"
COOKIE_SECONDS = 3600.0
MAX_OPENED = 10_000
MAX_ENTRIES = 10_000
GONE_TEXT = "There is nothing at this address."


@dataclass(frozen=True)
class ShareAccess:
    """What a request needs of the service."""

    shares: Shares
    portal: PortalAccess
    factory: FTPFactory
    pause: Callable[[float], Any]
    """Returns what to await for a time."""
    allows: Callable[[bool, str], bool]
    """Returns whether a password may come over a connection: with TLS or not, from an address."""
    seconds: Callable[[], float]
    clock: IReactorTime


class OpenedShares:
    """Which browsers have given the password of a link."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._opened: dict[str, tuple[str, float]] = {}

    def add(self, share: Share) -> str:
        """Return the value of a cookie for a link."""
        now, value = self._seconds(), new_secret(16)
        for key, (_hash, until) in list(self._opened.items()):
            if until > now and len(self._opened) < MAX_OPENED:
                break
            del self._opened[key]
        self._opened[hash_of(value)] = share.hash, now + COOKIE_SECONDS
        return value

    def has(self, share: Share, value: bytes | None) -> bool:
        """Return whether a cookie is one for the link."""
        hash, until = self._opened.get(
            hash_of((value or b"").decode("ascii", "replace")), ("", 0.0)
        )
        return hash == share.hash and until > self._seconds()


class ShareResource(Resource):
    """Everything below ``/s``."""

    isLeaf = True

    def __init__(self, access: ShareAccess) -> None:
        super().__init__()
        self._access = access
        self._opened = OpenedShares(access.seconds)
        self._watch = ShareWatch(access.shares, access.portal, access.clock)

    def render(self, request: WebRequest) -> int:
        """Begin to answer."""
        answering: Deferred[None]
        answering = Deferred.fromCoroutine(self._answer(request, lambda: answering.cancel()))
        request.notifyFinish().addErrback(lambda _lost: answering.cancel())
        answering.addErrback(_failed, request)
        return NOT_DONE_YET

    async def _answer(self, request: WebRequest, cancel: Callable[[], object]) -> None:
        if request.method not in (b"GET", b"HEAD", b"POST"):
            request.setHeader(b"Allow", b"GET, HEAD, POST")
            raise Problem(405, "The address does not support this method.")
        secret, *below = [
            word.decode("utf-8", "surrogateescape") for word in request.postpath or [b""]
        ]
        share = await self._access.shares.find(secret)
        if share is None:
            raise Problem(404, GONE_TEXT)
        if share.password and not await self._may_open(request, share):
            return
        if request.method == b"POST":
            _redirect(request)
            return
        try:
            session = await self._access.portal.open(share.user, request.peer_host, request.tls)
        except Problem as problem:
            raise Problem(404, GONE_TEXT) if problem.status == 403 else problem from None
        try:
            if not session.may_transfer:
                raise Problem(404, GONE_TEXT)
            session.begin_as_guest()
            with session.working(cancel), self._watch.watching(session, share):
                await self._send(request, share, session, below)
        finally:
            session.end(f"of the share link {share.id}")

    async def _may_open(self, request: WebRequest, share: Share) -> bool:
        """Return whether the password is known; otherwise it has been asked for."""
        if self._opened.has(share, request.getCookie(COOKIE)):
            return True
        if not self._access.allows(request.isSecure(), request.peer_host):
            raise Problem(403, TLS_TEXT)
        password = _given_password(request)
        if password is not None and await self._check(request, share, password):
            if request.method == b"POST":
                self._remember(request, share)
            return True
        if _is_browser(request):
            _send_page(request, password_page(is_wrong=password is not None), 401)
        else:
            request.setHeader(b"WWW-Authenticate", b'Basic realm="shared files", charset="UTF-8"')
            request.send_problem(Problem(401, "This needs the password of the link."))
        return False

    def _remember(self, request: WebRequest, share: Share) -> None:
        place = b"/".join((SHARES_ROOT.encode(), (request.postpath or [b""])[0]))
        value, secure = self._opened.add(share), request.isSecure()
        request.addCookie(COOKIE, value, path=place, httpOnly=True, secure=secure, sameSite="lax")

    async def _check(self, request: WebRequest, share: Share, password: str) -> bool:
        """Check a password, with the delays and events of a login; raises `Problem`."""
        access, peer = self._access, request.peer_host
        attempts = access.factory.services().login_attempts
        try:
            await attempts.admit(peer)
        except TooManyAttempts:
            self._publish_failure(share, peer, LoginRefusal.THROTTLED)
            raise Problem(429, "Too many failed logins from your address.") from None
        ended = attempts.abandoned
        try:
            is_right = await access.shares.accepts(share, password)
            ended = attempts.succeeded if is_right else attempts.failed
        finally:
            ended(peer)
        if not is_right:
            self._publish_failure(share, peer, LoginRefusal.WRONG_PASSWORD)
            await access.pause(delay_after(1))
        return is_right

    def _publish_failure(self, share: Share, peer: str, reason: LoginRefusal) -> None:
        info, detail = SessionInfo(protocol=PROTOCOL), f"of the share link {share.id}"
        event = LoginFailed(self._access.seconds(), 0, peer, share.user, reason, detail, info=info)
        self._access.factory.event_sink.events.publish(event)

    async def _send(
        self, request: WebRequest, share: Share, session: AccountSession, below: list[str]
    ) -> None:
        """Send a file, or what is in a folder; raises `Problem`."""
        storage, is_browser = session.context.storage, _is_browser(request)
        try:
            path, entry = await _found(storage, VirtualPath.parse(share.path), below)
            if entry.kind is not Kind.DIRECTORY:
                if is_browser and b"download" not in (request.args or {}):
                    _send_page(request, file_page(path.name, entry.size))
                    return
                self._publish_use(share, session, path)
                await send_file(session, path, request)
                return
            entries, is_complete = await _entries(storage, path)
        except (StorageError, BadPath):
            raise Problem(404, GONE_TEXT) from None
        except Problem as problem:
            raise Problem(404, GONE_TEXT) if problem.status in (403, 404) else problem from None
        if is_browser:
            words = [word.decode("ascii", "replace") for word in (request.postpath or [])[:1]]
            place = "/".join([SHARES_ROOT, *words, *(quoted_name(one) for one in below if one), ""])
            _send_page(request, folder_page(path.name, place, entries, is_complete))
        else:
            lines = "".join(_line(entry) for entry in entries)
            request.send(200, lines.encode("utf-8", "surrogateescape"), TEXT)

    def _publish_use(self, share: Share, session: AccountSession, path: VirtualPath) -> None:
        peer, info = session.context.peer, session.context.events.info
        facts = (self._access.seconds(), peer.session, peer.label, share.user)
        event = AdminAction(
            *facts, "share download", share.id, str(path), info=info or SessionInfo()
        )
        self._access.factory.event_sink.events.publish(event)


async def _found(storage: Any, top: VirtualPath, below: list[str]) -> tuple[VirtualPath, Entry]:
    """Return what a link leads to; raises `StorageError`, `Problem`."""
    path, names = top, [name for name in below if name]
    entry: Entry = await storage.stat(top)
    for name in names:
        if name in (".", "..") or "/" in name or entry.kind is not Kind.DIRECTORY:
            raise Problem(404, GONE_TEXT)
        path = path.joined(name)
        entry = await lstat(storage, path)
    if entry.kind not in (Kind.FILE, Kind.DIRECTORY):
        raise Problem(404, GONE_TEXT)
    return path, entry


async def _entries(storage: Any, path: VirtualPath) -> tuple[list[Entry], bool]:
    """Return the files and folders of a folder, sorted, and whether that is all."""
    found: list[Entry] = []
    opened = await OpenDirectory.of(storage, path)
    async with aclosing(opened.batches()) as batches:
        async for batch in batches:
            kinds = (Kind.FILE, Kind.DIRECTORY)
            found += [one for one in batch if one.kind in kinds and has_address(one)]
            if len(found) > MAX_ENTRIES:
                break
    shown = sorted(found[:MAX_ENTRIES], key=lambda one: (one.kind is Kind.FILE, one.name))
    return shown, len(found) <= MAX_ENTRIES


def _line(entry: Entry) -> str:
    return f"{quoted_name(entry.name)}{'/' if entry.kind is Kind.DIRECTORY else ''}\n"


def _is_browser(request: WebRequest) -> bool:
    return "text/html" in (request.getHeader("accept") or "")


def _given_password(request: WebRequest) -> str | None:
    """Return the password in a form or in the header of Basic authentication."""
    if request.method == b"POST":
        body: bytes = request.content.getvalue()
        fields = parse_qs(body, keep_blank_values=True)
        return fields.get(b"password", [b""])[-1].decode("utf-8", "surrogateescape")
    scheme, _, value = (request.getHeader("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(value, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]


def _send_page(request: WebRequest, page: bytes, status: int = 200) -> None:
    request.setHeader(b"Content-Security-Policy", PAGE_POLICY)
    request.send(status, page, HTML)


def _redirect(request: WebRequest) -> None:
    request.setHeader(b"Location", request.path)
    request.send(303, b"", TEXT)


def _failed(failure: Failure, request: WebRequest) -> None:
    if failure.check(CancelledError):
        request.fail(Problem(404, GONE_TEXT))
    else:
        request.fail(problem_of(failure.value))
