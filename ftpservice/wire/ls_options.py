"""The ``ls`` switches that clients put before the path of LIST and NLST, though no RFC has them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LsOptions", "parse_ls_options"]

IGNORED_LETTERS = frozenset("1ACFGLTcfghiklmnopqsux")
OPTION_FIELDS = {
    "a": "all",
    "l": "long",
    "R": "recursive",
    "r": "reverse",
    "t": "by_time",
    "S": "by_size",
    "d": "directory",
}
KNOWN_LETTERS = IGNORED_LETTERS.union(OPTION_FIELDS)


@dataclass(frozen=True, slots=True)
class LsOptions:
    """What a listing is asked to be."""

    all: bool = False
    """``-a``: ``.`` and ``..`` and hidden names too."""
    long: bool = False
    recursive: bool = False
    reverse: bool = False
    by_time: bool = False
    """``-t``: newest first."""
    by_size: bool = False
    """``-S``: largest first."""
    directory: bool = False
    """``-d``: the directory itself, not what is in it."""


def parse_ls_options(argument: str | None) -> tuple[LsOptions, str | None]:
    """Take the leading switches off; the rest is one path, its spaces kept, or ``None``.

    A word with a letter that no ``ls`` has begins the path, and so does what follows ``--``.
    """
    rest = argument or ""
    letters: set[str] = set()
    while rest.startswith("-"):
        word, _, tail = rest.partition(" ")
        if word == "--":
            rest = tail
            break
        if len(word) == 1 or not KNOWN_LETTERS.issuperset(word[1:]):
            break
        letters.update(word[1:])
        rest = tail
    given = {meaning: letter in letters for letter, meaning in OPTION_FIELDS.items()}
    return LsOptions(**given), rest or None
