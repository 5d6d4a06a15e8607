"""The text of a report shows its figures, and nothing of a hostile name reaches a terminal."""

import csv
import io
from dataclasses import replace

import pytest

from ftpservice.activity.reports.report_data import NodeTotals
from ftpservice.activity.reports.report_text import csv_text, report_lines
from tests.support.journal_cases import HOSTILE
from tests.support.report_cases import full_report

SLOW_HEADING = "Size  Duration       Rate"
SLOW = "2.0 KiB (2,000)  00:00:10  2.0 KiB/s"
MOVED = "Files up         Bytes up  Files down  Bytes down"
NAMES = {"plain": "ann", "hostile": HOSTILE, "formula": "=1+1", "quotes": '-x,"y'}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_no_line_has_a_control_character(name):
    for line in report_lines(full_report(name)):
        assert line.isprintable()
        line.encode()


def test_the_lines_have_every_figure():
    assert report_lines(full_report("ann")) == [
        "Report of 2024-10-04 00:00:00 to 2024-10-05 00:00:00 UTC",
        "Sessions   3, 1 refused",
        "Logins     2 succeeded, 4 failed",
        "Uploads    2 files, 2.0 KiB (2,000)",
        "Downloads  1 file, 50 B",
        "Incomplete 1 aborted, 0 refused",
        "Commands   0 refused, 0 failed",
        "Changes    0 files, 0 expired",
        "Lost       9 events have no row of their own in the journal",
        "",
        "Transfers by user:",
        "  User  Files up         Bytes up  Files down  Bytes down  Aborted  Refused",
        "  ann          1  2.0 KiB (2,000)           0         0 B        1        0",
        "",
        "Failed logins:",
        "  User  Address    Reason          Last (UTC)           Times",
        "  ann   192.0.2.9  wrong password  2024-10-04 00:00:05      4",
        "",
        "Busiest hours:",
        "  Hour (UTC)        Sessions  Files         Bytes up  Bytes down",
        "  2024-10-04 05:00         1      2  2.0 KiB (2,000)        50 B",
        "",
        "Slowest transfers:",
        f"  End (UTC)            User  Address    Transfer                  {SLOW_HEADING}",
        f"  2024-10-04 05:00:00  ann   192.0.2.1  upload of ann  {SLOW}",
        "",
        "Last errors:",
        "  When (UTC)           User  Address    Error",
        "  2024-10-04 07:00:00  ann   192.0.2.1  upload of ann aborted: ann",
        "  2024-10-04 07:00:01  ann   192.0.2.1  upload refused: STOR ann: ann",
    ]


def test_nodes_have_their_figures_and_a_column():
    report = full_report("ann")
    errors = [replace(one, node=f"ftp{number}") for number, one in enumerate(report.errors, 1)]
    slowest = [replace(report.slowest[0], node="ftp2")]
    nodes = [NodeTotals("ftp1", 2, 1, 3, 1, 2000, 0, 0, 1), NodeTotals("", 1, 1, 1, 0, 0, 1, 50, 0)]
    lines = report_lines(replace(report, errors=errors, slowest=slowest, nodes=nodes))
    start = lines.index("Nodes:")
    assert lines[start + 1 : start + 4] == [
        f"  Node  Sessions  Logins  Failed  {MOVED}  Incomplete",
        "  ftp1         2       1       3         1  2.0 KiB (2,000)           0         0 B  "
        "         1",
        "  -            1       1       1         0              0 B           1        50 B  "
        "         0",
    ]
    assert "  2024-10-04 07:00:00  ftp1  ann   192.0.2.1  upload of ann aborted: ann" in lines
    assert any(line.startswith("  2024-10-04 05:00:00  ftp2  ann ") for line in lines)


def test_many_rows_are_summed_up():
    report = full_report("ann")
    lines = report_lines(replace(report, users=report.users * 60))
    assert "  (10 more)" in lines


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_csv_can_be_read_and_computes_nothing(name):
    rows = list(csv.reader(io.StringIO(csv_text(full_report(name)), newline="")))
    tables = {row[0] for row in rows if row}
    assert {"users", "failed_logins", "hours", "errors", "slowest", "total"} <= tables
    assert ["sessions", "3"] in rows
    assert rows[1] == ["2024-10-04 00:00:00", "2024-10-05 00:00:00", ""]
    for row in rows:
        for cell in row:
            assert cell.isprintable()
            assert not cell.startswith(("=", "+", "-", "@"))
