"""What sessions of several processes count together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ftpservice.concurrency.lock_wait import LOCKED_SECONDS
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.shared_state import ISharedState
from ftpservice.session.shared.table_session_limits import DISPLACE_SECONDS, SESSION_PLACES
from ftpservice.session.shared.table_state import TableState
from ftpservice.storage.errors import BeingUploaded
from ftpservice.wire.paths import VirtualPath
from tests.support.ftp_dialogue import FTPDialogue
from tests.support.memory_transport import outcome, start
from tests.support.peer_processes import PeerProcesses


@pytest.fixture
def processes() -> Iterator[PeerProcesses]:
    """Two processes."""
    made = PeerProcesses(2, MemoryReactorClock())
    yield made
    made.close()


def test_processes_have_everything_that_counts(processes: PeerProcesses) -> None:
    assert all(verifyObject(ISharedState, state) for state in processes.states)


class TableDialogue(FTPDialogue):
    """A session of a process that counts in a table."""

    def __init__(self, processes: PeerProcesses, number: int, **settings: Any) -> None:
        self.processes, self.number = processes, number
        super().__init__(SessionSettings(**settings))

    def shared_state(self, _clock: Any) -> TableState:
        return self.processes.states[self.number]


def log_in(dialogue: FTPDialogue) -> str:
    dialogue.replies()
    dialogue.say("USER ann")
    return dialogue.say("PASS secret")[-1][:3]


def test_the_sessions_of_a_user_count_in_all_processes(processes: PeerProcesses) -> None:
    one, two = (TableDialogue(processes, number, max_sessions_per_user=1) for number in (0, 1))
    assert (log_in(one), log_in(two)) == ("230", "421")


@pytest.mark.parametrize("settings", [{"max_sessions": 1}, {"max_sessions_per_address": 1}])
def test_the_sessions_in_all_and_of_an_address_count_in_all_processes(
    processes: PeerProcesses, settings: dict[str, int]
) -> None:
    one = TableDialogue(processes, 0, **settings)
    assert log_in(one) == "230"
    two = TableDialogue(processes, 1, **settings)
    processes.settle()
    assert two.codes() == [421]
    one.lose(Failure(ConnectionLost()))
    _protocol, transport = two.connect()
    assert transport.value().startswith(b"220")


@pytest.fixture
def displaced(processes: PeerProcesses) -> tuple[TableDialogue, TableDialogue]:
    """A session without a login, which has the only place, and the one that wants it."""
    one = TableDialogue(processes, 0, max_sessions=1)
    assert one.codes() == [220]
    return one, TableDialogue(processes, 1, max_sessions=1)


def test_a_session_without_a_login_is_displaced_for_one_in_another_process(
    processes: PeerProcesses, displaced: tuple[TableDialogue, TableDialogue]
) -> None:
    one, two = displaced
    assert two.replies() == []
    processes.settle()
    assert (one.codes(), two.codes()) == ([421], [220])
    assert processes.states[0].session_limits.taken("all", "") == 1
    assert two.codes("USER ann", "PASS secret") == [331, 230]


def test_what_a_client_sends_early_is_carried_out_once_it_has_a_place(
    processes: PeerProcesses, displaced: tuple[TableDialogue, TableDialogue]
) -> None:
    _one, two = displaced
    assert two.codes("USER ann") == []
    assert two.codes("PASS secret") == []
    processes.settle()
    assert two.codes() == [220, 331, 230]


def test_a_session_that_has_logged_in_is_not_displaced_by_another_process(
    processes: PeerProcesses,
) -> None:
    one = TableDialogue(processes, 0, max_sessions=1)
    assert log_in(one) == "230"
    two = TableDialogue(processes, 1, max_sessions=1)
    processes.settle()
    assert (one.codes(), two.codes()) == ([], [421])
    assert processes.states[0].session_limits.taken("address", "127.0.0.1") == 1


@pytest.mark.parametrize("how", ["lost", "disconnected"])
def test_a_session_that_ends_before_it_has_a_place_holds_none(
    processes: PeerProcesses, displaced: tuple[TableDialogue, TableDialogue], how: str
) -> None:
    one, two = displaced
    if how == "lost":
        two.lose(Failure(ConnectionLost()))
    else:
        two.protocol.disconnect("Closing.")
        assert two.codes() == [421]
    processes.settle()
    assert one.codes() == [421]
    limits = processes.states[0].session_limits
    assert (limits.taken("all", ""), limits.taken("address", "127.0.0.1")) == (0, 0)
    assert two.codes() == []


def test_a_session_is_refused_when_the_process_with_the_places_does_not_answer(
    processes: PeerProcesses, displaced: tuple[TableDialogue, TableDialogue]
) -> None:
    _one, two = displaced
    processes.ended.add(0)
    processes.clock.advance(DISPLACE_SECONDS)
    assert two.codes() == [421]


def test_without_messages_no_process_is_asked(processes: PeerProcesses) -> None:
    one, two = (TableState(table, processes.clock) for table in processes.tables)
    key = ("ann", VirtualPath.parse("/a"))
    upload = ActiveUpload(key, None, bool, 0.0)
    assert outcome(start(one.uploads.claim(upload, processes.clock.seconds)))
    claiming = start(two.uploads.claim(upload, processes.clock.seconds))
    processes.clock.pump([0.05] * 110)
    with pytest.raises(BeingUploaded):
        outcome(claiming)


@contextmanager
def locked(processes: PeerProcesses, section: str, key: bytes) -> Iterator[None]:
    """Keep the lock of a key in the second process, as one without a processor does."""
    with processes.tables[1].section(section).lock(key):
        yield


@pytest.mark.parametrize("kind", ["all", "address"])
def test_a_session_waits_for_a_process_that_keeps_the_lock(
    processes: PeerProcesses, kind: str
) -> None:
    key = {"all": b"all\0", "address": b"address\x00127.0.0.1"}[kind]
    limits = processes.states[0].session_limits
    with locked(processes, SESSION_PLACES.name, key):
        one = TableDialogue(processes, 0, max_sessions=2, max_sessions_per_address=2)
        processes.clock.pump([0.1] * 5)
        assert one.codes() == []
    processes.clock.pump([0.02] * 2)
    assert one.codes() == [220]
    assert [limits.taken(*one) for one in (("all", ""), ("address", "127.0.0.1"))] == [1, 1]
    one.lose(Failure(ConnectionLost()))
    assert [limits.taken(*one) for one in (("all", ""), ("address", "127.0.0.1"))] == [0, 0]


def test_a_session_that_ends_while_it_waits_for_a_lock_holds_nothing(
    processes: PeerProcesses,
) -> None:
    with locked(processes, SESSION_PLACES.name, b"all\0"):
        one = TableDialogue(processes, 0, max_sessions=2, max_sessions_per_address=2)
        one.lose(Failure(ConnectionLost()))
    processes.clock.pump([0.02] * 2)
    limits = processes.states[0].session_limits
    assert [limits.taken(*one) for one in (("all", ""), ("address", "127.0.0.1"))] == [0, 0]


def test_a_login_waits_for_a_process_that_keeps_the_lock(processes: PeerProcesses) -> None:
    one = TableDialogue(processes, 0, max_sessions_per_user=1)
    one.replies()
    with locked(processes, SESSION_PLACES.name, b"user\0ann"):
        assert one.codes("USER ann", "PASS secret") == [331]
        processes.clock.pump([0.1] * 5)
        assert one.codes() == []
    processes.clock.pump([0.02] * 2)
    assert one.codes() == [230]
    assert log_in(TableDialogue(processes, 1, max_sessions_per_user=1)) == "421"


def test_a_session_is_refused_when_a_process_was_stopped_with_the_lock(
    processes: PeerProcesses,
) -> None:
    with locked(processes, SESSION_PLACES.name, b"all\0"):
        one = TableDialogue(processes, 0, max_sessions=2)
        processes.clock.pump([0.1] * int(10 * LOCKED_SECONDS + 2))
        assert one.codes() == [421]
