r"""The grammar of ``passwd.db``: one account a line, ``name:hash:root:rights:options``.

The first two fields are plain, so that Twisted's ``FilePasswordDB`` reads them too; in the others
``\:`` stands for a colon and ``\\`` for a backslash. Empty lines and lines that begin with ``#``
are skipped. A malformed line is reported by number and closes its account only.

A file that was cut short must not open anything: every line names its rights, and the last line
ends with a line end. Of two lines with one name the first holds; the second is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any

from ftpservice.accounts.account_record import AccountRecord, CertificateUse, is_storage_string
from ftpservice.accounts.password_hash import DecoyHashes, check_hash
from ftpservice.storage.rights import PRESETS, parse_rights
from ftpservice.wire.units import parse_size

__all__ = ["MalformedLine", "PasswdContents", "format_line", "parse", "parse_line"]

FIELD = r"(?:\\[\\:]|[^:])*"
REST = re.compile(rf"({FIELD})(?::({FIELD})(?::(.*))?)?", re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class MalformedLine:
    """A line that is no account, and why."""

    line_number: int
    reason: str
    name: str = ""
    """The account that is closed by it, where the line gets as far as naming one."""

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"


@dataclass(frozen=True)
class PasswdContents:
    """All that a file says."""

    accounts: Mapping[str, AccountRecord]
    """The usable accounts, in the order of the file."""
    malformed: tuple[MalformedLine, ...] = ()
    closed: frozenset[str] = frozenset()
    """The names of accounts that a malformed line closes."""
    decoys: DecoyHashes = field(default_factory=DecoyHashes)
    """The hashes to check for names that have none."""

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the account ``name``; one with a malformed line is there, but disabled."""
        record = self.accounts.get(name)
        if record is None and name in self.closed:
            hashed = self.decoys.hash_for(name)
            return AccountRecord(name, hashed, rights=frozenset(), disabled=True)
        return record


def parse(text: str) -> PasswdContents:
    """Read a whole file; never raises."""
    accounts: dict[str, AccountRecord] = {}
    bad: list[MalformedLine] = []
    first: dict[str, int] = {}
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name = line.partition(":")[0]
        try:
            if number == len(lines):
                raise ValueError("the last line has no line end; the file may have been cut short")
            record = parse_line(line.rstrip(), number)
            if name in first:
                before = first[name]
                raise ValueError(f"{name!r} stands in line {before} already; the first line holds")
            accounts[name] = record
        except ValueError as error:
            bad.append(MalformedLine(number, str(error), name))
        first.setdefault(name, number)
    decoys = DecoyHashes(record.password_hash for record in accounts.values())
    closed = frozenset(line.name for line in bad) - accounts.keys()
    return PasswdContents(MappingProxyType(accounts), tuple(bad), closed, decoys)


def parse_line(line: str, number: int = 0) -> AccountRecord:
    """Read one account; raises `ValueError` that says what is wrong."""
    name, _, behind = line.partition(":")
    password_hash, _, rest = behind.partition(":")
    _check_name(name)
    check_hash(password_hash)
    match = REST.fullmatch(rest)
    root, rights, options = match.groups("") if match else ("", "", "")
    if not rights.strip():
        raise ValueError("the rights are missing: name:hash:root:rights, 'full' for all of them")
    held = parse_rights(word.strip() for word in _plain(rights).split(","))
    record = AccountRecord(name, password_hash, _root(_plain(root)), held, line=number)
    return replace(record, **_options(_plain(options)))


def _plain(field: str) -> str:
    return re.sub(r"\\([\\:])", r"\1", field)


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("the name is empty")
    if name != name.strip() or CONTROL.search(name) or name.startswith("#"):
        raise ValueError(f"the name {name!r} has a space at its edge or a control character")
    if name.endswith("\\"):
        raise ValueError("a name can hold no colon")


def _root(text: str) -> str:
    root = text.strip()
    if CONTROL.search(root):
        raise ValueError("the root holds a control character")
    if is_storage_string(root):
        return root
    if ".." in root.split("/"):
        raise ValueError(f"the root {root!r} climbs with '..'")
    return "/" + root.lstrip("/")


def _options(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in (word.strip() for word in text.split(",")) if text.strip() else ():
        key, _, value = word.partition("=")
        if key not in OPTIONS:
            known = ", ".join(OPTIONS)
            raise ValueError(f"unknown option {word!r} (known: {known})")
        field, read = OPTIONS[key]
        if field in found and field != "networks":
            raise ValueError(f"the option {key!r} is given twice")
        try:
            read_value = read(value)
        except ValueError as error:
            raise ValueError(f"the option {word!r}: {error}") from None
        found[field] = found.get(field, ()) + read_value if field == "networks" else read_value
    return found


def _count(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise ValueError("wants a number from 1 up")
    return int(value)


def _day(value: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("wants a date like 2027-01-31")
    return date.fromisoformat(value)


def _rate(value: str) -> int:
    rate = parse_size(value)
    if rate == 0:
        raise ValueError("wants bytes per second, as 20M; leave it out for no limit")
    return rate


def _required(value: str) -> bool:
    if value != "required":
        raise ValueError("the only value is 'required'")
    return True


def _certificate(value: str) -> CertificateUse:
    if value not in [use.value for use in CertificateUse]:
        raise ValueError("wants 'required' or 'login'")
    return CertificateUse(value)


def _alone(value: str) -> bool:
    if value:
        raise ValueError("takes no value")
    return True


OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "max-sessions": ("max_sessions", _count),
    "expires": ("expires", _day),
    "rate-down": ("rate_down", _rate),
    "rate-up": ("rate_up", _rate),
    "from": ("networks", lambda value: (ip_network(value),)),
    "tls": ("tls_required", _required),
    "tls-cert": ("certificate", _certificate),
    "disabled": ("disabled", _alone),
}


def format_line(record: AccountRecord) -> str:
    """Write an account as a line, without its end, rights included; `parse_line` reads it back.

    Raises `ValueError` for a record that no line can say.
    """
    fields = (_escaped(record.root), ",".join(_rights(record)), _escaped(_said_options(record)))
    line = ":".join((record.name, record.password_hash, *fields)).rstrip(":")
    if replace(parse_line(line), line=record.line) != record:
        raise ValueError(f"the account {record.name!r} cannot be written in a line")
    return line


def _escaped(field: str) -> str:
    return field.replace("\\", "\\\\").replace(":", "\\:")


def _rights(record: AccountRecord) -> list[str]:
    held = [name for name, rights in PRESETS.items() if rights <= record.rights]
    words = sorted(held, key=lambda name: -len(PRESETS[name]))[:1]
    rest = record.rights - PRESETS[words[0]] if words else record.rights
    return words + sorted(right.value for right in rest)


def _said_options(record: AccountRecord) -> str:
    words = [f"from={network}" for network in record.networks]
    if record.max_sessions is not None:
        words.append(f"max-sessions={record.max_sessions}")
    if record.rate_down is not None:
        words.append(f"rate-down={record.rate_down}")
    if record.rate_up is not None:
        words.append(f"rate-up={record.rate_up}")
    if record.expires is not None:
        words.append(f"expires={record.expires.isoformat()}")
    words += ["tls=required"] if record.tls_required else []
    words += [f"tls-cert={record.certificate.value}"] if record.certificate else []
    words += ["disabled"] if record.disabled else []
    return ",".join(words)
