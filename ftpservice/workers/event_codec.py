"""Events as plain values, and back.

What an event says of its session is the same for many events, so it is made once for each session.
The storage's own name of a file is asked for where the storage is. Mostly it is the path with the
same text before it, which all events of the session share; other names go with the event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Any

from ftpservice import events
from ftpservice.events import NO_SESSION, Event, LoggedIn, LoginRefusal, Outcome, SessionInfo

__all__ = ["UNKNOWN", "EncodedEvent", "EventDecoder", "encode_event", "plain_values"]

EncodedEvent = tuple[Any, ...]
"""The name of the kind, what is known of the session, names of files, and the fields in order."""
UNKNOWN = (LookupError, TypeError, ValueError)
"""What an event of another version raises, during an upgrade."""

KINDS: dict[str, type[Event]] = {
    name: kind
    for name in events.__all__
    if isinstance(kind := getattr(events, name), type) and issubclass(kind, Event)
}
ENUMERATIONS: dict[str, dict[Any, Enum]] = {
    kind.__name__: {member.value: member for member in kind} for kind in (Outcome, LoginRefusal)
}
PATHS = ("path", "target")


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
    """Makes events of what another process has encoded.

    ``known`` returns what the last event of a session, by its number, has shared with others.
    """

    def __init__(self, known: Callable[[int], SessionInfo | None] = lambda _number: None) -> None:
        self._known = known

    def decode(self, encoded: EncodedEvent) -> Event:
        """Return the event."""
        name, about, named, values = encoded
        codec = CODECS[name]
        if codec.enumerations:
            values = list(values)
            for place, members in codec.enumerations:
                values[place] = members[values[place]]
        if codec.kind is LoggedIn:
            when, session, peer, user, *others = values
            values = (when, session, peer, _one_object(user), *others)
        info = NO_SESSION if about is None else self._info(values[1], about, bool(codec.paths))
        if named is not None:
            known = dict(zip((values[place] for place in codec.paths), named, strict=True))
            info = replace(info, storage_name=_NamesOfFiles(known))
        return codec.kind(*values, info=info)

    def _info(self, number: int, about: tuple[Any, ...], has_paths: bool) -> SessionInfo:
        """Return what an event says of its session: the same object as before where it says that.

        An event without paths says nothing of the storage's names.
        """
        id, protocol, tls, groups, owner, prefix = about
        known, names = self._known(number), _no_name if prefix is None else _names_below(prefix)
        if known is not None and known.id == id:
            if not has_paths:
                names = known.storage_name
            same = (known.protocol, known.tls, known.groups, known.owner)
            if known.storage_name is names and same == (protocol, tls, groups, owner):
                return known
            id = known.id  # one text for all events of the session
        return SessionInfo(id, protocol, _one_object(tls), _one_object(groups), names, owner)


_no_name = NO_SESSION.storage_name


@lru_cache(1024)
def _one_object(value: Any) -> Any:
    """Return one of equal texts or tuples: thousands of sessions have the same."""
    return value


@lru_cache(1024)
def _names_below(prefix: str) -> Callable[[str], str | None]:
    return lambda path: prefix + path if path else None


class _NamesOfFiles:
    """The storage's own names of the files of one event."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def __call__(self, path: str) -> str | None:
        return self._names.get(path) or None
