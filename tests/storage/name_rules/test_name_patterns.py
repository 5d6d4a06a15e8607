"""Patterns of names: their text, what they match, and the paths that they hide or refuse."""

from unicodedata import normalize

import pytest

from ftpservice.storage.errors import NameRefused, PathNotFound
from ftpservice.storage.name_rules.name_patterns import (
    MAX_PATTERNS,
    NamePatterns,
    NameRules,
    parse_patterns,
    patterns_text,
)
from ftpservice.testing.contract.case import path_at
from ftpservice.wire.entry import Entry, Kind


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        (".git", (".git",)),
        (" .git ;*.tmp; ~$*  ", (".git", "*.tmp", "~$*")),
        ("[a-z]?.é", ("[a-z]?.é",)),
        (r"a\*b", (r"a\*b",)),
    ],
)
def test_patterns_are_written_with_semicolons(text, patterns):
    assert parse_patterns(text) == patterns
    assert parse_patterns(patterns_text(patterns)) == patterns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected patterns"),
        (".git;", "expected patterns"),
        (".", "expected patterns"),
        ("..; x", "expected patterns"),
        ("a/b", "for single names"),
        ("a,b", "for single names"),
        ("a\nb", "for single names"),
        ("*" + "a*" * 20, "too many stars"),
        ("a" * 600, "too long"),
        (";".join(["x"] * (MAX_PATTERNS + 1)), "more than 64"),
    ],
)
def test_malformed_patterns_are_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_patterns(text)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*.exe", "setup.exe"),
        ("*.exe", "SETUP.EXE"),
        ("*.EXE", "setup.exe"),
        ("*.exe", ".exe"),
        ("*.exe", ".hidden.exe"),
        ("*.exe", "a.exe."),
        ("*.exe", "a.exe . ."),
        ("*.exe", "line\nend.exe"),
        ("*.exe", "\udcff.exe"),
        ("???", "a\udcffc"),
        ("[A-C]x", "bX"),
        ("[!a]", "b"),
        (r"\*", "*"),
        ("straße", "STRAẞE"),
        (normalize("NFC", "é.txt"), normalize("NFD", "É.TXT")),
        (normalize("NFD", "é.txt"), normalize("NFC", "É.TXT")),
        ("?.txt", normalize("NFD", "é.txt")),
        ("ǆ", "Ǆ"),
        ("k", "\u212a"),
        ("... x", "... x"),
        (".git", ".g\u200bit"),
        (".git", "\ufeff.gi\u200dt\u00ad"),
        (".git", ".git\ufe0f ."),
        (".git", ".g\U000e0100it"),
        ("a\u200db", "ab"),
        ("straße", "STRASSE"),
        ("strasse", "straße"),
        ("strasse", "Straße. "),
        ("file", "ﬁle"),
        (".git", "GIT~1"),
        (".git", "git~12"),
        (".git", "GI7EB1~1"),
        (".gitignore", "GITIGN~1"),
        (".gitignore", "gitig~10"),
        ("secret*", "SECRET~1.TXT"),
        ("secret report.docx", "SECRET~1.DOC"),
        ("naïve.text", "NA_VE~1.TEX"),
        ("*.tmpfile", "LETTER~1.TMP"),
    ],
)
def test_a_pattern_matches_every_spelling_of_a_name(pattern, name):
    patterns = NamePatterns(parse_patterns(pattern))
    assert patterns.match(name)
    assert patterns.matching(["other thing", name]) == pattern


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*.exe", "a.exe.txt"),
        ("*.exe", "exe"),
        (".git", ".gitignore"),
        (".git", "x.git"),
        ("a.c", "abc"),
        ("[!a]", "A"),
        (r"\*", "x"),
        ("x", ""),
        (".git", "GIT"),
        (".git", "GIT~1.TXT"),
        (".git", "GIX~1"),
        (".git", "git~x"),
        (".*", "report~1.txt"),
        ("*secret*", "report~1.txt"),
        ("*.exe", "report~1.txt"),
        (".git", "ġit"),
    ],
)
def test_a_pattern_matches_whole_names_only(pattern, name):
    assert not NamePatterns(parse_patterns(pattern)).match(name)
    assert NamePatterns(parse_patterns(pattern)).matching([name]) == ""


def test_a_hostile_name_takes_no_time():
    patterns = NamePatterns(parse_patterns("*a*a*a*a*a*a*a*a*b"))
    assert not patterns.match("a" * 255)


def test_a_folded_pattern_is_within_the_limit_too():
    with pytest.raises(ValueError, match="too long"):
        parse_patterns("ß" * 300)


def test_no_patterns_match_nothing():
    assert not NamePatterns(())
    assert not NamePatterns(()).match("x")


@pytest.fixture
def rules():
    return NameRules.of((".git", "*.tmp"), ("*.exe", "con"))


@pytest.mark.parametrize("path", ["/.git", "/a/.GIT/config", "/x.tmp", "/x.tmp/y/z"])
def test_what_is_in_a_hidden_directory_is_hidden(rules, path):
    assert not rules.is_seen(path_at(path))
    with pytest.raises(PathNotFound):
        rules.check_seen(path_at(path))


@pytest.mark.parametrize("path", ["/", "/a/b", "/a.exe", "/con/x"])
def test_refused_names_are_seen(rules, path):
    assert rules.is_seen(path_at(path))
    rules.check_seen(path_at(path))


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/.git", ".git"),
        ("/a/B.TMP", "*.tmp"),
        ("/a.exe", "*.exe"),
        ("/A.EXE ", "*.exe"),
        ("/con", "con"),
        ("/con/x", "con"),
        ("/a.exe/b/c", "*.exe"),
    ],
)
def test_a_new_name_is_refused_with_its_pattern(rules, path, pattern):
    with pytest.raises(NameRefused) as raised:
        rules.check_new(path_at(path))
    assert raised.value.pattern == pattern
    assert pattern in raised.value.reason


def test_in_a_hidden_directory_a_new_name_has_no_parent(rules):
    with pytest.raises(PathNotFound):
        rules.check_new(path_at("/.git/a.exe"))
    rules.check_new(path_at("/a/b.txt"))


def test_the_number_of_links_does_not_count_what_is_hidden(rules):
    directory = Entry("work", Kind.DIRECTORY, 0, 0.0, links=3)
    assert rules.shown(directory).links == 1
    assert [one.links for one in rules.shown_entries([directory])] == [1]
    assert NameRules.of((), ("*.exe",)).shown(directory) is directory


def test_the_target_of_a_link_does_not_name_what_is_hidden(rules):
    def link(target):
        return Entry("link", Kind.LINK, 0, 0.0, target=target)

    assert rules.shown(link("../.git/config")).target == ""
    assert rules.shown(link("/a/b")).target == "/a/b"
    entries = [link("/a.tmp"), Entry("b.tmp", Kind.FILE, 1, 0.0), Entry("c", Kind.FILE, 1, 0.0)]
    assert [(one.name, one.target) for one in rules.shown_entries(entries)] == [
        ("link", ""),
        ("c", ""),
    ]
