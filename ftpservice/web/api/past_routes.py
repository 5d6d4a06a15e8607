"""What the API tells of the past: events, rates and totals, from the journal."""

from __future__ import annotations

import math
from typing import Any

from ftpservice.activity.journal.journal_rows import EVENT_KINDS
from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.activity.reports.report_period import (
    ReportPeriod,
    parse_moment,
    parse_period,
)
from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.activity_history import SPANS
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import EVENT, PAST, USER_TOTALS, array
from ftpservice.web.http.problems import Problem

__all__ = ["routes"]

routes = RouteTable()

MAX_LISTED_EVENTS = 1000
ALL_TIME = 0.0
TIME_HELP = "a date, a time (UTC) or a time ago, as of REPORT, or seconds since the epoch"
FILTERS = {
    "since": f"Not earlier: {TIME_HELP}.",
    "until": f"Earlier than that: {TIME_HELP}.",
    "user": "Only of this account.",
    "kind": "Only of this kind, such as transfer or login failed (see docs/journal.md).",
    "address": "Only of this client address.",
    "session": "Only of the session with this id.",
    "node": "Only of this node of the cluster.",
    "path": "Only about this file; with user, also by its name on the disk.",
    "problems": "yes: only failures and refusals.",
    "before": "The id of the last event of the page before; until is its time (when).",
    "limit": "How many, at most 1000; by default 100.",
}


@routes.add(
    "GET",
    "/events",
    Scope.READ,
    PAST | {"properties": {**PAST["properties"], "events": array(EVENT)}},
    query=FILTERS,
)
async def list_events(parts: ApiParts, call: ApiCall) -> Any:
    """List events, the latest first, from the journal if there is one."""
    given = dict(call.query)
    limit, problems = given.pop("limit", "100"), given.pop("problems", "")
    if not _is_count(limit):
        raise Problem(400, f"limit is a number from 1 to {MAX_LISTED_EVENTS}.")
    if problems not in ("", "yes"):
        raise Problem(400, "problems is yes, or not given.")
    if given.get("kind", EVENT_KINDS[0]) not in ("", *EVENT_KINDS):
        raise Problem(400, f"kind is one of: {', '.join(EVENT_KINDS)}.")
    now = parts.seconds()
    since = _moment(given.pop("since", ""), now, ALL_TIME, is_end=False)
    until = _moment(given.pop("until", ""), now, math.inf, is_end=True)
    query = EventQuery(since, until, **given, problems=bool(problems), limit=int(limit))
    return await parts.past.events(query)


@routes.add("GET", "/history", Scope.READ, PAST, query={"span": "hour (the default), day or week."})
async def show_history(parts: ApiParts, call: ApiCall) -> Any:
    """Return rates, sessions and transfers over a time, a list for each value."""
    span = call.query.get("span", "hour")
    if span not in SPANS:
        raise Problem(400, f"span is one of {', '.join(SPANS)}.")
    return await parts.past.rates(span)


@routes.add(
    "GET",
    "/users",
    Scope.READ,
    PAST | {"properties": {**PAST["properties"], "users": array(USER_TOTALS)}},
    query={name: FILTERS[name] for name in ("since", "until", "user")},
)
async def top_users(parts: ApiParts, call: ApiCall) -> Any:
    """Return the totals of the users with the most bytes, of today by default."""
    try:
        words = [call.query.get(name, "") for name in ("since", "until", "user")]
        period = parse_period(words[0], words[1], "", parts.seconds())
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return await parts.past.users(ReportPeriod(period.since, period.until, words[2]))


def _is_count(limit: str) -> bool:
    is_number = limit.isascii() and limit.isdecimal() and len(limit) <= len(str(MAX_LISTED_EVENTS))
    return is_number and 0 < int(limit) <= MAX_LISTED_EVENTS


def _moment(text: str, now: float, default: float, is_end: bool) -> float:
    """Return the time that a parameter means; raises `Problem`."""
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds):
            raise Problem(400, f"{text!r} is not a time.")
        return seconds
    try:
        return parse_moment(text, now, is_end)
    except ValueError as error:
        raise Problem(400, str(error)) from None
