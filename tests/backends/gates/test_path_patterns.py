"""Which paths a pattern matches."""

import pytest

from ftpservice.backends.gates.path_patterns import PathPatterns
from ftpservice.wire.paths import VirtualPath


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.csv", "/a.csv", True),
        ("*.csv", "/in/deep/A.CSV", True),
        ("*.csv", "/in/a.csv. ", True),
        ("*.csv", "/a.csv/b", False),
        ("/in/*", "/in/a", True),
        ("/in/*", "/IN/a", True),
        ("/in/*", "/in/b/a", False),
        ("/in/**", "/in/b/a", True),
        ("/in/**", "/in", True),
        ("/in/**/x", "/in/x", True),
        ("/in/**/x", "/in/a/b/x", True),
        ("/in/**/x", "/in/a/b/y", False),
        ("/**/in/*", "/a/b/in/c", True),
        ("/e\u0301/*", "/\u00e9/a", True),
        ("/**", "/anything/at/all", True),
        ("/a/**/b/**/c", "/a/b/b/x/c", True),
        ("/a/**/b/**/c", "/a/x/c", False),
    ],
)
def test_a_pattern_matches_whatever_would_be_that_file(pattern, path, matches):
    assert PathPatterns([pattern]).match(VirtualPath.parse(path)) is matches


def test_no_pattern_at_all_matches_everything():
    assert PathPatterns().match(VirtualPath.parse("/a"))


@pytest.mark.parametrize(
    ("pattern", "directory", "depends"),
    [
        ("*.csv", "/in", False),
        ("/in/**", "/other", False),
        ("/in/**", "/in", True),
        ("/a/in/**", "/A", True),
        ("/in/**", "/in/sub", True),
        ("/**/in/*", "/other", True),
        ("/**", "/other", False),
    ],
)
def test_a_directory_counts_if_what_matches_below_it_depends_on_its_name(
    pattern, directory, depends
):
    assert PathPatterns([pattern]).may_match_below(VirtualPath.parse(directory)) is depends


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        ".",
        "in/*",
        "/in/../a",
        "/a\n",
        "*" + "?*" * 17,
        "/**/a/**/b/**/c/**/d/**",
        "x" * 600,
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern):
    with pytest.raises(ValueError):
        PathPatterns([pattern])


def test_too_many_patterns_are_refused():
    with pytest.raises(ValueError, match="more than 64"):
        PathPatterns(["a"] * 65)
