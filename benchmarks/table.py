"""The results as text for a terminal and as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.jobs import BEST_C
from benchmarks.results import Outcome, Reached, Results, Row
from benchmarks.servers.lineup import OURS

__all__ = ["markdown", "number", "text"]

HEAD = ("", "median", "min - max", "x pyftpdlib", "x best C", "server CPU", "server share",
        "client share")  # fmt: skip
PYFTPDLIB = "pyftpdlib"


def number(value: float) -> str:
    """Return a number with three significant digits, or all digits before the point."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.001 else "0"


def text(results: Results) -> str:
    """Return one block for each job."""
    blocks = ["\n".join(_block(row)) for row in results.rows]
    return "\n\n".join([_machine(results), *blocks, "\n".join(_notes(results))]).rstrip()


def markdown(results: Results) -> str:
    """Return one table with a row for each job, a column for each server, and the goals."""
    servers = results.servers
    lines = [
        _machine(results),
        "",
        "Median (ratio to pyftpdlib) [server CPU].",
        "",
        f"| job | {' | '.join(servers)} | our goals |",
        "| --- " * (len(servers) + 2) + "|",
    ]
    for row in results.rows:
        cells = [_cell(row, server) for server in servers]
        goals = "; ".join(map(_goal, row.reached()))
        lines.append(f"| {row.job.title}, {row.job.measure.unit} | {' | '.join(cells)} | {goals} |")
    return "\n".join([*lines, "", *_notes(results)]).rstrip() + "\n"


def _machine(results: Results) -> str:
    machine = results.machine
    servers = ", ".join(f"{name} {version}" for name, version in machine["servers"].items())
    kernel_tls = " with kernel TLS" if machine.get("kernel_tls") else ""
    return (
        f"{machine['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, "
        f"{machine['system']}{kernel_tls}, Python {machine['python']}; {machine['rounds']} rounds, "
        f"scale {machine['scale']}, load before {machine['load']:.2f}; {servers}."
    )


def _block(row: Row) -> Iterator[str]:
    better = "more" if row.job.measure.more_is_better else "less"
    yield f"{row.job.name}: {row.job.title} ({row.job.measure.unit}, {better} is better)"
    lines = [HEAD, *(_line(row, name, it) for name, it in row.outcomes.items() if it.usable)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  " + "  ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)])
    for reached in row.reached():
        yield f"  {_goal(reached)}"


def _line(row: Row, name: str, outcome: Outcome) -> tuple[str, ...]:
    low, high = outcome.spread
    ratios = (row.ratio(name, PYFTPDLIB), row.ratio(name, BEST_C))
    return (
        name,
        number(outcome.value),
        f"{number(low)} - {number(high)}",
        *("" if ratio is None else number(ratio) for ratio in ratios),
        outcome.cost(row.job.measure),
        f"{outcome.server_share:.0%}" if outcome.cost(row.job.measure) else "",
        f"{outcome.client_share:.0%}",
    )


def _cell(row: Row, server: str) -> str:
    outcome = row.outcomes.get(server)
    if outcome is None or not outcome.usable:
        return "-"
    ratio = row.ratio(server, PYFTPDLIB)
    cost = outcome.cost(row.job.measure)
    ratio_text = "" if ratio is None or server == PYFTPDLIB else f" (x{number(ratio)})"
    return f"{number(outcome.value)}{ratio_text}" + (f" [{cost}]" if cost else "")


def _goal(reached: Reached) -> str:
    verdict = "reached" if reached.met else "NOT reached"
    of = f" x {reached.reference}" if reached.reference else ""
    server = "" if reached.server == OURS else f"{reached.server}: "
    return f"{server}{number(reached.factor)}{of}: {number(reached.ratio)}, {verdict}"


def _notes(results: Results) -> Iterator[str]:
    for row in results.rows:
        for name, outcome in row.outcomes.items():
            for failure in outcome.failures:
                yield f"- {row.job.name}, {name}: {failure}"
            resumed, secured = outcome.resumed
            if resumed < secured:
                yield (
                    f"- {row.job.name}, {name}: {resumed} of {secured} data connections resumed a "
                    "TLS session"
                )
