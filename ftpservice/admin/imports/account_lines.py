"""Account files with one account a line, and fields between colons.

``/etc/passwd`` with its shadow file, ProFTPD's AuthUserFile (the same fields, with the hash in the
second), pureftpd.passwd, and htpasswd.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from ftpservice.accounts.terms.login_hours import parse_hours
from ftpservice.admin.imports.account_draft import AccountDraft, whole_number
from ftpservice.wire.units import count_text

__all__ = ["LINE_FORMATS", "ShadowLine", "parse_shadow_line"]

NO_LOGIN_SHELLS = {"nologin", "false", "sync", "shutdown", "halt"}
UNIX_EPOCH = date(1970, 1, 1)
MAX_DAYS = 2_900_000
"""The last day that a date can have, from 1970."""
NO_PASSWORD_AGE_DAYS = 10_000
"""A maximum age of so many days or more is none (99999 is usual)."""
PUREFTPD_FIELDS = (
    "name", "hash", "uid", "gid", "comment", "home", "rate_up", "rate_down", "ratio_up",
    "ratio_down", "max_sessions", "quota_files", "quota_bytes", "local_allowed", "local_refused",
    "allowed", "refused", "hours",
)  # fmt: skip

PUREFTPD_HOURS = re.compile(r"([0-9]{1,4})-([0-9]{1,4})")
LAST_MINUTE = 59

ShadowLine = Mapping[str, str]
"""A line of a shadow file by the names of `SHADOW_FIELDS`."""
SHADOW_FIELDS = ("name", "hash", "changed", "min", "max", "warn", "inactive", "expire", "flag")


def parse_shadow_line(line: str) -> ShadowLine:
    """Return the fields of a line of ``/etc/shadow``; raises `ValueError`."""
    found = line.split(":")
    if not 2 <= len(found) <= len(SHADOW_FIELDS):
        raise ValueError("it does not have the fields of a shadow file")
    return dict(zip(SHADOW_FIELDS, found + [""] * len(SHADOW_FIELDS), strict=False))


def read_passwd(draft: AccountDraft, found: list[str], shadow: Mapping[str, ShadowLine]) -> None:
    """Read a line of ``/etc/passwd``: name, hash, uid, gid, comment, home, shell."""
    _, hashed, uid, _, _, home, shell = found
    line = shadow.get(draft.name)
    if hashed == "x" and line is None:
        draft.set_no_password("its password is in the shadow file (--shadow); set a new one")
    elif hashed == "x" and line is not None:
        _set_unix_hash(draft, line["hash"])
    else:
        _set_unix_hash(draft, hashed)
    if line is not None:
        _read_password_age(draft, line)
    if whole_number(uid, "the uid") == 0:
        draft.lock("uid 0: FTP servers refuse root")
    if shell.rpartition("/")[2] in NO_LOGIN_SHELLS:
        draft.lock(f"its shell {shell} is not one for logins")
    draft.set_home(home)


def read_proftpd(draft: AccountDraft, found: list[str], _: Mapping[str, ShadowLine]) -> None:
    """Read a line of an AuthUserFile: name, hash, uid, gid, comment, home, shell."""
    _set_unix_hash(draft, found[1])
    draft.set_home(found[5])


def read_htpasswd(draft: AccountDraft, found: list[str], _: Mapping[str, ShadowLine]) -> None:
    """Read a line of htpasswd: name and hash."""
    draft.set_hash(found[1])
    draft.set_home("")


def read_pureftpd(draft: AccountDraft, found: list[str], _: Mapping[str, ShadowLine]) -> None:
    """Read a line of pureftpd.passwd (README.Virtual-Users of Pure-FTPd)."""
    values = dict(zip(PUREFTPD_FIELDS, found + [""] * len(PUREFTPD_FIELDS), strict=False))
    _set_unix_hash(draft, values["hash"])
    _set_pureftpd_home(draft, values["home"])
    for key in ("rate_up", "rate_down", "max_sessions"):
        number = whole_number(values[key], key.replace("_", " "))
        if number:
            draft.values[key] = number
    ratio = whole_number(values["ratio_up"], "ratio"), whole_number(values["ratio_down"], "ratio")
    if any(ratio):
        draft.warn(f"the ratio {ratio[0]}:{ratio[1]} of uploads to downloads is not carried over")
    _set_pureftpd_quota(draft, values)
    draft.set_networks(_words(values["allowed"]), _words(values["refused"]))
    if values["local_allowed"] or values["local_refused"]:
        draft.lock("the addresses of the server that it may use are not carried over")
    if values["hours"]:
        _set_pureftpd_hours(draft, values["hours"])


def _set_pureftpd_hours(draft: AccountDraft, text: str) -> None:
    """Set the hours of every day, in the time zone of the machine: ``900-1730``, with 17:30."""
    match = PUREFTPD_HOURS.fullmatch(text)
    try:
        if match is None:
            raise ValueError("expected hours such as 0900-1730")
        begin, last = (divmod(int(time), 100) for time in match.groups())
        end = 60 * last[0] + last[1] + 1
        span = f"{begin[0]:02}:{begin[1]:02}-{end // 60:02}:{end % 60:02}"
        if max(begin[1], last[1]) > LAST_MINUTE:
            raise ValueError("an hour has 60 minutes")
        draft.values["hours"] = parse_hours(span)
    except ValueError as error:
        draft.lock(f"its hours of logins ({text}) are not carried over: {error}")


def _set_pureftpd_home(draft: AccountDraft, home: str) -> None:
    """Set the home: what is before ``/./`` is the root, and what follows the first directory."""
    root, mark, start = home.partition("/./")
    if home and not mark:
        draft.warn("it was not confined to its home directory, and is now")
    if start.strip("/"):
        draft.warn(f"its first directory {start!r} is not carried over")
    draft.set_home(root or ("/" if mark else ""))


def _set_pureftpd_quota(draft: AccountDraft, values: Mapping[str, str]) -> None:
    for key in ("quota_files", "quota_bytes"):
        number, unit = whole_number(values[key], "the quota"), key.removeprefix("quota_")
        if number:
            draft.values[key] = number
        elif values[key]:
            draft.lock(f"its quota is 0 {unit}")


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word.strip()]


def _set_unix_hash(draft: AccountDraft, hashed: str) -> None:
    """Set the hash; ``!`` before it locks, ``*`` is no password."""
    rest = hashed.lstrip("!")
    if rest.startswith("*LK*"):
        rest = ""
    if not hashed:
        draft.set_no_password("it has an empty password; set one")
    elif rest in ("", "*", "x", "NP"):
        draft.set_no_password("it has no password; set one")
    else:
        draft.set_hash(rest)
        if rest != hashed:
            draft.lock("its password is locked")


def _read_password_age(draft: AccountDraft, line: ShadowLine) -> None:
    """Read when an account expires, and how old its password may be."""
    if line["expire"]:
        days = min(whole_number(line["expire"], "the expiry"), MAX_DAYS)
        draft.values["expires"] = UNIX_EPOCH + timedelta(days - 1)
    if line["changed"] == "0":
        draft.lock("its password must be changed at the next login")
    longest = whole_number(line["max"], "the age of the password")
    if not line["max"] or not line["changed"] or longest >= NO_PASSWORD_AGE_DAYS:
        return
    changed = whole_number(line["changed"], "the date of the password")
    last = UNIX_EPOCH + timedelta(min(changed + longest, MAX_DAYS))
    if last < date.today():
        draft.lock(f"its password has expired on {last.isoformat()}")
    else:
        draft.warn(
            f"the maximum age of its password ({count_text(longest, 'day')}) is not carried over"
        )


LineReader = Callable[[AccountDraft, list[str], Mapping[str, ShadowLine]], None]
LINE_FORMATS: dict[str, tuple[range, LineReader]] = {
    "passwd": (range(7, 8), read_passwd),
    "proftpd": (range(7, 8), read_proftpd),
    "pureftpd": (range(6, len(PUREFTPD_FIELDS) + 1), read_pureftpd),
    "htpasswd": (range(2, 3), read_htpasswd),
}
"""The number of fields and the reader of each format."""
