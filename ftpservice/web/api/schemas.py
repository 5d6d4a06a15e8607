"""The schemas of bodies and results (JSON Schema, as OpenAPI 3.1 has it)."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ACCOUNT",
    "ANY",
    "BAN",
    "COMPONENTS",
    "ENDED",
    "EVENT",
    "PAST",
    "SESSION",
    "TRACE",
    "USER_TOTALS",
    "array",
    "body",
    "reference",
]

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
ANY: dict[str, Any] = {"type": "object"}


def reference(name: str) -> dict[str, Any]:
    """Return a schema that stands for one of `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def body(required: tuple[str, ...] = (), /, **members: Any) -> dict[str, Any]:
    """Return the schema of a body; a member is a type, or a schema."""
    properties = {
        name: {"type": kind} if isinstance(kind, str) else kind for name, kind in members.items()
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def _object(**members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


SESSION = reference("Session")
EVENT = reference("Event")
BAN = reference("Ban")
ACCOUNT = reference("Account")
ENDED = array(INTEGER)
TRACE = reference("Trace")
USER_TOTALS = reference("UserTotals")
PAST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "source": {"enum": ["journal", "memory"]},
        "problem": {"type": "string", "description": "Why it is not the journal; else empty."},
    },
    "required": ["source", "problem"],
}
"""An answer about the past: from the journal, or of this process since its start."""

COMPONENTS = {
    "Problem": _object(status=INTEGER, title=TEXT, detail=TEXT),
    "Session": _object(
        session=INTEGER,
        id=TEXT,
        user=TEXT,
        address=TEXT,
        protocol=TEXT,
        since=NUMBER,
        transfer=_or_null(reference("Transfer"))
        | {"description": "Of several running transfers the last one that began."},
        transfers=array(reference("Transfer"))
        | {"description": "All running transfers, in the order in which they began."},
        last=_or_null(ANY),
    ),
    "Transfer": _object(
        id=TEXT,
        path=TEXT,
        upload={"type": "boolean"},
        since=NUMBER,
        moved=INTEGER,
        size=_or_null(INTEGER),
    ),
    "Trace": _object(
        id=TEXT,
        target=TEXT,
        by=TEXT,
        since=NUMBER,
        until=NUMBER,
        records=INTEGER,
        bytes=INTEGER,
        ended={"type": "string", "description": "Why it has ended; empty: it runs."},
    ),
    "Ban": _object(network=TEXT, reason=TEXT, since=NUMBER, until=_or_null(NUMBER)),
    "FileEntry": _object(
        name=TEXT,
        kind={"type": "string", "enum": ["file", "directory", "link", "other"]},
        size=INTEGER,
        modified=NUMBER,
        mode=TEXT,
    ),
    "Event": _object(
        id=TEXT,
        when=NUMBER,
        kind=TEXT,
        session=INTEGER,
        events=INTEGER,
        **dict.fromkeys(
            (
                *("session_id", "transfer", "user", "address", "protocol", "tls", "groups"),
                *("path", "target", "storage_name", "action", "outcome", "digest", "detail"),
            ),
            TEXT,
        ),
        bytes=_or_null(INTEGER),
        seconds=_or_null(NUMBER),
        rate=_or_null(NUMBER),
        node=_or_null(TEXT) | {"description": "The node of a cluster; null without a cluster."},
    ),
    "UserTotals": _object(
        user=TEXT,
        **dict.fromkeys(
            (
                *("files_up", "bytes_up", "files_down", "bytes_down"),
                *("incomplete", "failed_logins"),
            ),
            INTEGER,
        ),
    ),
    "Account": _object(
        name=TEXT,
        locked={"type": "boolean"},
        rights=array(TEXT),
        owner=_or_null(TEXT)
        | {
            "readOnly": True,
            "description": "The name that its trash and its interrupted uploads are kept under, "
            "if it is not its own.",
        },
    ),
}
