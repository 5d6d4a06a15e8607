"""Lines in the format of ``ls -l``, in any language and with any style of dates; NetWare lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.list_format import HIDDEN_TARGET
from ftpservice_client.listings.dates import (
    UNKNOWN_TIME,
    ListedTime,
    time_with_year,
    time_without_year,
)
from ftpservice_client.listings.months import month_number

__all__ = ["netware_entry", "unix_entry"]

KINDS_BY_LETTER = {"-": Kind.FILE, "d": Kind.DIRECTORY, "l": Kind.LINK}
MONTH = r"[^\s0-9!-/:-@\[-`{-~]{1,14}\.?"
CLOCK = r"(?P<§hour>[0-9]{1,2})[:.](?P<§minute>[0-9]{2})"
YEAR_OR_CLOCK = (
    rf" {{1,9}}(?:{CLOCK}(?::[0-9]{{2}} (?P<§full>[0-9]{{4}}))?|(?P<§year>[0-9]{{4}})年?)"
)
DATE_STYLES = {
    "a": rf"(?P<§month>{MONTH}) {{1,9}}(?P<§day>[0-9]{{1,2}})[.,]?{YEAR_OR_CLOCK}",
    "b": rf"(?P<§day>[0-9]{{1,2}})\.? {{1,9}}(?P<§month>{MONTH}){YEAR_OR_CLOCK}",
    "c": rf"(?P<§number>[0-9]{{1,2}})[月월] {{0,9}}(?P<§day>[0-9]{{1,2}})[日일]?{YEAR_OR_CLOCK}",
    "d": r"(?P<§year>[0-9]{4})-(?P<§number>[0-9]{2})-(?P<§day>[0-9]{2})"
    rf"(?:[ T]{CLOCK}(?::[0-9]{{2}}(?:\.[0-9]{{1,9}})?)?(?: (?P<§zone>[-+][0-9]{{4}}))?|(?= ) ?)",
    "e": rf"(?P<§number>[0-9]{{2}})-(?P<§day>[0-9]{{2}}) {CLOCK}",
}
"""Styles: ``Nov 21 10:15``, ``21 nov. 2020``, ``11月 21 10:15``, ISO with a year and without."""
DATE = "|".join(f"(?P<{style}>{text.replace('§', style)})" for style, text in DATE_STYLES.items())
MODE = r"(?P<kind>[-bcdlpsDCMPwn])(?P<mode>[-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT])[.+@]?"
SIZE_AND_DATE = rf"(?P<size>[0-9]{{1,20}}|[0-9]{{1,10}}, {{0,9}}[0-9]{{1,10}}) ++(?:{DATE})"
UNIX_LINE = re.compile(rf"{MODE}(?P<holders>(?:\s++\S++){{0,8}}?)\s++{SIZE_AND_DATE} (?P<name>.+)")
NETWARE_LINE = re.compile(
    rf"(?P<kind>[-d]) {{0,9}}\[[-A-Z]{{8}}\] {{1,40}}(?P<owner>\S{{1,200}}) {{1,40}}{SIZE_AND_DATE}"
    r" {1,9}"
    r"(?P<name>\S.*)"
)
DATE_WORD = re.compile(r"\*+|[0-9]{4}-[0-9]{2}-[0-9]{2}")


def unix_entry(text: str, now: float) -> Entry:
    """Parse one line; raises `ValueError`. The name is not checked."""
    match = UNIX_LINE.fullmatch(text)
    if match is None:
        raise ValueError("not a line of ls -l")
    words = match["holders"].split()
    _require_holders(words)
    kind = KINDS_BY_LETTER.get(match["kind"], Kind.OTHER)
    links, owner, group = _holders(words)
    when = _when(match, now)
    name, target = _name(match["name"], kind)
    return Entry(
        name,
        kind,
        int(match["size"]) if kind in (Kind.FILE, Kind.LINK) else 0,
        when.moment,
        _mode_bits(match["mode"]),
        owner,
        group,
        links,
        target=target,
        time_grain=when.grain,
    )


def netware_entry(text: str, now: float) -> Entry:
    """Parse ``- [RWCEAFMS] owner 512 Oct 20 15:27 name``; raises `ValueError`."""
    match = NETWARE_LINE.fullmatch(text)
    if match is None:
        raise ValueError("not a NetWare line")
    kind, when = KINDS_BY_LETTER[match["kind"]], _when(match, now)
    mode = 0o755 if kind is Kind.DIRECTORY else 0o644
    size = int(match["size"]) if kind is Kind.FILE else 0
    owner = match["owner"]
    return Entry(match["name"], kind, size, when.moment, mode, owner, owner, time_grain=when.grain)


def _require_holders(words: list[str]) -> None:
    """Refuse columns that contain a date or an overflown size: those after it belong to the name.

    Raises `ValueError`.
    """
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if DATE_WORD.fullmatch(word) or (_is_month(word) and following.rstrip(".,").isdigit()):
            raise ValueError("the columns of the line are ambiguous")


def _is_month(word: str) -> bool:
    try:
        return bool(month_number(word))
    except ValueError:
        return False


def _name(text: str, kind: Kind) -> tuple[str, str]:
    """Return a name without the suffix of ``ls``, and the target of a link."""
    if kind is Kind.LINK:
        name, _arrow, target = text.partition(" -> ")
        return name, "" if target == HIDDEN_TARGET else target
    return (text.removesuffix("/") if kind is Kind.DIRECTORY else text), ""


def _holders(words: list[str]) -> tuple[int, str, str]:
    links = 1
    if words and re.fullmatch(r"[0-9]{1,10}", words[0]):
        links = int(words.pop(0))
    owner = words[0] if words else "ftp"
    return links, owner, words[1] if len(words) > 1 else owner


def _mode_bits(text: str) -> int:
    bits = 0
    for letter in text:
        bits = bits << 1 | (letter not in "-ST")
    special = (text[2] in "sS") << 2 | (text[5] in "sS") << 1 | (text[8] in "tT")
    return bits | special << 9


def _when(match: re.Match[str], now: float) -> ListedTime:
    style = next(style for style in DATE_STYLES if match[style] is not None)
    facts = match.groupdict()

    def number(fact: str) -> int | None:
        text = facts.get(style + fact)
        return None if text is None else int(text)

    name = facts.get(f"{style}month")
    month = month_number(name) if name is not None else number("number")
    day, hour, minute = number("day"), number("hour"), number("minute")
    year = number("year") or number("full")
    if month is None or day is None:
        return UNKNOWN_TIME
    if year is None:
        return time_without_year(month, day, hour or 0, minute or 0, now)
    clock = () if hour is None or minute is None else (hour, minute)
    return _in_zone(time_with_year(year, month, day, *clock), facts["dzone"])


def _in_zone(when: ListedTime, zone: str | None) -> ListedTime:
    """Return the time in UTC if the zone is given, as by ``ls --full-time``."""
    if zone is None:
        return when
    offset = datetime.strptime(zone, "%z").utcoffset()
    assert offset is not None
    epoch = datetime.fromtimestamp(when.moment, UTC)
    return ListedTime((epoch - offset).timestamp(), when.grain)
