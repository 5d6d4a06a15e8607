"""Facts about entries in MLST and MLSD (RFC 3659 §7, draft-somers-ftp-mfxx)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import FORBIDDEN, ROOT, VirtualPath
from ftpservice.wire.times import DAY, CalendarDayCache, format_time, parse_time

__all__ = [
    "DEFAULT_FACTS",
    "FACTS",
    "FactFormatter",
    "choose_facts",
    "feature_line",
    "format_facts",
    "format_time",
    "parse_facts",
    "parse_time",
]

FACTS: tuple[str, ...] = (
    "type",
    "size",
    "modify",
    "create",
    "perm",
    "unique",
    "UNIX.mode",
    "UNIX.owner",
    "UNIX.group",
)
"""All supported facts, in the order of their output."""

DEFAULT_FACTS: tuple[str, ...] = ("type", "size", "modify", "perm", "unique", "UNIX.mode")
"""The facts that a session sends before ``OPTS MLST``."""

TYPES = {
    Kind.FILE: "type=file;",
    Kind.DIRECTORY: "type=dir;",
    Kind.OTHER: "type=OS.unix=special;",
}
KINDS = {"file": Kind.FILE, "dir": Kind.DIRECTORY, "cdir": Kind.DIRECTORY, "pdir": Kind.DIRECTORY}
LINK_TYPES = ("os.unix=symlink", "os.unix=slink")
NOT_ALLOWED_IN_FACTS = frozenset("; ")
"""Characters that would end a fact, or all of them."""
DIGITS = re.compile(r"[0-9]{1,20}")
UNSAFE = re.compile(r"[^!-:<-~]")
CLOCK = tuple(f"{hour:02}{minute:02}" for hour in range(24) for minute in range(60))
SECONDS = tuple(f"{second:02};" for second in range(60))


def choose_facts(argument: str) -> tuple[str, ...]:
    """Return those of ``a;b;c`` that we know, for ``OPTS MLST``; nothing named chooses none."""
    wanted = {name.strip(" ").lower() for name in argument.split(";")}
    return tuple(fact for fact in FACTS if fact.lower() in wanted)


def feature_line(chosen: Sequence[str]) -> str:
    """Return FEAT's list for MLST: all facts, with a ``*`` after those in use."""
    return "".join(f"{fact}*;" if fact in chosen else f"{fact};" for fact in FACTS)


def format_facts(
    entry: Entry, chosen: Sequence[str], perm: str, directory: VirtualPath = ROOT
) -> str:
    """Return ``type=file;size=3;...``; a space and the name are to follow.

    ``directory`` is what holds the entry: the target of a link may be relative to it.
    """
    return FactFormatter(chosen, directory).facts(entry, perm)


