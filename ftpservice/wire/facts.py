"""Facts about entries in MLST and MLSD (RFC 3659 §7, draft-somers-ftp-mfxx)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import FORBIDDEN, ROOT, VirtualPath
from ftpservice.wire.times import CalendarTexts, format_time, minute_digits, parse_time

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
MAX_SHARED_KEPT = 4096
SECONDS = tuple(f"{second:02};" for second in range(60))


def choose_facts(argument: str) -> tuple[str, ...]:
    """Return the facts of ``OPTS MLST a;b;c``, without unknown ones; an empty list chooses none."""
    wanted = {name.strip(" ").lower() for name in argument.split(";")}
    return tuple(fact for fact in FACTS if fact.lower() in wanted)


def feature_line(chosen: Sequence[str]) -> str:
    """Return FEAT's list for MLST: all facts, with a ``*`` after those in use."""
    return "".join(f"{fact}*;" if fact in chosen else f"{fact};" for fact in FACTS)


def format_facts(
    entry: Entry, chosen: Sequence[str], perm: str, directory: VirtualPath = ROOT
) -> str:
    """Return ``type=file;size=3;...`` for an entry of ``directory``, without its name."""
    line = FactFormatter(chosen, lambda _entry: perm, directory).lines((entry,))[0]
    return line.partition(" ")[0]


class FactFormatter:
    """Formats the chosen facts of many entries; one per listing.

    It keeps the texts that many entries share. ``permissions`` returns the ``perm`` fact of an
    entry, by its kind and access alone. ``directory`` holds the entries: the target of a link may
    be relative to it.
    """

    def __init__(
        self,
        chosen: Sequence[str],
        permissions: Callable[[Entry], str],
        directory: VirtualPath = ROOT,
    ) -> None:
        self._chosen = frozenset(chosen)
        self._permissions = permissions
        self._directory = directory
        self._minutes = CalendarTexts(minute_digits)
        self._shared: dict[object, tuple[str, str, str]] = {}

    def lines(self, entries: Iterable[Entry]) -> list[str]:
        """Return ``type=file;size=3;... name`` for each entry, without the end of the line.

        A fact that is not known is left out.
        """
        chosen, minutes, known = self._chosen, self._minutes, self._shared
        with_size, with_modify = "size" in chosen, "modify" in chosen
        with_create, with_unique = "create" in chosen, "unique" in chosen
        size_fact = modify_fact = create_fact = unique_fact = ""
        lines = []
        for entry in entries:
            (name, kind, size, modified, mode, owner, group, _links, unique, created, target,
             access) = entry[:12]  # fmt: skip
            key = (kind, mode, owner, group, access, target)
            type_fact, perm_fact, unix_facts = known.get(key) or self._first_shared(key, entry)
            if with_size:  # the size of what RETR sends (RFC 3659 §7.5.7)
                is_sized = kind is Kind.FILE or (size and kind is Kind.LINK)
                size_fact = f"size={size};" if is_sized else ""
            if with_modify:
                minute, second = divmod(int(modified // 1), 60)
                modify_fact = f"modify={minutes[minute]}{SECONDS[second]}"
            if with_create:
                create_fact = "" if created is None else f"create={format_time(created)};"
            if with_unique:
                if not (unique.isalnum() and unique.isascii()):
                    unique = _safe(unique)
                unique_fact = f"unique={unique};" if unique else ""
            lines.append(
                f"{type_fact}{size_fact}{modify_fact}{create_fact}"
                f"{perm_fact}{unique_fact}{unix_facts} {name}"
            )
        return lines

    def _first_shared(self, key: object, entry: Entry) -> tuple[str, str, str]:
        """Return the facts before, between and after those that each entry has of its own."""
        chosen = self._chosen
        unix_facts = {
            "UNIX.mode": f"UNIX.mode=0{entry.mode & 0o7777:03o};",
            "UNIX.owner": f"UNIX.owner={_safe(entry.owner)};",
            "UNIX.group": f"UNIX.group={_safe(entry.group)};",
        }
        shared = (
            (TYPES.get(entry.kind) or self._link_type(entry.target)) if "type" in chosen else "",
            f"perm={self._permissions(entry)};" if "perm" in chosen else "",
            "".join([text for fact, text in unix_facts.items() if fact in chosen]),
        )
        if len(self._shared) >= MAX_SHARED_KEPT:
            self._shared.clear()
        self._shared[key] = shared
        return shared

    def _link_type(self, target: str) -> str:
        """Return the type of a link (RFC 3659 §7.7.4); erratum 1500 has it without a target."""
        if target and FORBIDDEN.isdisjoint(target):
            path = str(self._directory.joined(target))
            if NOT_ALLOWED_IN_FACTS.isdisjoint(path):
                return f"type=OS.unix=slink:{path};"
        return "type=OS.unix=symlink;"


def parse_facts(line: str) -> Entry:
    """Parse ``facts SP name`` as a server sent it; raises `ValueError`.

    The name is not checked: it is a whole path in the reply to MLST, and a hostile server may send
    anything. The facts must include ``type``.
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


def _safe(text: str) -> str:
    """Return ``text`` fit to stand in a fact: ASCII without spaces, ``;`` and line ends."""
    return UNSAFE.sub("_", text)
