import itertools
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.glob import GlobPattern, check_pattern, has_wildcards


@pytest.mark.parametrize("text", ["*", "a?", "[ab]", "a[", "*.txt"])
def test_wildcards_are_seen(text):
    assert has_wildcards(text)


@pytest.mark.parametrize("text", ["", "name", "a]b", "a\\b", "{a,b}", "a b"])
def test_plain_names_have_none(text):
    assert not has_wildcards(text)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", "name"),
        ("*", "line\nfeed"),
        ("*.txt", "a.txt"),
        ("a*", "a"),
        ("a**b***c", "axbyc"),
        ("*a*b*", "xxaxxbxx"),
        ("?b?", "abc"),
        ("[abc]x", "bx"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("[^a-c]x", "dx"),
        ("[]a]", "]"),
        ("[!]a]", "b"),
        ("[a-]", "-"),
        ("[-a]", "-"),
        ("[^^]", "a"),
        ("[a&&b||~~--]", "&"),
        ("[[]", "["),
        ("[\\]", "\\"),
        ("[!z-a]", "q"),
        ("a[", "a["),
        ("a[]", "a[]"),
        ("[!]", "[!]"),
        ("a[b", "a[b"),
        (r"\*", "*"),
        (r"\[a]", "[a]"),
        ("a\\", "a\\"),
        (".*", ".hidden"),
        (r"\.*", ".hidden"),
        ("a.b+(c)|$^", "a.b+(c)|$^"),
        ("*\udcff?", "caf\udcff\udce9"),
        ("[\udcf0-\udcff]", "\udcf5"),
        ("", ""),
    ],
)
def test_names_that_fit(pattern, name):
    assert GlobPattern(pattern).matches(name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", ".hidden"),
        ("?hidden", ".hidden"),
        ("[.]hidden", ".hidden"),
        ("[!a]hidden", ".hidden"),
        ("**", ".hidden"),
        ("*.txt", "a.TXT"),
        ("*.txt", "a.txt\n"),
        ("a", "ab"),
        ("b", "ab"),
        ("?", ""),
        ("?", "ab"),
        ("[a-c]x", "dx"),
        ("[!a-c]x", "bx"),
        ("[z-a]", "m"),
        (r"\*", "a"),
        ("*a*b*c", "xbxaxc"),
        ("ab*bc", "abc"),
        ("*ab*ab", "ab"),
        ("", "a"),
    ],
)
def test_names_that_do_not_fit(pattern, name):
    assert not GlobPattern(pattern).matches(name)


def test_every_short_pattern_agrees_with_the_standard_library():
    names = ["".join(letters) for n in range(5) for letters in itertools.product("ab", repeat=n)]
    for length in range(5):
        for letters in itertools.product("ab?*", repeat=length):
            pattern = "".join(letters)
            compiled = GlobPattern(pattern)
            for name in names:
                assert compiled.matches(name) == fnmatchcase(name, pattern)


@given(pattern=st.text(alphabet="ab*?[]!-^\\.", max_size=30), name=st.text("ab.-]", max_size=20))
@settings(max_examples=200, deadline=None, database=None)
def test_any_pattern_compiles_or_is_refused(pattern, name):
    try:
        GlobPattern(pattern).matches(name)
    except ValueError:
        assert pattern.count("*") > 16


@pytest.mark.parametrize("text", ["a" * 513, "*a" * 17, "[" * 1000])
def test_patterns_too_complex_are_refused(text):
    with pytest.raises(ValueError, match="too"):
        GlobPattern(text)


def test_stars_in_a_row_are_one():
    assert GlobPattern("*" * 400).matches("anything")


@pytest.mark.parametrize("pattern", ["*a" * 16 + "b", "*[ab]" * 16 + "b", "?*" * 16 + "b"])
def test_hostile_patterns_take_no_time(pattern):
    compiled = GlobPattern(pattern)
    for _ in range(200):
        assert not compiled.matches("a" * 255)


@pytest.mark.parametrize("pattern", ["a", "*.txt", "[ab]", "[]a]", r"a\[b", r"a\\\\", "a]", ""])
def test_complete_patterns(pattern):
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["[", "a[bc", "[]", "[!]", "*[a-z", "a\\", "\\\\\\"])
def test_patterns_that_are_not_complete(pattern):
    with pytest.raises(ValueError, match=r"without|backslash"):
        check_pattern(pattern)
