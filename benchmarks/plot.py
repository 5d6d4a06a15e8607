"""The results as a plot in SVG: one panel per job, each with its own scale, one bar per server."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from benchmarks.results import Results, Row
from benchmarks.servers.lineup import IN_C, OURS
from benchmarks.table import number

__all__ = ["svg"]

COLUMNS = 3
PANEL = 330
NAME, BAR = 92, 150
LINE, HEAD, GAP = 17, 34, 14
OURS_COLOUR, C_COLOUR, OTHER_COLOUR = "#c2410c", "#64748b", "#94a3b8"


def svg(results: Results) -> str:
    """Return the plot; the longest bar of a panel is the greatest number."""
    rows = [row for row in results.rows if any(it.usable for it in row.outcomes.values())]
    parts: list[str] = []
    top = GAP
    for start in range(0, len(rows), COLUMNS):
        shelf = rows[start : start + COLUMNS]
        for column, row in enumerate(shelf):
            parts += _panel(row, GAP + column * PANEL, top)
        top += max(_height(row) for row in shelf)
    width = GAP + COLUMNS * PANEL
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" '
        f'width="{width}" height="{top}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{top}" fill="white"/>',
        *parts,
        "</svg>\n",
    ])  # fmt: skip


def _height(row: Row) -> int:
    return HEAD + LINE * sum(it.usable for it in row.outcomes.values()) + GAP


def _panel(row: Row, left: int, top: int) -> Iterator[str]:
    better = "more" if row.job.measure.more_is_better else "less"
    yield _text(left, top + 12, row.job.title, weight="bold")
    yield _text(left, top + 27, f"{row.job.measure.unit}, {better} is better", fill="#475569")
    usable = {name: it.value for name, it in row.outcomes.items() if it.usable}
    longest = max(usable.values()) or 1.0
    for place, (name, value) in enumerate(usable.items()):
        y = top + HEAD + place * LINE
        width = max(1.0, value / longest * BAR)
        yield _text(left, y + 12, name, weight="bold" if name == OURS else "normal")
        yield (
            f'<rect x="{left + NAME}" y="{y + 2}" width="{width:.1f}" height="{LINE - 5}" '
            f'fill="{_colour(name)}"/>'
        )
        yield _text(left + NAME + int(width) + 4, y + 12, number(value))


def _colour(server: str) -> str:
    if server == OURS:
        return OURS_COLOUR
    return C_COLOUR if server in IN_C else OTHER_COLOUR


def _text(x: int, y: int, content: str, weight: str = "normal", fill: str = "#0f172a") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}" fill="{fill}">{escape(content)}</text>'
