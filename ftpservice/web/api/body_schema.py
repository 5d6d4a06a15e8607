"""Checks the JSON body of a request by the schema that the OpenAPI description has of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftpservice.web.http.problems import Problem

__all__ = ["parse_body"]

TYPES: dict[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
}


def parse_body(schema: Mapping[str, Any] | None, data: bytes) -> dict[str, Any]:
    """Return the members of a body; raises `Problem`. Without a schema there is no body."""
    if not data:
        value: Any = {}
    elif schema is None:
        raise Problem(400, "This request has no body.")
    else:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise Problem(400, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Problem(400, "The body is not a JSON object.")
    _check(schema or {}, value)
    return value


def _check(schema: Mapping[str, Any], value: Mapping[str, Any]) -> None:
    members = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise Problem(400, f"The member {name!r} is missing.")
    for name, given in value.items():
        if name not in members:
            known = ", ".join(members) or "none"
            raise Problem(400, f"{name!r} is not a member here; these are: {known}.")
        if not _has_type(members[name], given):
            raise Problem(400, f"The member {name!r} is not of the type {members[name]['type']}.")


def _has_type(schema: Mapping[str, Any], given: Any) -> bool:
    kind: str = schema["type"]
    if isinstance(given, bool) and kind != "boolean":
        return False
    if not isinstance(given, TYPES[kind]):
        return False
    if isinstance(given, str):
        return _is_text(given)
    return kind != "array" or all(_has_type(schema["items"], item) for item in given)


def _is_text(given: str) -> bool:
    """Return whether a string is one of bytes: `json` also accepts other lone surrogates."""
    try:
        given.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
