"""The table of routes: what is not in it does not exist. Dispatch and OpenAPI read the rows."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftpservice.web.access.scopes import Caller, Scope

__all__ = ["JSON_MEDIA", "ApiCall", "Route", "RouteTable"]

PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class ApiCall:
    """One request to a route."""

    caller: Caller
    path: Mapping[str, str]
    """The values of the parameters in the path."""
    query: Mapping[str, str]
    """The last value of each parameter."""
    body: Mapping[str, Any]
    peer: str
    """The address of the client."""


Operation = Callable[..., Awaitable[Any]]
"""Takes the parts of the service (`ApiParts`) and a call; returns a JSON value.

That of a streamed route also takes the request, and answers it.
"""
JSON_MEDIA = "application/json"


@dataclass(frozen=True)
class Route:
    """One row: a method of a path, who may call it, and what it does."""

    method: str
    path: str
    """Below the root of the API: ``/sessions/{session}``."""
    scope: Scope | None
    """What a caller needs; None: the login of an account, which works on its own files."""
    operation: Operation
    returns: Mapping[str, Any]
    """The schema of the result; of one line for several of them."""
    body: Mapping[str, Any] | None = None
    """The schema of the body."""
    query: Mapping[str, str] = field(default_factory=dict)
    """What each parameter of the query means."""
    media: str = JSON_MEDIA
    """The type of the answer."""
    is_streamed: bool = False
    """Whether the operation takes the request as well, and sends the answer itself."""
    errors: tuple[int, ...] = ()
    """The statuses of its own errors, besides those that every route may have."""
    repeats: str = ""
    """The parameter of the query that may be given several times."""

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.operation.__name__

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return (self.operation.__doc__ or "").partition("\n")[0]

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters in the path."""
        return PARAMETER.findall(self.path)


class RouteTable:
    """The routes; `add` is a decorator."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(
        self, method: str, path: str, scope: Scope | None, returns: Mapping[str, Any], **more: Any
    ) -> Callable[[Operation], Operation]:
        """Add the decorated coroutine function as the operation of a route."""

        def added(operation: Operation) -> Operation:
            self.routes.append(Route(method, path, scope, operation, returns, **more))
            return operation

        return added

    def find(self, words: list[str]) -> dict[str, tuple[Route, dict[str, str]]]:
        """Return the routes of a path, by method, each with the values of its parameters."""
        found = {}
        for route in self.routes:
            pattern = route.path.strip("/").split("/")
            if len(pattern) != len(words):
                continue
            values: dict[str, str] = {}
            for expected, word in zip(pattern, words, strict=True):
                name = PARAMETER.fullmatch(expected)
                if name is not None and word:
                    values[name[1]] = word
                elif expected != word:
                    break
            else:
                found[route.method] = (route, values)
        return found
