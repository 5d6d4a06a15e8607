"""Events go from process to process unchanged, whatever their kind."""

from __future__ import annotations

import marshal
from dataclasses import fields, replace
from typing import Any

import pytest

from ftpservice.events import (
    FileChanged,
    LoggedIn,
    LoginFailed,
    LoginRefusal,
    Outcome,
    SessionInfo,
    TransferEnded,
    TransferStarted,
)
from ftpservice.workers.event_codec import KINDS, EventDecoder, encode_event, plain_values

VALUES: dict[str, Any] = {
    "str": "a text \udcff",
    "int": 7,
    "float": 1.5,
    "bool": True,
    "int | None": None,
    "float | None": None,
    "int | str": 550,
    "LoginRefusal": LoginRefusal.THROTTLED,
    "Outcome": Outcome.REFUSED,
    "tuple[str, ...]": ("a", "b"),
}


def sample(kind: type) -> Any:
    values = {field.name: VALUES[str(field.type)] for field in fields(kind) if field.name != "info"}
    return kind(**values)


def carried(event: Any, decoder: EventDecoder | None = None) -> Any:
    sent = marshal.loads(marshal.dumps(encode_event(event)))
    return (decoder or EventDecoder()).decode(sent)


class Known:
    """A decoder, and what the last event of each session has shared."""

    def __init__(self) -> None:
        self.infos: dict[int, SessionInfo] = {}
        self.decoder = EventDecoder(self.infos.get)

    def carried(self, event: Any) -> Any:
        arrived = carried(event, self.decoder)
        self.infos[event.session] = arrived.info
        return arrived


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_event_arrives_as_it_was(kind: type) -> None:
    event = sample(kind)
    assert carried(event) == event
    assert type(carried(event)) is kind


def test_what_an_event_says_of_its_session_goes_with_it() -> None:
    info = SessionInfo("run-7", "ftp", "TLSv1.3", ("staff",), lambda path: f"/srv{path}")
    ended = TransferEnded(1.0, 7, "::1", "ann", "/f", True, Outcome.COMPLETE, 1, 0.5, info=info)
    arrived = carried(ended)
    assert (arrived.info.id, arrived.info.protocol, arrived.info.groups) == info_values(info)
    assert arrived.info.storage_name("/f") == "/srv/f"
    assert arrived.info.storage_name("") is None


MOUNTED = {"/f": "/srv/ann/f", "/m/f": "/data/f", "/odd": "object-7", "/none": None}


@pytest.mark.parametrize(("path", "name"), MOUNTED.items())
def test_the_storage_has_a_name_for_a_file_or_none(path: str, name: str | None) -> None:
    info = SessionInfo("run-7", storage_name=MOUNTED.get)
    removed = FileChanged(1.0, 7, "::1", "ann", "delete", path, info=info)
    assert carried(removed).info.storage_name(path) == name


def test_both_names_of_a_rename_arrive() -> None:
    info = SessionInfo("run-7", storage_name=MOUNTED.get)
    renamed = FileChanged(1.0, 7, "::1", "ann", "rename", "/f", "/m/f", info=info)
    names = carried(renamed).info.storage_name
    assert (names("/f"), names("/m/f")) == ("/srv/ann/f", "/data/f")


def test_transfers_of_a_session_share_what_their_files_names_begin_with() -> None:
    known = Known()
    info = SessionInfo("run-7", storage_name=lambda path: f"/srv{path}")
    started = [
        TransferStarted(1.0, 7, "::1", "ann", path, True, number, info=info)
        for number, path in enumerate(("/a", "/b/c"))
    ]
    first, second = map(known.carried, started)
    assert first.info is second.info
    assert [first.info.storage_name(one.path) for one in started] == ["/srv/a", "/srv/b/c"]


def info_values(info: SessionInfo) -> tuple[Any, ...]:
    return info.id, info.protocol, info.groups


def test_events_of_a_session_share_what_they_say_of_it() -> None:
    known, info = Known(), SessionInfo("run-7", "ftp")
    logins = [LoggedIn(when, 7, "::1", "ann", info=info) for when in (1.0, 2.0)]
    first, second = map(known.carried, logins)
    assert first.info is second.info
    other = LoggedIn(3.0, 7, "::1", "bob", info=replace(info, groups=("staff",)))
    assert known.carried(other).info.groups == ("staff",)
    known.infos.clear()
    assert known.carried(logins[0]).info is not first.info


def test_an_event_without_a_path_does_not_change_what_names_begin_with() -> None:
    known = Known()
    info = SessionInfo("run-7", storage_name=lambda path: f"/srv{path}")
    started = TransferStarted(1.0, 7, "::1", "ann", "/a", True, 1, info=info)
    login = LoggedIn(2.0, 7, "::1", "ann", info=info)
    first, second, third = map(known.carried, (started, login, started))
    assert first.info is second.info is third.info


def test_a_path_without_a_name_has_none_after_one_with_a_name() -> None:
    known = Known()
    names = {"/a": "/srv/a"}
    about = SessionInfo("run-7", storage_name=names.get)
    for path in ("/a", "/odd", "/a"):
        event = FileChanged(1.0, 7, "::1", "ann", "delete", path, info=about)
        assert known.carried(event).info.storage_name(path) == names.get(path)


def test_texts_of_other_classes_can_be_made_plain() -> None:
    class Name(str):
        __slots__ = ()

    failed = LoginFailed(1.0, 7, "::1", Name("ann"))
    with pytest.raises(ValueError, match="unmarshallable"):
        marshal.dumps(encode_event(failed))
    plain = plain_values(encode_event(failed))
    assert EventDecoder().decode(marshal.loads(marshal.dumps(plain))) == failed
