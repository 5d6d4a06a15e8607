"""A report as one HTML file: tables, and plots in SVG. It loads nothing from elsewhere.

Names and paths are those of clients, so every text is escaped, and the page permits no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil

from ftpservice.activity.reports.report_data import HourOfTransfers, ReportData
from ftpservice.activity.text_table import (
    duration_text,
    printable_text,
    rate_text,
    short_size,
    size_text,
    time_text,
)

__all__ = ["report_html"]

WIDTH, HEIGHT = 900, 180
MAX_BARS = 100
MAX_ROWS = 200
HOUR = 3600.0
STYLE = """
:root { color-scheme: light dark; --up: #1769aa; --down: #b45309; --line: #8888; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
svg { width: 100%; height: auto; } .up { fill: var(--up); } .down { fill: var(--down); }
text { fill: currentColor; font: 12px system-ui, sans-serif; } line { stroke: var(--line); }
@media (prefers-color-scheme: dark) { :root { --up: #6db3f2; --down: #f0a35e; } }
"""
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""

Bar = tuple[str, float, float]
"""A label, and the values of upload and download."""


def report_html(data: ReportData) -> str:
    """Return the page."""
    title = escape(f"ftpservice: {data.period.title}")
    return PAGE.format(title=title, style=STYLE, body="\n".join(_sections(data)))


def _sections(data: ReportData) -> Iterable[str]:
    totals = {name.replace("_", " "): f"{count:,}" for name, count in data.totals.items()}
    yield _table("Totals", ("", "*Count"), totals.items())
    if data.hours:
        bars = _bars(data.hours)
        traffic = [(label, up, down) for label, up, down, _ in bars]
        yield _plot("Bytes uploaded (lower part) and downloaded (upper part)", traffic, short_size)
        sessions = [(label, float(count), 0.0) for label, _, _, count in bars]
        yield _plot("Sessions", sessions, lambda value: f"{value:,.0f}")
    moved = ("*Files up", "*Bytes up", "*Files down", "*Bytes down")
    yield _table("Nodes", ("Node", "*Sessions", "*Logins", "*Failed", *moved, "*Incomplete"), (
        (one.node, str(one.sessions), str(one.logins), str(one.logins_failed), str(one.files_up),
         size_text(one.bytes_up), str(one.files_down), size_text(one.bytes_down),
         str(one.incomplete))
        for one in data.nodes
    ))  # fmt: skip
    heading = ("User", *moved)
    yield _table("Transfers by user", (*heading, "*Aborted", "*Refused"), (
        (one.user, str(one.files_up), size_text(one.bytes_up), str(one.files_down),
         size_text(one.bytes_down), str(one.aborted), str(one.refused))
        for one in data.users
    ))  # fmt: skip
    yield _table("Failed logins", ("User", "Address", "Reason", "Last (UTC)", "*Times"), (
        (one.user, one.address, one.reason, time_text(one.last), str(one.times))
        for one in data.failed_logins
    ))  # fmt: skip
    place = ("Node",) if data.nodes else ()
    columns = ("User", "Address", "Transfer", "*Size", "*Duration", "*Rate")
    yield _table("Slowest transfers", ("End (UTC)", *place, *columns), (
        (time_text(one.at), *((one.node,) if place else ()), one.user, one.address,
         f"{one.action} of {one.path}", size_text(one.bytes), duration_text(one.seconds),
         rate_text(one.rate))
        for one in data.slowest
    ))  # fmt: skip
    facts = ("User", "Address", "What", "File", "Reason")
    yield _table("Last errors", ("When (UTC)", *place, *facts), (
        (time_text(one.at), *((one.node,) if place else ()), one.user, one.address,
         f"{one.kind} {one.action} {one.outcome}".strip(), one.path, one.detail)
        for one in data.errors
    ))  # fmt: skip


def _table(title: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a column whose heading begins with ``*`` has numbers."""
    listed = list(rows)
    if not listed:
        return ""
    classes = [' class="n"' if name.startswith("*") else "" for name in heading]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name.removeprefix("*"))}</th>'
        for name, kind in zip(heading, classes, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(text, kind) for text, kind in zip(row, classes, strict=True))}</tr>\n"
        for row in listed[:MAX_ROWS]
    )
    more = len(listed) - MAX_ROWS
    rest = f"<p>{more} more</p>" if more > 0 else ""
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}</tbody></table></div>{rest}"
    )


def _cell(text: str, kind: str) -> str:
    return f"<td{kind}>{escape(printable_text(text, 500)) or '-'}</td>"


def _bars(hours: Sequence[HourOfTransfers]) -> list[tuple[str, float, float, int]]:
    """Return at most `MAX_BARS` bars, each of the same time: an hour, or several."""
    first, last = hours[0].hour, hours[-1].hour
    width = HOUR * max(1, ceil(((last - first) / HOUR + 1) / MAX_BARS))
    count = int((last - first) // width) + 1
    ups, downs, sessions = [0.0] * count, [0.0] * count, [0] * count
    for one in hours:
        number = int((one.hour - first) // width)
        ups[number] += one.bytes_up
        downs[number] += one.bytes_down
        sessions[number] += one.sessions
    labels = [f"{time_text(first + number * width)[:-3]}" for number in range(count)]
    return list(zip(labels, ups, downs, sessions, strict=True))


def _plot(title: str, bars: Sequence[Bar], shown: object) -> str:
    assert callable(shown)
    top = max(up + down for _, up, down in bars) or 1.0
    step = WIDTH / len(bars)
    drawn = []
    for number, (label, up, down) in enumerate(bars):
        x, wide = number * step + step * 0.1, step * 0.8
        low, high = up / top * HEIGHT, down / top * HEIGHT
        parts = f"{shown(up)} up, {shown(down)} down" if down else shown(up)
        drawn.append(
            f"<g><title>{escape(f'{label}: {parts}')}</title>"
            f'<rect class="up" x="{x:.1f}" y="{HEIGHT - low:.1f}" width="{wide:.1f}" '
            f'height="{low:.1f}"/><rect class="down" x="{x:.1f}" '
            f'y="{HEIGHT - low - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/></g>'
        )
    first, last = escape(bars[0][0]), escape(bars[-1][0])
    return (
        f"<h2>{escape(title)}</h2>"
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 -20 {WIDTH} {HEIGHT + 40}">'
        f'<text x="0" y="-6">{escape(shown(top))}</text>'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>{"".join(drawn)}'
        f'<text x="0" y="{HEIGHT + 16}">{first}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 16}" text-anchor="end">{last}</text></svg>'
    )
