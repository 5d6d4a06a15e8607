"""Publishes what administrators do to the running service, as `AdminAction`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice.events import AdminAction
from ftpservice.wire.units import count_text

__all__ = ["REQUESTED_BY", "BadRequest", "publishing_actions"]

REQUESTED_BY = "by"
"""The key of a request that says who made it: ``uid 1000``, or the name of an account."""

Request = Mapping[str, Any]
Action = Callable[[Request], Any]
Facts = tuple[str, str, str]
"""The action, its subject and the details of an `AdminAction`."""


class BadRequest(Exception):
    """A request cannot be carried out; ``str`` of it says why."""


def _kick(request: Request, result: Any) -> Facts:
    network, number = request.get("network"), request.get("session")
    subject = request.get("user") or network or f"session {number}"
    return "kick", str(subject), f"ended {count_text(len(result), 'session')}"


def _ban(request: Request, result: Any) -> Facts:
    duration, reason = request.get("duration"), request.get("reason")
    time = f"for {duration}" if duration else "until it is lifted"
    ended = f"ended {count_text(len(result['ended']), 'session')}"
    return "ban", str(result["network"]), ", ".join(filter(None, (time, reason, ended)))


def _drain(request: Request, result: Any) -> Facts | None:
    if request.get("undo"):
        return "drain", "", "undone: sessions are accepted again"
    left = f"{count_text(result['sessions'], 'session')} left"
    return None if request.get("ask") else ("drain", "", left)


def _quota(request: Request, result: Any) -> Facts | None:
    if not request.get("recount"):
        return None
    detail = f"{result['bytes']} bytes, {count_text(result['files'], 'file')}"
    return "quota recount", str(result["user"]), detail


def _certificate(request: Request, _result: Any) -> Facts | None:
    force = "forced" if request.get("force") else ""
    return ("certificate renew", "", force) if request.get("renew") else None


def _retention(request: Request, _result: Any) -> Facts | None:
    if request.get("dry_run"):
        return None
    force = "forced" if request.get("force") else ""
    return "retention run", str(request.get("user") or "all accounts"), force


def _trash_empty(request: Request, result: Any) -> Facts:
    below = f" below {request['file']}" if request.get("file") else ""
    detail = f"{count_text(result['files'], 'file')}, {result['bytes']} bytes{below}"
    return "trash empty", str(result["user"]), detail


STEERING: dict[str, Callable[[Request, Any], Facts | None]] = {
    "kick": _kick,
    "ban": _ban,
    "unban": lambda request, _result: ("unban", str(request.get("network")), ""),
    "drain": _drain,
    "reload": lambda _request, _result: ("reload", "", ""),
    "quota": _quota,
    "certificate": _certificate,
    "retention-run": _retention,
    "trash-restore": lambda _request, result: ("trash restore", result["user"], result["path"]),
    "trash-empty": _trash_empty,
    "trace": lambda request, _result: ("trace", str(request.get("target")), ""),
}
"""For each command that may change something: what it has done; None: it only asked."""


def publishing_actions(
    actions: Mapping[str, Action],
    publish: Callable[[AdminAction], object],
    seconds: Callable[[], float],
) -> dict[str, Action]:
    """Return the same actions, which publish what they have done.

    An action that fails has done nothing and publishes nothing.
    """

    def publishing(action: Action, facts_of: Callable[[Request, Any], Facts | None]) -> Action:
        def published(result: Any, request: Request) -> Any:
            facts = facts_of(request, result)
            if facts is not None:
                publish(AdminAction(seconds(), 0, "", str(request.get(REQUESTED_BY, "")), *facts))
            return result

        def act(request: Request) -> Any:
            result = action(request)
            if isinstance(result, Deferred):
                return result.addCallback(published, request)
            return published(result, request)

        return act

    return {
        name: publishing(action, STEERING[name]) if name in STEERING else action
        for name, action in actions.items()
    }
