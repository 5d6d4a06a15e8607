"""Lines of z/OS (data sets, and members of a partitioned data set) and of OS/400 (IBM i).

z/OS reports no size in bytes, and no modification time of data sets. A line is parsed as one of
z/OS only after a heading. OS/400 writes dates in the format of the job, which the listing does not
state, so those times are unknown.
"""

from __future__ import annotations

import re

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.listings.dates import UNKNOWN_TIME, time_with_year

__all__ = ["READERS_BY_HEADING", "os400_entry"]

DATA_SET_HEADING = re.compile(r"Volume\s+Unit\s+Referred\s+Ext\s+Used\s+Recfm\s+.*Dsname\s*")
MEMBER_HEADING = re.compile(r"\s*Name\s+VV\.MM\s+Created\s+Changed\s+.*")
MODULE_HEADING = re.compile(r"\s*Name\s+Size\s+TTR\s+Alias-of\s+.*")
DATA_SET_NAME = r"(?P<name>'?[A-Z@#$][A-Z0-9@#$.{-]{0,43}'?)\s*"
DATA_SET = re.compile(
    r"(?P<volume>\S{1,6})\s{1,9}\S{1,8}\s{1,9}(?:[0-9]{4}/[0-9]{2}/[0-9]{2}|\*\*NONE\*\*)"
    r"\s{1,9}(?P<columns>\S.{0,60}?)\s(?P<kind>PS|PO|DA|VS|VSAM|PS-L|PS-E|PO-E|IS)\s{1,9}"
    + DATA_SET_NAME
)
UNMOUNTED_DATA_SET = re.compile(
    r"(?:(?:Migrated|MIGRATED|ARCIVE)(?:\s.{0,60}?)?|(?P<pseudo>Pseudo Directory))\s{1,80}"
    + DATA_SET_NAME
)
MEMBER = re.compile(
    r"\s?(?P<name>[A-Z@#$][A-Z0-9@#${]{0,7})"
    r"(?:\s{1,9}[0-9]{2}\.[0-9]{2}\s{1,9}[0-9]{4}/[0-9]{2}/[0-9]{2}\s{1,9}"
    r"(?P<year>[0-9]{4})/(?P<month>[0-9]{2})/(?P<day>[0-9]{2})\s{1,9}"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?:\s{1,20}\S{1,20}){0,5})?\s*"
)
MODULE = re.compile(r"\s?(?P<name>[A-Z@#$][A-Z0-9@#${]{0,7})\s{1,9}[0-9A-F]{6,8}\s{1,9}.*")
OS400 = re.compile(
    r"(?P<owner>[A-Z@#$*][A-Z0-9@#$_.]{0,9})\s{1,80}"
    r"(?:(?P<size>[0-9]{1,20})\s{1,40}[0-9]{2,4}[-/.][0-9]{2}[-/.][0-9]{2,4}\s{1,9}"
    r"[0-9]{2}[:.][0-9]{2}[:.][0-9]{2}\s{1,40})?"
    r"\*(?P<kind>[A-Z]{1,10})\s{1,40}(?P<name>\S.*)"
)
DIRECTORY_TYPES = frozenset({"DIR", "DDIR", "FLR", "LIB"})
FILE_TYPES = frozenset({"STMF", "DSTMF", "MEM", "DOC", "SAVF", "USRSPC"})


def data_set_entry(text: str) -> Entry:
    """Parse the line of a data set; raises `ValueError`. A partitioned data set is a directory."""
    match = DATA_SET.fullmatch(text)
    if match is not None:
        kind = _kind_of(match["kind"])
    else:
        match = UNMOUNTED_DATA_SET.fullmatch(text)
        if match is None:
            raise ValueError("not a data set")
        kind = (
            Kind.DIRECTORY if match["pseudo"] else Kind.OTHER
        )  # the kind of archived data sets is unknown
    return _entry(match["name"], kind)


def _kind_of(organization: str) -> Kind:
    if organization.startswith("PO"):
        return Kind.DIRECTORY
    return Kind.FILE if organization.startswith("PS") else Kind.OTHER


def member_entry(text: str) -> Entry:
    """Parse the line of a member; raises `ValueError`. Some members have no statistics."""
    match = MEMBER.fullmatch(text)
    if match is None:
        raise ValueError("not a member")
    date = match.group("year", "month", "day", "hour", "minute")
    when = time_with_year(*map(int, date)) if date[0] else UNKNOWN_TIME
    return _entry(match["name"], Kind.FILE)._replace(modified=when.moment, time_grain=when.grain)


def module_entry(text: str) -> Entry:
    """Parse the line of a load module; raises `ValueError`."""
    match = MODULE.fullmatch(text)
    if match is None:
        raise ValueError("not a load module")
    return _entry(match["name"], Kind.FILE)


READERS_BY_HEADING = (
    (DATA_SET_HEADING, data_set_entry),
    (MEMBER_HEADING, member_entry),
    (MODULE_HEADING, module_entry),
)
"""Headings, and the parser of the lines after them."""


def _entry(name: str, kind: Kind) -> Entry:
    mode = 0o755 if kind is Kind.DIRECTORY else 0o644
    return Entry(name.strip("'"), kind, 0, 0.0, mode, size_known=kind is not Kind.FILE)


def os400_entry(text: str) -> Entry:
    """Parse ``OWNER  size date time *TYPE  name``; raises `ValueError`."""
    match = OS400.fullmatch(text)
    if match is None:
        raise ValueError("not an OS/400 line")
    kind = _os400_kind(match["kind"])
    size = match["size"] if kind is Kind.FILE else "0"
    name = match["name"].rstrip(" ")
    return Entry(
        name.removesuffix("/") if kind is Kind.DIRECTORY else name,
        kind,
        int(size or 0),
        0.0,
        0o755 if kind is Kind.DIRECTORY else 0o644,
        match["owner"],
        match["owner"],
        size_known=size is not None,
    )


def _os400_kind(type_: str) -> Kind:
    if type_ in DIRECTORY_TYPES:
        return Kind.DIRECTORY
    if type_ == "SYMLNK":
        return Kind.LINK
    return Kind.FILE if type_ in FILE_TYPES else Kind.OTHER
