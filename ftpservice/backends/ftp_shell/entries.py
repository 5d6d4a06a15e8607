"""The values that an `IFTPShell` returns for files, as entries; shells differ in their types."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger
from twisted.python.filepath import Permissions

from ftpservice.storage.errors import Unavailable
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import FORBIDDEN, VirtualPath

__all__ = ["KEYS", "entry_of", "name_of"]

log = Logger()

KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")


def name_of(name: str | bytes) -> str | None:
    """Return the name of an entry; None for one that no path can contain."""
    text = _text(name)
    if not text or text in (".", "..") or "/" in text or not FORBIDDEN.isdisjoint(text):
        return None
    return text


def entry_of(path: VirtualPath, values: Sequence[object]) -> Entry:
    """Return the entry for the values of `KEYS`; raises `Unavailable` if they are invalid."""
    try:
        size, directory, permissions, links, modified, owner, group = values
        return Entry(
            path.name,
            Kind.DIRECTORY if directory else Kind.FILE,
            0 if directory else _whole(size),
            modified=float(modified),  # type: ignore[arg-type]
            mode=_mode(permissions),
            owner=_text(owner),
            group=_text(group),
            links=_whole(links),
        )
    except (TypeError, ValueError, OverflowError) as error:
        log.failure("a shell returned invalid values for {path}", path=str(path))
        raise Unavailable(path, f"the shell returned {values!r}") from error


def _whole(number: object) -> int:
    return max(0, int(number))  # type: ignore[call-overload, no-any-return]


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _mode(permissions: object) -> int:
    """Return the bits of an ``st_mode`` or of Twisted's `Permissions`."""
    if not isinstance(permissions, Permissions):
        return _whole(permissions) & 0o7777
    mode = 0
    for who in (permissions.user, permissions.group, permissions.other):
        mode = mode << 3 | who.read << 2 | who.write << 1 | who.execute
    return mode
