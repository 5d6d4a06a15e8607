"""A report as lines of text and as CSV; no line has a control character."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

from ftpservice.activity.reports.report_data import HourOfTransfers, ProblemRow, ReportData
from ftpservice.activity.text_table import (
    duration_text,
    printable_text,
    rate_text,
    size_text,
    table_lines,
    time_text,
)
from ftpservice.wire.units import count_text

__all__ = ["csv_text", "report_lines"]

MAX_ROWS = 50
MAX_BUSY_HOURS = 10
MAX_ERRORS = 20
TIMES = ("at", "last", "hour")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that a spreadsheet would compute."""


def report_lines(data: ReportData) -> list[str]:
    """Return the report as text."""
    return [
        *_summary(data),
        *_nodes(data),
        *_users(data),
        *_failed_logins(data),
        *_busiest_hours(data),
        *_slowest(data),
        *_errors(data),
    ]


def _summary(data: ReportData) -> list[str]:
    totals = data.totals
    lines = [
        f"Report of {data.period.title}",
        f"Sessions   {totals['sessions']}, {totals['sessions_refused']} refused",
        f"Logins     {totals['logins']} succeeded, {totals['logins_failed']} failed",
        f"Uploads    {count_text(totals['uploads'], 'file')}, {size_text(totals['bytes_up'])}",
        f"Downloads  {count_text(totals['downloads'], 'file')}, {size_text(totals['bytes_down'])}",
        f"Incomplete {totals['aborted']} aborted, {totals['refused']} refused",
        f"Commands   {totals['commands_refused']} refused, {totals['commands_failed']} failed",
        f"Changes    {count_text(totals['files_changed'], 'file')}, "
        f"{totals['files_expired']} expired",
    ]
    if totals["lost"]:
        lines.append(f"Lost       {totals['lost']} events have no row of their own in the journal")
    return lines


def _nodes(data: ReportData) -> list[str]:
    rows = [
        (
            printable_text(one.node) or "-",
            str(one.sessions),
            str(one.logins),
            str(one.logins_failed),
            str(one.files_up),
            size_text(one.bytes_up),
            str(one.files_down),
            size_text(one.bytes_down),
            str(one.incomplete),
        )
        for one in data.nodes
    ]
    counts = ("Sessions", "Logins", "Failed", "Files up", "Bytes up", "Files down", "Bytes down")
    return _table("Nodes", ("Node", *counts, "Incomplete"), rows, 8)


def _users(data: ReportData) -> list[str]:
    rows = [
        (
            printable_text(one.user) or "-",
            str(one.files_up),
            size_text(one.bytes_up),
            str(one.files_down),
            size_text(one.bytes_down),
            str(one.aborted),
            str(one.refused),
        )
        for one in data.users
    ]
    heading = ("User", "Files up", "Bytes up", "Files down", "Bytes down", "Aborted", "Refused")
    return _table("Transfers by user", heading, rows, 6)


def _failed_logins(data: ReportData) -> list[str]:
    rows = [
        (
            printable_text(one.user) or "-",
            printable_text(one.address),
            one.reason,
            time_text(one.last),
            str(one.times),
        )
        for one in data.failed_logins
    ]
    return _table("Failed logins", ("User", "Address", "Reason", "Last (UTC)", "Times"), rows, 1)


def _busiest_hours(data: ReportData) -> list[str]:
    def amount(hour: HourOfTransfers) -> tuple[int, int, float]:
        return (-(hour.bytes_up + hour.bytes_down), -hour.files, hour.hour)

    rows = [
        (
            time_text(one.hour)[:-3],
            str(one.sessions),
            str(one.files),
            size_text(one.bytes_up),
            size_text(one.bytes_down),
        )
        for one in sorted(data.hours, key=amount)[:MAX_BUSY_HOURS]
    ]
    heading = ("Hour (UTC)", "Sessions", "Files", "Bytes up", "Bytes down")
    return _table("Busiest hours", heading, rows, 4)


def _slowest(data: ReportData) -> list[str]:
    rows = [
        (
            time_text(one.at),
            *_node(data, one.node),
            printable_text(one.user) or "-",
            printable_text(one.address),
            f"{one.action} of {printable_text(one.path)}",
            size_text(one.bytes),
            duration_text(one.seconds),
            rate_text(one.rate),
        )
        for one in data.slowest[:MAX_ERRORS]
    ]
    columns = ("User", "Address", "Transfer", "Size", "Duration", "Rate")
    heading = ("End (UTC)", *_node(data, "Node"), *columns)
    return _table("Slowest transfers", heading, rows, 3)


def _errors(data: ReportData) -> list[str]:
    rows = [
        (
            time_text(one.at),
            *_node(data, one.node),
            printable_text(one.user) or "-",
            printable_text(one.address) or "-",
            _problem(one),
        )
        for one in data.errors[:MAX_ERRORS]
    ]
    heading = ("When (UTC)", *_node(data, "Node"), "User", "Address", "Error")
    return _table("Last errors", heading, rows, 0)


def _node(data: ReportData, text: str) -> tuple[str, ...]:
    """Return the cell of the column with the node, if there is one."""
    return (printable_text(text) or "-",) if data.nodes else ()


def _problem(row: ProblemRow) -> str:
    if row.kind == "transfer":
        text = f"{row.action} of {printable_text(row.path)} {row.outcome}"
    else:
        about = " ".join(filter(None, (row.action, printable_text(row.path))))
        text = f"{row.kind}: {about}" if about else row.kind
    return f"{text}: {printable_text(row.detail)}" if row.detail else text


def _table(
    title: str, heading: Sequence[str], rows: Sequence[Sequence[str]], right: int
) -> list[str]:
    if not rows:
        return []
    lines = table_lines(heading, rows[:MAX_ROWS], right)
    more = [f"  ({len(rows) - MAX_ROWS} more)"] if len(rows) > MAX_ROWS else []
    return ["", f"{title}:", *("  " + line for line in lines), *more]


def csv_text(data: ReportData) -> str:
    """Return the report as CSV (RFC 4180): tables with a heading, separated by an empty line.

    Times are UTC.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("since", "until", "user"))
    period = data.period
    times = (time_text(period.since), time_text(period.until))
    writer.writerow([*times, _cell(period.user)])
    for title, counts in (("total", data.totals), ("login_failures", data.login_failures)):
        out.write("\r\n")
        writer.writerow((title, "count"))
        writer.writerows((_cell(name), count) for name, count in counts.items())
    for title in ("nodes", "users", "failed_logins", "hours", "errors", "slowest"):
        rows: Sequence[Any] = getattr(data, title)
        if rows:
            out.write("\r\n")
            names = [one.name for one in fields(rows[0])]
            writer.writerow((title, *names))
            writer.writerows(("", *map(_value, names, astuple(row))) for row in rows)
    return out.getvalue()


def _value(name: str, value: Any) -> Any:
    """Return a value for a cell; a time as spreadsheets read it, in UTC."""
    return time_text(value) if name in TIMES else _cell(value)


def _cell(value: Any) -> Any:
    """Return a value for a cell: no control character, and nothing that is computed."""
    if not isinstance(value, str):
        return value
    text = printable_text(value, 10_000)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
