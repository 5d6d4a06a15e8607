"""How long files are kept, by directory and pattern."""

import pytest

from ftpservice.storage.retention_rules import KEPT, parse_retention
from ftpservice.wire.paths import ROOT, VirtualPath

RULES = "30d; /in: 7d; *.log: 90d; /archive: keep; /in/*.tmp: 12h; /in/*.t*: 2d; /pub/a.iso: 8w"
DAY = 86_400.0


def rule_of(rules, path):
    place = VirtualPath.parse(path)
    rule = parse_retention(rules).at(place.parent).rule_for(place.name)
    return None if rule is None else str(rule)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/letter", "30d"),
        ("/a/b/letter", "30d"),
        ("/server.log", "*.log: 90d"),
        ("/a/b/server.log", "*.log: 90d"),
        ("/.hidden.log", "*.log: 90d"),
        ("/in/letter", "/in: 7d"),
        ("/in/server.log", "/in: 7d"),
        ("/in/a/letter", "/in: 7d"),
        ("/in/x.tmp", "/in/*.t*: 2d"),
        ("/in/x.txt", "/in/*.t*: 2d"),
        ("/inn/letter", "30d"),
        ("/archive/server.log", "/archive: keep"),
        ("/pub/a.iso", "/pub/a.iso: 56d"),
        ("/pub/a.iso/inside", "/pub/a.iso: 56d"),
        ("/pub/b.iso", "30d"),
        ("/In/letter", "30d"),
        ("/\udcff.log", "*.log: 90d"),
        ("/a\u2028b", "30d"),
    ],
)
def test_the_longest_directory_counts_and_then_the_pattern_that_keeps_longest(path, rule):
    assert rule_of(RULES, path) == rule


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ("/in: 7d", "/letter"),
        ("*.log: 7d", "/letter"),
        ("/in/*.log: 7d", "/in/letter"),
        ("/in/*.log: 7d", "/server.log"),
    ],
)
def test_what_no_rule_names_has_none(rules, path):
    assert rule_of(rules, path) is None


def test_a_pattern_of_a_directory_leaves_the_rest_to_the_rules_above():
    assert rule_of("30d; /in/*.log: 7d", "/in/letter") == "30d"


def test_rules_have_one_spelling():
    rules = parse_retention(" 48h;/in/ : 1w ")
    assert str(rules) == "2d; /in: 7d"
    assert parse_retention(str(rules)) == rules
    assert str(parse_retention("/: 36h")) == "36h"
    assert str(parse_retention(RULES)) == RULES.replace("8w", "56d")


def test_times():
    seconds = [rule.seconds for rule in parse_retention("1h; /d: 1d; /w: 2w; /k: keep").rules]
    assert seconds == [3600.0, DAY, 14 * DAY, KEPT]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected hours"),
        ("30", "expected hours, days or weeks"),
        ("30m", "expected hours, days or weeks"),
        ("9999999w", "a number of 1 to 999999"),
        ("0d", "expected hours"),
        ("-1d", "expected hours"),
        ("1.5d", "expected hours"),
        ("30d;", "expected hours"),
        ("/in", "expected hours"),
        (": 3d", "missing"),
        ("30d; 7d", "two rules"),
        ("30d; /: 7d", "two rules"),
        ("/in: 1d; /in/: 2d", "two rules"),
        ("*.log: 1d; *.log: 2d", "two rules"),
        ("in/a: 1d", "begins with /"),
        ("in: 7d", "'in' is neither a directory, which is /in, .* are \\[i\\]n"),
        ("30d; archive: keep", "'archive' is neither a directory"),
        ("[a: 7d", r"has a '\[' without '\]'"),
        ("/in/[a: 7d", r"has a '\[' without '\]'"),
        ("/../a: 1d", "plain names"),
        ("/a/..: 1d", "plain names"),
        ("/*/a: 1d", "plain names"),
        ("a,b: 1d", "cannot be given"),
        ("a\nb: 1d", "cannot be given"),
        ("*" * 20 + "a*" * 20 + ": 1d", "too many stars"),
        ("x" * 600 + ": 1d", "too long"),
    ],
)
def test_what_could_be_misunderstood_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_retention(text)


@pytest.mark.parametrize(
    ("rules", "path", "deletes"),
    [
        ("30d; /archive: keep", "/archive/old", False),
        ("30d; /archive: keep", "/", True),
        ("30d; /archive: keep; /archive/tmp: 1d", "/archive", True),
        ("/in: 7d", "/", True),
        ("/in: 7d", "/out", False),
        ("*.log: 7d", "/out/deep", True),
        ("keep; *.log: 7d", "/out", True),
        ("keep; /in/a.txt: 7d", "/in", True),
        ("keep; /in/a.txt: 7d", "/other", False),
        ("keep", "/", False),
        ("30d; /archive/*.x: keep", "/archive", True),
    ],
)
def test_directories_without_anything_to_delete_need_not_be_looked_at(rules, path, deletes):
    assert parse_retention(rules).deletes_below(VirtualPath.parse(path)) is deletes


def test_directories_go_by_rules_without_pattern():
    at = parse_retention("*.d: 1d; /in: 7d; /in/keep.d: keep").at
    assert at(ROOT).rule_for_directory("x.d") is None
    assert str(at(VirtualPath.parse("/in")).rule_for_directory("x.d")) == "/in: 7d"
    assert str(at(VirtualPath.parse("/in")).rule_for_directory("keep.d")) == "/in/keep.d: keep"


def test_directories_that_rules_name_are_known():
    rules = parse_retention("/in/new: 7d")
    named = [
        path
        for path in ("/", "/in", "/in/new", "/in/new/x", "/out")
        if rules.names(VirtualPath.parse(path))
    ]
    assert named == ["/", "/in", "/in/new"]