class FactFormatter:
    """Formats the chosen facts of many entries; one per listing, it caches days.

    ``directory`` is what holds the entries.
    """

    def __init__(self, chosen: Sequence[str], directory: VirtualPath = ROOT) -> None:
        self._days = CalendarDayCache()
        self._directory = directory
        writers: dict[str, Callable[[Entry, str], str]] = {
            "type": self._type,
            "size": _size,
            "modify": self._modify,
            "create": self._create,
            "perm": _perm,
            "unique": _unique,
            "UNIX.mode": _mode,
            "UNIX.owner": _owner,
            "UNIX.group": _group,
        }
        self._writers = [writers[fact] for fact in FACTS if fact in chosen]

    def facts(self, entry: Entry, perm: str) -> str:
        """Return ``type=file;size=3;...``; a fact that is not known is left out."""
        return "".join([write(entry, perm) for write in self._writers])

    def line(self, entry: Entry, perm: str, name: str | None = None) -> str:
        """Return a line of MLSD without its end, under the entry's own name unless given."""
        return f"{self.facts(entry, perm)} {entry.name if name is None else name}"

    def _type(self, entry: Entry, _perm: str) -> str:
        return TYPES.get(entry.kind) or self._link_type(entry.target)

    def _link_type(self, target: str) -> str:
        """Spell a link as RFC 3659 §7.7.4 does; without a target as its erratum 1500 has it."""
        if target and FORBIDDEN.isdisjoint(target):
            path = str(self._directory.joined(target))
            if NOT_ALLOWED_IN_FACTS.isdisjoint(path):
                return f"type=OS.unix=slink:{path};"
        return "type=OS.unix=symlink;"

    def _modify(self, entry: Entry, _perm: str) -> str:
        return "modify=" + self._time(entry.modified)

    def _create(self, entry: Entry, _perm: str) -> str:
        return "" if entry.created is None else "create=" + self._time(entry.created)

    def _time(self, seconds: float) -> str:
        number, rest = divmod(int(seconds // 1), DAY)
        return self._days[number].digits + CLOCK[rest // 60] + SECONDS[rest % 60]


def parse_facts(line: str) -> Entry:
    """Read ``facts SP name`` as a client gets it; raises `ValueError`.

    The name is as the server sent it: a whole path in the reply to MLST, and whatever a hostile
    server likes. The ``type`` must be among the facts.
    """
    text, _, name = line.partition(" ")
    if not name:
        raise ValueError("no name after the facts")
    facts = _split(text)
    kind = _kind(facts.get("type", ""))
    return Entry(
        name,
        kind,
        _number(facts.get("size", "0"), 10) if kind in (Kind.FILE, Kind.LINK) else 0,
        parse_time(facts["modify"]) if "modify" in facts else 0.0,
        _number(facts.get("unix.mode", "755" if kind is Kind.DIRECTORY else "644"), 8) & 0o7777,
        facts.get("unix.owner") or facts.get("unix.ownername") or "ftp",
        facts.get("unix.group") or facts.get("unix.groupname") or "ftp",
        unique=facts.get("unique", ""),
        created=parse_time(facts["create"]) if "create" in facts else None,
        target=facts["type"].partition(":")[2] if kind is Kind.LINK else "",
    )


def _split(text: str) -> dict[str, str]:
    facts = {}
    for fact in text.removesuffix(";").split(";"):
        key, equals, value = fact.partition("=")
        if not equals:
            raise ValueError("a fact is name=value;")
        facts[key.lower()] = value
    return facts


def _kind(type_: str) -> Kind:
    type_ = type_.lower()
    if not type_:
        raise ValueError("no type among the facts")
    if type_.partition(":")[0] in LINK_TYPES:
        return Kind.LINK
    return KINDS.get(type_, Kind.OTHER)


def _number(text: str, base: int) -> int:
    if not DIGITS.fullmatch(text):
        raise ValueError("not a number")
    return int(text, base)


def _size(entry: Entry, _perm: str) -> str:
    if entry.kind is Kind.FILE or (entry.size and entry.kind is Kind.LINK):
        return f"size={entry.size};"  # what RETR sends (RFC 3659 §7.5.7)
    return ""


def _perm(_entry: Entry, perm: str) -> str:
    return f"perm={perm};"


def _unique(entry: Entry, _perm: str) -> str:
    return f"unique={_safe(entry.unique)};" if entry.unique else ""


def _mode(entry: Entry, _perm: str) -> str:
    return _mode_fact(entry.mode)


def _owner(entry: Entry, _perm: str) -> str:
    return f"UNIX.owner={_holder(entry.owner)};"


def _group(entry: Entry, _perm: str) -> str:
    return f"UNIX.group={_holder(entry.group)};"


@lru_cache(maxsize=4096)
def _mode_fact(mode: int) -> str:
    return f"UNIX.mode=0{mode & 0o7777:03o};"


@lru_cache(maxsize=1024)
def _holder(text: str) -> str:
    return _safe(text)


def _safe(text: str) -> str:
    """Return ``text`` fit to stand in a fact: ASCII without spaces, ``;`` and line ends."""
    return UNSAFE.sub("_", text)
