"""Events as JSON documents for commands and webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from uuid import uuid4

from ftpservice import events
from ftpservice.events import Event, Outcome
from ftpservice.storage.gates import GateRequest

__all__ = ["EVENT_KINDS", "document_of", "environment_of", "event_name", "request_document"]

RUN_ID = uuid4().hex[:20]
"""Begins the ids of this process."""
_numbers = count(1)

EVENT_KINDS: dict[str, tuple[type[Event], ...]] = {
    "login": (events.LoggedIn,),
    "upload": (events.TransferEnded,),
    "download": (events.TransferEnded,),
    "delete": (events.FileChanged, events.FileExpired),
    "rename": (events.FileChanged,),
    "restore": (events.FileChanged,),
    "refusal": (
        events.LoginFailed,
        events.CommandRefused,
        events.UploadRefused,
        events.Refused,
    ),
    "ban": (events.Banned,),
}
"""The kinds of events that a hook is told of, by the words of its ``on``."""
NAMES = {kind: name for name, kinds in EVENT_KINDS.items() for kind in kinds if len(kinds) == 1}
NAMES |= dict.fromkeys(EVENT_KINDS["refusal"], "refusal")
"""The word of an event that has one only."""


def _transfer(event: events.TransferEnded) -> dict[str, Any]:
    return {
        "path": event.path,
        "size": event.size,
        "seconds": round(event.seconds, 6),
        "digest": event.digest,
        "transfer": event.transfer_id,
    }


def _refusal(event: events.CommandRefused) -> dict[str, Any]:
    found = {
        "command": event.command,
        "path": event.path,
        "code": event.code,
        "reason": event.text,
        "detail": event.detail,
    }
    if isinstance(event, events.UploadRefused):
        found["refused_by"] = event.refused_by
    return found


def _deletion(event: events.FileExpired) -> dict[str, Any]:
    return {"path": event.path, "size": event.size, "retention": event.rule}


def _change(event: events.FileChanged) -> dict[str, Any]:
    return {"path": event.path} | ({"target": event.target} if event.target else {})


DETAILS: dict[type[Event], Callable[[Any], dict[str, Any]]] = {
    events.LoggedIn: lambda _event: {},
    events.TransferEnded: _transfer,
    events.FileChanged: _change,
    events.FileExpired: _deletion,
    events.LoginFailed: lambda event: {"reason": str(event.reason), "detail": event.detail},
    events.CommandRefused: _refusal,
    events.UploadRefused: _refusal,
    events.Refused: lambda event: {"reason": event.reason},
    events.Banned: lambda event: {
        "network": event.network,
        "reason": event.reason,
        "until": event.until,
    },
}


def event_name(event: Event) -> str:
    """Return the word of ``on`` for an event; empty if no hook is told of it."""
    if isinstance(event, events.TransferEnded):
        if event.outcome is not Outcome.COMPLETE:
            return ""
        return "upload" if event.upload else "download"
    if isinstance(event, events.FileChanged):
        return event.action if event.action in ("delete", "rename", "restore") else ""
    if isinstance(event, events.FileExpired):
        return "" if event.is_directory else "delete"
    return NAMES.get(type(event), "")


def document_of(event: Event) -> dict[str, Any]:
    """Return the document of an event that has a name."""
    info = event.info
    found: dict[str, Any] = {
        "id": f"{RUN_ID}{next(_numbers):012x}",
        "event": event_name(event),
        "when": event.when,
        "user": event.user,
        "groups": list(info.groups),
        "peer": event.peer,
        "protocol": info.protocol,
        "tls": info.tls,
        "session": info.id,
    }
    found |= DETAILS[type(event)](event)
    for key, name in (("path", "storage_name"), ("target", "target_storage_name")):
        if found.get(key):
            found[name] = info.storage_name(found[key])
    return found


def request_document(request: GateRequest) -> dict[str, Any]:
    """Return the document of what a gate is asked."""
    found: dict[str, Any] = {
        "id": request.id,
        "event": request.action,
        "gate": True,
        "when": request.when,
        "user": request.user,
        "groups": list(request.groups),
        "peer": request.peer,
        "protocol": request.protocol,
        "session": request.session,
    }
    if request.path:
        found |= {"path": request.path, "storage_name": request.storage_name}
    if request.size is not None:
        found["size"] = request.size
    if request.renamed_from:
        found["renamed_from"] = request.renamed_from
    return found


VARIABLES = {
    "FTPSERVICE_EVENT": "event",
    "FTPSERVICE_ID": "id",
    "FTPSERVICE_USER": "user",
    "FTPSERVICE_PEER": "peer",
    "FTPSERVICE_PATH": "path",
    "FTPSERVICE_STORAGE_NAME": "storage_name",
    "FTPSERVICE_TARGET": "target",
    "FTPSERVICE_FILE": "file",
}


def environment_of(document: Mapping[str, Any], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: some of that of the service, and of the document."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "VIRTUAL_ENV")
    found = {name: inherited[name] for name in kept if name in inherited}
    for name, key in VARIABLES.items():
        value = document.get(key)
        if value and "\0" not in str(value):
            found[name] = str(value)
    return found
