r"""The grammar of a line of ``passwd.db``: an account, ``name:hash:root:rights:options``.

The first two fields have no escapes, so that Twisted's ``FilePasswordDB`` can read them; in the
others ``\:`` is a colon and ``\\`` a backslash. A line that begins with ``@`` is a group: ``*`` is
in place of the hash, which no version takes for the hash of an account; all else may be empty.

A truncated line must not grant anything: a line lists its rights, or has the word ``inherit``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from ftpservice.accounts.account_record import AccountRecord, CertificateUse, is_storage_string
from ftpservice.accounts.defence.networks import parse_network
from ftpservice.accounts.groups.group_names import (
    GROUP_HASH,
    GROUP_MARK,
    check_group_name,
    is_group,
)
from ftpservice.accounts.groups.home_template import MAX_NAME_BYTES, check_template
from ftpservice.accounts.groups.inheritance import absent_value
from ftpservice.accounts.password_hash import check_hash
from ftpservice.accounts.terms.login_hours import parse_hours
from ftpservice.backends.mounts.account_mount import AccountMount, is_mount_word, parse_mount
from ftpservice.storage.name_rules.name_patterns import parse_patterns, patterns_text
from ftpservice.storage.retention_rules import parse_retention
from ftpservice.storage.rights import (
    OWNER_BITS,
    DirectoryRights,
    Right,
    parse_directory_rights,
    parse_rights,
    rights_words,
)
from ftpservice.storage.trash import parse_trash
from ftpservice.wire.units import parse_size, parse_umask

__all__ = [
    "INHERIT_WORD",
    "LISTS",
    "NONE_WORD",
    "OPTIONS",
    "SERIES",
    "check_name",
    "format_line",
    "parse_line",
    "parse_option",
    "parse_rights_field",
    "parse_rights_text",
    "parse_root",
    "rights_text",
]

FIELD = r"(?:\\[\\:]|[^:])*"
REST = re.compile(rf"({FIELD})(?::({FIELD})(?::(.*))?)?", re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


INHERIT_WORD = "inherit"
"""In place of the rights of an account: those of its groups."""
NONE_WORD = "none"
"""The value of an option that is not set, whatever the groups have."""


def parse_line(line: str, number: int = 0) -> AccountRecord:
    """Parse one line; raises `ValueError` with the reason."""
    if ":" not in line:
        raise ValueError("it has no colon: expected name:hash:root:rights:options")
    name, _, rest = line.partition(":")
    password_hash, _, rest = rest.partition(":")
    match = REST.fullmatch(rest)
    root, rights, options = map(_unescaped, match.groups("") if match else ("", "", ""))
    if is_group(name):
        check_group_name(name.removeprefix(GROUP_MARK))
        if password_hash != GROUP_HASH:
            raise ValueError(f"{name!r} is a group: expected {GROUP_HASH!r} in place of the hash")
    else:
        check_name(name)
        check_hash(password_hash)
        if not rights.strip():
            raise ValueError(
                "the rights are missing: name:hash:root:rights, with 'full' for all rights"
            )
    fields: dict[str, Any] = {
        "rights": frozenset(),
        "root": parse_root(root) if root.strip() else "",
    }
    if rights.strip() not in ("", INHERIT_WORD):
        fields |= parse_rights_text(rights)
    fields |= _options(options)
    if is_group(name) and fields.get("groups"):
        raise ValueError("a group cannot be in another group")
    if is_group(name) and fields.get("owner"):
        raise ValueError("a group has no files of its own: no owner")
    return AccountRecord(name, password_hash, line=number, **fields)


def _unescaped(field: str) -> str:
    if "\\" not in field:
        return field
    return re.sub(r"\\([\\:])", r"\1", field)


def check_name(name: str) -> None:
    """Raise `ValueError` for a name that a line cannot begin with."""
    if not name:
        raise ValueError("the name is empty")
    if name.startswith("#"):
        raise ValueError(f"the name {name!r} begins with '#', as comments do")
    if name != name.strip() or CONTROL.search(name):
        raise ValueError(
            f"the name {name!r} begins or ends with a space, or has a control character"
        )
    if ":" in name or name.endswith("\\"):
        raise ValueError(f"the name {name!r} contains a colon or ends with a backslash")


def parse_rights_field(text: str) -> frozenset[Right]:
    """Return the rights named by presets and operations with commas; raises `ValueError`."""
    return parse_rights(word.strip() for word in text.split(","))


def parse_rights_text(text: str) -> dict[str, Any]:
    """Return the fields of `AccountRecord` that ``read; /in: upload-only`` sets.

    Raises `ValueError` with the reason.
    """
    first, *others = text.split(";")
    found = tuple(parse_directory_rights(one) for one in others)
    paths = [one.path for one in found]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"the rights to {path!r} are given twice")
    return {"rights": parse_rights_field(first), "directory_rights": found}


def rights_text(rights: frozenset[Right], by_directory: tuple[DirectoryRights, ...]) -> str:
    """Return the text that `parse_rights_text` parses back."""
    return "; ".join([",".join(rights_words(rights)), *map(str, by_directory)])


def parse_root(text: str) -> str:
    """Return a root in its normal form; raises `ValueError`."""
    root = text.strip()
    if CONTROL.search(root):
        raise ValueError("the root has a control character")
    check_template(root)
    if is_storage_string(root):
        return root
    if not root.startswith("/"):
        raise ValueError(
            f"the root {root!r} is neither a path below the root of the service, which begins with"
            " /, nor a storage such as local:/srv/attic"
        )
    if ".." in root.split("/"):
        raise ValueError(f"the root {root!r} contains '..'")
    if any(len(os.fsencode(name)) > MAX_NAME_BYTES for name in root.split("/")):
        raise ValueError(f"a name in the root {root!r} has more than {MAX_NAME_BYTES} bytes")
    return "/" + root.lstrip("/")


def _options(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    without: set[str] = set()
    for word in _words(text) if text.strip() else ():
        key, _, value = word.partition("=")
        if value == NONE_WORD and key in OPTIONS and key not in ALWAYS_SET:
            field = OPTIONS[key][0]
            without.add(field)
            read_value = absent_value(AccountRecord, field)
        else:
            field, read_value = parse_option(key, value)
        if field in found and (field not in LISTS or field in without):
            raise ValueError(f"the option {key!r} is given twice")
        found[field] = found.get(field, ()) + read_value if field in LISTS else read_value
    return found | {"without": frozenset(without)}


def _words(text: str) -> list[str]:
    """Return the options of a line; some words belong to the mount before them."""
    words: list[str] = []
    for word in (word.strip() for word in text.split(",")):
        if is_mount_word(word) and words and words[-1].startswith("mount="):
            words[-1] += f",{word}"
        else:
            words.append(word)
    return words


def parse_option(key: str, value: str) -> tuple[str, Any]:
    """Return the field of `AccountRecord` that an option sets, and its value.

    Raises `ValueError` with the reason. Values of `LISTS` are tuples, to be joined.
    """
    if key not in OPTIONS:
        word = f"{key}={value}" if value else key
        raise ValueError(f"unknown option {word!r} (known: {', '.join(OPTIONS)})")
    field, read = OPTIONS[key]
    try:
        return field, read(value)
    except ValueError as error:
        word = f"{key}={value}" if value else key
        raise ValueError(f"the option {word!r}: {error}") from None


def _count(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise ValueError("expected a number, 1 or more, or 'none' for no limit")
    return int(value)


def _day(value: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("expected a date such as 2027-01-31")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("there is no such day; expected a date such as 2027-01-31") from None


def _rate(value: str) -> int:
    rate = parse_size(value)
    if rate == 0:
        raise ValueError("expected bytes per second, such as 20M, or 'none' for no limit")
    return rate


def _quota(value: str) -> int:
    size = parse_size(value)
    if size == 0:
        raise ValueError("expected bytes, such as 10M, or 'none' for no limit")
    return size


def _required(value: str) -> bool:
    if value != "required":
        raise ValueError("the only value is 'required'")
    return True


def _certificate(value: str) -> CertificateUse:
    if value not in [use.value for use in CertificateUse]:
        raise ValueError("expected 'required' or 'login'")
    return CertificateUse(value)


def _umask(value: str) -> int:
    mask = parse_umask(value)
    if mask & OWNER_BITS:
        raise ValueError("a umask may not withhold permissions of the owner")
    return mask


def _switch(value: str) -> bool:
    if value not in ("on", "off"):
        raise ValueError("expected 'on' or 'off'")
    return value == "on"


def _no_value(value: str) -> bool:
    if value:
        raise ValueError("takes no value")
    return True


def _mount(value: str) -> tuple[AccountMount, ...]:
    mount = parse_mount(value)
    check_template(mount.storage)
    if "{" in mount.path or "}" in mount.path:
        raise ValueError(f"the path {mount.path!r} cannot have braces")
    return (mount,)


def _owner(value: str) -> str:
    owner = value.replace("%2C", ",").replace("%25", "%")
    check_name(owner)
    return owner


def _group(value: str) -> tuple[str, ...]:
    check_group_name(value)
    return (value,)


OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "group": ("groups", _group),
    "max-sessions": ("max_sessions", _count),
    "expires": ("expires", _day),
    "rate-down": ("rate_down", _rate),
    "rate-up": ("rate_up", _rate),
    "quota": ("quota_bytes", _quota),
    "quota-files": ("quota_files", _count),
    "hours": ("hours", parse_hours),
    "from": ("networks", lambda value: (parse_network(value),)),
    "mount": ("mounts", _mount),
    "retention": ("retention", parse_retention),
    "trash": ("trash", parse_trash),
    "tls": ("tls_required", _required),
    "tls-cert": ("certificate", _certificate),
    "umask": ("umask", _umask),
    "ascii": ("ascii", _switch),
    "hide": ("hidden_names", parse_patterns),
    "refuse": ("refused_names", parse_patterns),
    "owner": ("owner", _owner),
    "disabled": ("disabled", _no_value),
}
LISTS = frozenset({"groups", "networks", "mounts"})
"""The fields that an option may add to more than once."""
SERIES = frozenset({"hide", "hours", "refuse"})
"""The options whose value is a series with semicolons."""
ALWAYS_SET = frozenset({"group", "disabled", "owner"})
"""The options that cannot be ``none``."""


def format_line(record: AccountRecord) -> str:
    """Return a record as a line, without line end; `parse_line` parses it back.

    Raises `ValueError` for a record that a line cannot represent.
    """
    if record.inherited:
        raise ValueError(f"the account {record.name!r} has values of its groups")
    rights = rights_text(record.rights, record.directory_rights)
    if not record.rights and not record.directory_rights:
        rights = "" if is_group(record.name) else INHERIT_WORD
    fields = (
        _escaped(record.root),
        _escaped(rights),
        _escaped(_options_text(record)),
    )
    line = ":".join((record.name, record.password_hash, *fields)).rstrip(":")
    if replace(parse_line(line), line=record.line) != record:
        raise ValueError(f"the account {record.name!r} cannot be written as a line")
    return line


def _escaped(field: str) -> str:
    return field.replace("\\", "\\\\").replace(":", "\\:")


def _options_text(record: AccountRecord) -> str:
    words = [f"group={group}" for group in record.groups]
    words += [f"from={network}" for network in record.networks]
    words += [f"mount={mount}" for mount in record.mounts]
    if record.max_sessions is not None:
        words.append(f"max-sessions={record.max_sessions}")
    if record.rate_down is not None:
        words.append(f"rate-down={record.rate_down}")
    if record.rate_up is not None:
        words.append(f"rate-up={record.rate_up}")
    if record.quota_bytes is not None:
        words.append(f"quota={record.quota_bytes}")
    if record.quota_files is not None:
        words.append(f"quota-files={record.quota_files}")
    words += [f"retention={record.retention}"] if record.retention else []
    words += [f"trash={record.trash}"] if record.trash else []
    if record.expires is not None:
        words.append(f"expires={record.expires.isoformat()}")
    words += [] if record.umask is None else [f"umask={record.umask:03o}"]
    words += [] if record.ascii is None else [f"ascii={'on' if record.ascii else 'off'}"]
    words += [f"hours={record.hours}"] if record.hours else []
    words += [f"hide={patterns_text(record.hidden_names)}"] if record.hidden_names else []
    words += [f"refuse={patterns_text(record.refused_names)}"] if record.refused_names else []
    words += ["tls=required"] if record.tls_required else []
    words += [f"tls-cert={record.certificate.value}"] if record.certificate else []
    if record.owner:
        words.append("owner=" + record.owner.replace("%", "%25").replace(",", "%2C"))
    words += ["disabled"] if record.disabled else []
    words += [f"{key}={NONE_WORD}" for key, (name, _) in OPTIONS.items() if name in record.without]
    return ",".join(words)
