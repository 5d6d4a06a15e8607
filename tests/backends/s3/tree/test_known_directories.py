"""Directories seen a moment ago."""

from twisted.internet.task import Clock

from ftpservice.backends.s3.tree.known_directories import (
    KNOWN_SECONDS,
    LISTED_SECONDS,
    KnownDirectories,
)


def test_what_was_seen_counts_for_some_seconds():
    clock = Clock()
    known = KnownDirectories(clock.seconds)
    known.add("a/b/")
    assert known.has("a/b/")
    clock.advance(KNOWN_SECONDS)
    assert not known.has("a/b/")


def test_a_change_here_is_known_at_once():
    known = KnownDirectories(Clock().seconds)
    for change in (known.made, known.forget):
        known.listed("a/", frozenset({"a/c/"}))
        assert known.inner("a/") == (True, {"a/c/"})
        change("a/b/")
        assert known.inner("a/") == (False, None)
    known.add("a/b/c/")
    known.forget("a/b/")
    assert not known.has("a/b/c/")


def test_a_listing_counts_for_some_seconds():
    clock = Clock()
    known = KnownDirectories(clock.seconds)
    known.listed("", None)
    assert known.inner("") == (True, None)
    clock.advance(LISTED_SECONDS)
    assert not known.inner("")[0]
