"""Answers the requests to the API: caller, route, body, operation, result."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ftpservice.accounts.account_store import (
    AccountExists,
    AccountStoreError,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.stores.removed_accounts import RemovedAccountsError
from ftpservice.activity.admin_actions import BadRequest
from ftpservice.concurrency.thread_pool import PoolOverloaded
from ftpservice.state_files.disk_space import is_out_of_space
from ftpservice.storage.errors import StorageError
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.api.body_schema import parse_body
from ftpservice.web.api.routes import JSON_MEDIA, ApiCall, Route, RouteTable
from ftpservice.web.http.problems import NO_SPACE_REASON, Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["TOKEN_TEXT", "ApiResource", "CallerAccess", "problem_of"]

log = Logger("ftpservice.web")

JSON = JSON_MEDIA.encode()
ENDED_TEXT = "The login has ended."
TOKEN_TEXT = "An API token has no files; this needs the login of an account."
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (BadRequest, 400),
    (NoSuchAccount, 404),
    (AccountExists, 409),
    (StoreUnavailable, 503),
    (RemovedAccountsError, 503),
    (AccountStoreError, 400),
    (PoolOverloaded, 503),
    (TransferAborted, 503),
    (StorageError, 503),
)


class CallerAccess(Protocol):
    """Tells who makes a request."""

    def caller(self, request: WebRequest) -> Awaitable[Caller]:
        """Return the caller; raises `Problem` if nobody may make the request."""


def problem_of(error: BaseException | None) -> Problem:
    """Return an error of an operation as a problem; an unexpected one is logged."""
    if isinstance(error, Problem):
        return error
    for kind, status in STATUSES:
        if isinstance(error, kind):
            if is_out_of_space(error):
                return Problem(507, str(error), reason=NO_SPACE_REASON)
            return Problem(status, str(error))
    log.failure("a request to the API failed", Failure(error) if error else None)
    return Problem(500, "See the log of the service.")


class ApiResource(Resource):
    """The API below its root; ``parts`` is what the operations work on."""

    isLeaf = True

    def __init__(self, table: RouteTable, access: CallerAccess, parts: Any) -> None:
        super().__init__()
        self._table = table
        self._access = access
        self._parts = parts
        self.fixed: dict[str, Callable[[WebRequest], None]] = {}
        """What else answers GET, by its path: without a caller."""
        self.streams: dict[str, Callable[[WebRequest, Callable[[], Awaitable[bool]]], None]] = {}
        """What answers GET of a caller with the scope ``read`` for a long time, by its path."""

    def render(self, request: WebRequest) -> int:
        """Begin to answer."""
        answering: Deferred[None]
        answering = Deferred.fromCoroutine(self._answer(request, lambda: answering.cancel()))
        request.notifyFinish().addErrback(lambda _lost: answering.cancel())
        answering.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _may_listen(self, request: WebRequest) -> bool:
        """Return whether the caller of a request that is being answered still may make it."""
        try:
            _require(Scope.READ, await self._access.caller(request))
        except Problem:
            return False
        return True

    def _failed(self, failure: Failure, request: WebRequest) -> None:
        is_cancelled = failure.check(CancelledError) is not None
        problem = Problem(401, ENDED_TEXT) if is_cancelled else problem_of(failure.value)
        request.fail(problem)

    async def _answer(self, request: WebRequest, cancel: Callable[[], object]) -> None:
        """Answer; ``cancel`` is called if the session of the caller is ended."""
        words = [word.decode("utf-8", "surrogateescape") for word in request.postpath or ()]
        method = request.method.decode("ascii", "replace")
        if "/".join(words) in self.fixed and method in ("GET", "HEAD"):
            self.fixed["/".join(words)](request)
            return
        caller = await self._access.caller(request)
        if "/".join(words) in self.streams and method == "GET":
            _require(Scope.READ, caller)
            self.streams["/".join(words)](request, lambda: self._may_listen(request))
            return
        await self._dispatch(request, words, caller, cancel)

    async def _dispatch(
        self,
        request: WebRequest,
        words: list[str],
        caller: Caller,
        cancel: Callable[[], object],
    ) -> None:
        found = self._table.find(words)
        method = request.method.decode("ascii", "replace")
        if not found:
            raise Problem(404, "There is nothing at this address; see openapi.json.")
        if method == "HEAD" and method not in found:
            method = "GET"  # `twisted.web` sends no body then
        if method not in found:
            request.setHeader(b"Allow", ", ".join(found).encode())
            raise Problem(405, "The address does not support this method.")
        route, values = found[method]
        account = caller.account
        if route.scope is not None:
            _require(route.scope, caller)
        elif account is None:
            raise Problem(403, TOKEN_TEXT)
        body = parse_body(route.body, request.content.getvalue())
        call = ApiCall(caller, values, _query(request, route.query), body, request.peer_host)
        if route.scope is not None or account is None:
            await self._carry_out(route, call, request)
            return
        request.channel.may_finish = True
        with account.working(cancel):
            await self._carry_out(route, call, request)

    async def _carry_out(self, route: Route, call: ApiCall, request: WebRequest) -> None:
        if route.is_streamed:
            await route.operation(self._parts, call, request)
            return
        result = await route.operation(self._parts, call)
        request.send(200, json.dumps(result).encode() + b"\n", JSON)


def _require(scope: Scope, caller: Caller) -> None:
    if scope not in caller.scopes:
        lacking = "the right admin" if caller.account is not None else f"the scope {scope}"
        raise Problem(403, f"This needs {lacking}.")


def _query(request: WebRequest, known: Any) -> dict[str, str]:
    found = {}
    arguments: Any = request.args or {}
    for name, values in arguments.items():
        text = name.decode("utf-8", "replace")
        if text not in known:
            raise Problem(400, f"{text!r} is not a parameter here.")
        found[text] = values[-1].decode("utf-8", "surrogateescape")
    return found
