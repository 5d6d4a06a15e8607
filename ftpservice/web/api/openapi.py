"""The OpenAPI 3.1 description of the API, made from its routes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ftpservice import __version__
from ftpservice.web.api.routes import Route, RouteTable
from ftpservice.web.api.schemas import COMPONENTS, reference
from ftpservice.web.api.upload_paths import UPLOAD_PATHS

__all__ = ["API_ROOT", "openapi_document"]

API_ROOT = "/api/v1"
DESCRIPTION = (
    "See and steer a running ftpservice. Times are seconds since the epoch. Errors are problem "
    "objects (RFC 9457). A request needs a token of 'ftpservice token add', or the cookie of the "
    "status page."
)
TEXT = {"type": "string"}
ERRORS = {
    "400": "The request is malformed, or the service cannot carry it out.",
    "401": "The caller is not known.",
    "403": "The caller lacks the scope.",
    "404": "There is nothing of that name.",
    "503": "A part of the service is down or busy.",
}
OWN_ERRORS = {
    409: "The state of what it is about does not allow it, such as a name that exists.",
    412: "The file has changed (`If-Match`, `If-Unmodified-Since`).",
    413: "The body, or what is asked for, is too large.",
    415: "The file is of a kind that cannot be shown.",
    416: "The file does not have these bytes (`Range`).",
    429: "Too many of them are under way.",
    507: "No space left (`no-space`), or over the quota (`quota`).",
}


def openapi_document(table: RouteTable) -> dict[str, Any]:
    """Return the description."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in table.routes:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ftpservice", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": API_ROOT}],
        "security": [{"token": []}],
        "paths": paths | UPLOAD_PATHS,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": COMPONENTS,
        },
    }


def _needs(route: Route) -> str:
    if route.scope is None:
        return "Needs the login of an account (the cookie of the page), and is about its files."
    return f"Needs the scope `{route.scope}`."


def _errors(route: Route) -> dict[str, str]:
    """Return the texts of the errors of a route, by status."""
    own = {*route.errors, 413} if route.body is not None else route.errors
    return dict(sorted((ERRORS | {str(status): OWN_ERRORS[status] for status in own}).items()))


def _operation(route: Route) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _needs(route),
        "responses": {"200": _response("The result.", route.media, dict(route.returns))}
        | {
            status: _response(text, "application/problem+json", reference("Problem"))
            for status, text in _errors(route).items()
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in route.parameters
    ] + [
        {
            "name": name,
            "in": "query",
            "description": text,
            "schema": {"type": "array", "items": TEXT} if name == route.repeats else TEXT,
        }
        for name, text in route.query.items()
    ]
    if parameters:
        shown["parameters"] = parameters
    if route.body is not None:
        shown["requestBody"] = {
            "required": "required" in route.body,
            "content": {"application/json": {"schema": dict(route.body)}},
        }
    return shown


def _response(text: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {kind: {"schema": schema}}}
