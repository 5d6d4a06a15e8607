"""The page loads nothing, runs nothing, and shows every figure; names cannot break out."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ftpservice.activity.reports.report_data import HourOfTransfers, NodeTotals
from ftpservice.activity.reports.report_html import MAX_BARS, report_html
from tests.support.journal_cases import HOSTILE
from tests.support.report_cases import DAY, full_report

XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "table", "thead"),
    *("tbody", "tr", "th", "td", "svg", "g", "rect", "text", "line"),
}
KNOWN_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "role", "aria-label"),
    *("viewbox", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "text-anchor"),
}


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = set(), set(), "", []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", ["ann", XSS, HOSTILE], ids=["ann", "xss", "hostile"])
def test_the_page_has_no_other_elements_and_loads_nothing(name):
    page = report_html(full_report(name))
    page.encode()
    seen = Seen()
    seen.feed(page)
    assert seen.open == []
    assert seen.tags <= KNOWN
    assert seen.attributes <= KNOWN_ATTRIBUTES
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page
    if name == XSS:
        assert XSS in seen.text
    assert "2.0 KiB (2,000)" in seen.text


def test_a_long_time_has_a_bounded_number_of_bars():
    report = full_report("ann")
    hours = [HourOfTransfers(number * 3600.0, 1, 1, 1000, 1000) for number in range(365 * 24)]
    page = report_html(replace(report, hours=hours))
    assert page.count("<g>") <= 2 * MAX_BARS
    lone = replace(report, hours=[HourOfTransfers(DAY, 0, 0, 0, 0)])
    assert report_html(lone).count("<g>") == 2


def test_nodes_have_a_table_and_a_column():
    report = full_report("ann")
    errors = [replace(one, node=XSS) for one in report.errors]
    nodes = [NodeTotals(XSS, 2, 1, 3, 1, 2000, 0, 0, 1)]
    seen = Seen()
    seen.feed(report_html(replace(report, errors=errors, nodes=nodes)))
    assert seen.tags <= KNOWN
    assert seen.text.count(XSS) == 3
    assert "Node" in seen.text


def test_a_report_without_events_is_a_page():
    report = full_report("ann")
    empty = replace(report, users=[], failed_logins=[], hours=[], errors=[], slowest=[])
    assert "<svg" not in report_html(empty)
