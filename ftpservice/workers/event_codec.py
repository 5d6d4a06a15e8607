"""Events as plain values, and back.

What an event says of its session is the same for many events, so it is made once for each session.
The storage's own name of a file is asked for where the storage is. Mostly it is the path with the
same text before it, which all events of the session share; other names go with the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any

from ftpservice import events
from ftpservice.events import NO_SESSION, Event, LoginRefusal, Outcome, SessionInfo

__all__ = ["EncodedEvent", "EventDecoder", "encode_event", "plain_values"]

EncodedEvent = tuple[Any, ...]
"""The name of the kind, what is known of the session, names of files, and the fields in order."""

KINDS: dict[str, type[Event]] = {
    name: kind
    for name in events.__all__
    if isinstance(kind := getattr(events, name), type) and issubclass(kind, Event)
}
ENUMERATIONS: dict[str, dict[Any, Enum]] = {
    kind.__name__: {member.value: member for member in kind} for kind in (Outcome, LoginRefusal)
}
PATHS = ("path", "target")
MAX_SESSIONS = 100_000
"""Sessions of which a decoder keeps what their events share."""


class _Kind:
    """How a kind of event is taken apart and put together."""

    def __init__(self, kind: type[Event]) -> None:
        names = [field.name for field in fields(kind) if field.name != "info"]
        self.kind = kind
        self.values = attrgetter(*names)
        self.enumerations = tuple(
            (place, ENUMERATIONS[str(field.type)])
            for place, field in enumerate(one for one in fields(kind) if one.name != "info")
            if str(field.type) in ENUMERATIONS
        )
        self.paths = tuple(names.index(name) for name in PATHS if name in names)


CODECS = {name: _Kind(kind) for name, kind in KINDS.items()}


def encode_event(event: Event) -> EncodedEvent:
    """Return an event as a tuple of plain values."""
    name = type(event).__name__
    codec = CODECS[name]
    values = codec.values(event)
    if codec.enumerations:
        changed = list(values)
        for place, _kind in codec.enumerations:
            changed[place] = changed[place].value
        values = tuple(changed)
    info = event.info
    if info is NO_SESSION:
        return (name, None, None, values)
    prefix, named = None, None
    if codec.paths:
        prefix, named = _names(info.storage_name, [values[place] for place in codec.paths])
    return (
        name,
        (info.id, info.protocol, info.tls, info.groups, info.owner, prefix),
        named,
        values,
    )


def _names(
    name_of: Callable[[str], str | None], paths: list[str]
) -> tuple[str | None, tuple[str, ...] | None]:
    """Return what is before each path in the storage's own name of it, or else these names."""
    path = paths[0]
    name = name_of(path)
    if len(paths) == 1 or not paths[1]:
        if not name:
            return None, None
        if name.endswith(path):
            return name[: len(name) - len(path)], None
    return None, tuple(name_of(one) or "" for one in paths)


def plain_values(value: Any) -> Any:
    """Return an encoded event whose texts and numbers are no subclasses of `str` and so on."""
    if isinstance(value, tuple | list):
        return tuple(map(plain_values, value))
    if isinstance(value, Enum):
        return plain_values(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    return str(value)


class EventDecoder:
    """Makes events of what another process has encoded."""

    def __init__(self) -> None:
        self._infos: dict[int, tuple[tuple[Any, ...], SessionInfo]] = {}

    def decode(self, encoded: EncodedEvent) -> Event:
        """Return the event."""
        name, about, named, values = encoded
        codec = CODECS[name]
        if codec.enumerations:
            values = list(values)
            for place, members in codec.enumerations:
                values[place] = members[values[place]]
        info = NO_SESSION if about is None else self._info(values[1], about)
        if named is not None:
            known = dict(zip((values[place] for place in codec.paths), named, strict=True))
            info = replace(info, storage_name=_NamesOfFiles(known))
        return codec.kind(*values, info=info)

    def forget(self, sessions: Iterable[int]) -> None:
        """Forget what is known of sessions that have ended."""
        for number in sessions:
            self._infos.pop(number, None)

    def _info(self, number: int, about: tuple[Any, ...]) -> SessionInfo:
        known = self._infos.get(number)
        if known is not None and known[0] == about:
            return known[1]
        id, protocol, tls, groups, owner, prefix = about
        info = SessionInfo(id, protocol, tls, groups, owner=owner)
        if prefix is not None:
            info = replace(info, storage_name=partial(_named_below, prefix))
        if len(self._infos) < MAX_SESSIONS:
            self._infos[number] = about, info
        return info


def _named_below(prefix: str, path: str) -> str | None:
    return prefix + path if path else None


class _NamesOfFiles:
    """The storage's own names of the files of one event."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def __call__(self, path: str) -> str | None:
        return self._names.get(path) or None
