"""Whole account files of other programs: their format, and the account at each place."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.groups.inheritance import AccountGroups
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.passwd_line import parse_line
from ftpservice.accounts.storage_problems import check_storages
from ftpservice.admin.imports.account_draft import AccountDraft, ImportedAccount, ImportOptions
from ftpservice.admin.imports.account_lines import LINE_FORMATS, ShadowLine, parse_shadow_line
from ftpservice.admin.imports.sftpgo_dump import (
    lists_of_dump,
    read_dump_groups,
    read_dump_user,
)
from ftpservice.wire.units import count_text

__all__ = [
    "FORMATS",
    "PASSWD_DB",
    "ImportProblem",
    "ImportedFile",
    "format_of",
    "read_accounts",
    "read_data",
]

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024
MAX_PROBLEMS = 1000
"""After so many malformed lines the file is probably another one."""
PASSWD_DB = "passwd-db"
"""Our own: the records are taken as they are."""
FORMATS = (*LINE_FORMATS, "sftpgo", PASSWD_DB)
TOO_LONG = "\0"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class ImportProblem:
    """An account that cannot be imported."""

    place: str
    name: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.name, self.reason) if part)


@dataclass
class ImportedFile:
    """The accounts of a file."""

    accounts: list[ImportedAccount] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is not carried over and belongs to no account."""
    places: dict[str, str] = field(default_factory=dict)
    """Where each name was first seen."""

    def add(
        self,
        place: str,
        name: str,
        options: ImportOptions,
        read: Callable[[AccountDraft, Any], None],
        source: Any,
    ) -> None:
        """Add the account that ``read`` finds in ``source``, or the problem that it raises."""
        try:
            draft = AccountDraft(place, name, options)
            if name and name in self.places:
                raise ValueError(f"it is in {self.places[name]} already; the first one counts")
            read(draft, source)
            self.accounts.append(draft.finished())
        except ValueError as error:
            if len(self.problems) >= MAX_PROBLEMS:
                raise ValueError(
                    f"more than {MAX_PROBLEMS} accounts cannot be used; the first is"
                    f" {self.problems[0]}; is the format right?"
                ) from None
            self.problems.append(ImportProblem(place, _printable(name), str(error)))
        self.places.setdefault(name, place)


def read_data(path: str) -> bytes:
    """Read a whole file, or stdin for ``-``; raises `OSError`, `ValueError` if it is too large."""
    if path == "-":
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is not a regular file; use - for stdin")
            data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
    return data


def read_accounts(
    data: bytes, file_format: str, options: ImportOptions, shadow: bytes = b""
) -> ImportedFile:
    """Read a file of a format of `FORMATS`; raises `ValueError` for all of it."""
    imported = ImportedFile()
    if file_format == PASSWD_DB:
        _read_passwd_db(data, imported)
        return imported
    if file_format == "sftpgo":
        _read_dump(imported, data, options)
        return imported
    counts, reader = LINE_FORMATS[file_format]
    shadow_lines = _shadow_lines(shadow, imported)

    def read_line(draft: AccountDraft, line: str) -> None:
        found = line.split(":")
        _check_line(line, found, counts)
        reader(draft, found, shadow_lines)

    for number, line in _lines(data):
        name = "" if line == TOO_LONG else line.partition(":")[0]
        imported.add(f"line {number}", name, options, read_line, line)
    if file_format != "htpasswd":
        imported.notes.append(
            "uid, gid and comment are not carried over: files belong to the user of the service"
        )
    return imported


def _read_dump(imported: ImportedFile, data: bytes, options: ImportOptions) -> None:
    """Read a dump of SFTPGo: its groups, and the users that inherit from them."""
    users, groups = lists_of_dump(data, imported.notes)
    dump_groups = read_dump_groups(groups, options, imported.notes)
    imported.accounts += dump_groups.carried.values()
    known = AccountGroups({name: one.record for name, one in dump_groups.carried.items()})

    def read_user(draft: AccountDraft, user: Mapping[str, Any]) -> None:
        read_dump_user(draft, user, dump_groups)
        problem = known.problem(draft.finished().record)
        if problem:
            raise ValueError(problem)

    for number, user in enumerate(users, 1):
        given = user.get("username")
        name = given if isinstance(given, str) else ""
        imported.add(f"user {number}", name, options, read_user, user)


def _read_passwd_db(data: bytes, imported: ImportedFile) -> None:
    """Read the lines of a ``passwd.db``: groups, and accounts with every value of their own."""
    contents = parse(data.decode("utf-8", "surrogateescape"))
    for name, record in contents.entries.items():
        place = f"line {record.line}"
        reason = contents.unresolved.get(name) or _scheme_problem(record)
        if reason:
            imported.problems.append(ImportProblem(place, _printable(name), reason))
        else:
            account = ImportedAccount(place, replace(record, line=0), (), ())
            imported.accounts.append(account)
    imported.problems += [
        ImportProblem(f"line {line.line_number}", _printable(line.name), line.reason)
        for line in contents.malformed
    ]


def _scheme_problem(record: AccountRecord) -> str:
    try:
        check_storages(record)
    except ValueError as error:
        return str(error)
    return ""


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not empty or a comment.

    A line that is too long is yielded as a control character, which `_check_line` refuses.
    """
    for number, line in enumerate(io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")), 1):
        if len(line) > MAX_LINE_BYTES:
            yield number, TOO_LONG
            continue
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        if text.strip() and not text.lstrip().startswith("#"):
            yield number, text


def _check_line(line: str, found: list[str], counts: range) -> None:
    if line == TOO_LONG:
        raise ValueError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    if CONTROL.search(line):
        raise ValueError("the line has a control character")
    if line[0] in "+-":
        raise ValueError("a line of NIS is not an account")
    if len(found) not in counts:
        expected = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        raise ValueError(f"it has {len(found)} fields between colons, not {expected}")


def _shadow_lines(data: bytes, imported: ImportedFile) -> Mapping[str, ShadowLine]:
    found: dict[str, ShadowLine] = {}
    for number, line in _lines(data):
        try:
            if CONTROL.search(line):
                raise ValueError("the line has a control character")
            fields = parse_shadow_line(line)
        except ValueError as error:
            imported.notes.append(f"line {number} of the shadow file: {error}")
        else:
            found.setdefault(fields["name"], fields)
    return found


def format_of(data: bytes) -> str:
    """Return the format of a file by its first lines; raises `ValueError`."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return "sftpgo"
    for number, line in _lines(data):
        if _is_passwd_db_line(line):
            return PASSWD_DB
        fields = line.split(":")
        for name, (counts, _) in LINE_FORMATS.items():
            if len(fields) in counts and name != "passwd":
                is_system = name == "proftpd" and not fields[1].lstrip("!*").startswith("$")
                return "passwd" if is_system else name
        raise ValueError(
            f"its format is not known: line {number} is malformed or of another program, as it has "
            f"{count_text(len(fields), 'field')} (htpasswd: 2, Pure-FTPd: 6 to 18, passwd: 7); "
            "choose the format with --format"
        )
    raise ValueError("it has no accounts")


def _is_passwd_db_line(line: str) -> bool:
    try:
        parse_line(line)
    except ValueError:
        return False
    return True


def _printable(name: str) -> str:
    text = CONTROL.sub("?", name[:64])
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
