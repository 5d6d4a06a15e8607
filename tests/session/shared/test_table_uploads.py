"""Uploads to one name from sessions in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ftpservice.concurrency.lock_wait import LOCKED_SECONDS
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout
from ftpservice.session.active_uploads import (
    SILENCE_SECONDS,
    TAKEOVER_SECONDS,
    ActiveUpload,
    UploadKey,
)
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.table_uploads import (
    ABORT,
    ACTIVE_UPLOADS,
    HANGING_SECONDS,
    MAX_RETRIES,
    RETRY_SECONDS,
    TableUploads,
    upload_key_bytes,
)
from ftpservice.storage.errors import BeingUploaded, Busy
from ftpservice.wire.paths import VirtualPath
from tests.support.memory_transport import is_pending, outcome, start
from tests.support.peer_processes import PeerProcesses

KEY = ("ann", VirtualPath.parse("/a \udcff"))
HERE, AWAY = "127.0.0.1", "127.0.0.2"


class Stage(PeerProcesses):
    """Processes with uploads to one name."""

    def upload(
        self,
        host: str = HERE,
        is_live: Callable[[], bool] = lambda: True,
        *,
        appends: bool = False,
        key: UploadKey = KEY,
    ) -> ActiveUpload:
        return ActiveUpload(key, host, is_live, self.clock.seconds(), appends=appends)

    def claim(self, who: int, upload: ActiveUpload) -> Deferred[Any]:
        claiming = start(self.states[who].uploads.claim(upload, self.clock.seconds))
        self.settle()
        return claiming


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(3)
    yield stage
    stage.close()


def test_a_name_is_claimed_by_one_process(stage: Stage) -> None:
    first = stage.upload()
    assert outcome(stage.claim(0, first))
    for who in (1, 2):
        with pytest.raises(BeingUploaded):
            outcome(stage.claim(who, stage.upload()))
    assert all(state.uploads.is_active(KEY) for state in stage.states)
    stage.states[0].uploads.leave(first)
    assert not any(state.uploads.is_active(KEY) for state in stage.states)
    assert outcome(stage.claim(1, stage.upload()))


def test_other_names_cost_no_message(stage: Stage) -> None:
    uploads = [stage.upload(key=("ann", VirtualPath((str(number),)))) for number in range(9)]
    for number, upload in enumerate(uploads):
        assert outcome(stage.claim(number % 3, upload))
    assert outcome(stage.claim(1, stage.upload(key=("bob", uploads[0].key[1]))))
    for number, upload in enumerate(uploads):
        stage.states[number % 3].uploads.leave(upload)
    assert stage.messages == 0
    assert stage.used_slots(ACTIVE_UPLOADS.name) == 1


@pytest.mark.parametrize(("host", "seconds"), [(HERE, TAKEOVER_SECONDS), (AWAY, SILENCE_SECONDS)])
def test_a_silent_upload_in_another_process_is_aborted(
    stage: Stage, host: str, seconds: float
) -> None:
    first, cuts = stage.upload(), []
    first.abort = lambda: cuts.append(1)
    assert outcome(stage.claim(0, first))
    stage.clock.advance(seconds - 0.1)
    with pytest.raises(BeingUploaded):
        outcome(stage.claim(1, stage.upload(host)))
    assert cuts == []
    stage.clock.advance(0.1)
    waiting = stage.claim(1, stage.upload(host))
    assert is_pending(waiting) and cuts == [1]
    stage.states[0].uploads.leave(first)
    stage.settle()
    assert outcome(waiting) is True
    assert KEY in stage.states[1].uploads.active


def test_an_upload_whose_session_has_ended_is_waited_for_from_another_process(
    stage: Stage,
) -> None:
    first = stage.upload(is_live=lambda: False)
    assert outcome(stage.claim(2, first))
    settling = start(stage.states[0].uploads.wait_for_end(KEY))
    stage.settle()
    assert is_pending(settling)
    stage.states[2].uploads.leave(first)
    stage.settle()
    assert outcome(settling) is None


def test_nobody_waits_for_an_upload_whose_session_lives(stage: Stage) -> None:
    assert outcome(stage.claim(2, stage.upload()))
    settling = start(stage.states[0].uploads.wait_for_end(KEY))
    stage.settle()
    assert outcome(settling) is None


def test_an_upload_waits_for_a_process_that_keeps_the_lock(stage: Stage) -> None:
    first, second = stage.upload(), stage.upload()
    with stage.tables[2].section(ACTIVE_UPLOADS.name).lock(upload_key_bytes(KEY)):
        claims = [stage.claim(0, first), stage.claim(0, second)]
        stage.clock.pump([0.1] * 5)
        assert all(map(is_pending, claims))
    stage.clock.pump([0.05] * 3)
    assert outcome(claims[0]) is True
    with pytest.raises(BeingUploaded):
        outcome(claims[1])


def test_an_upload_is_refused_when_a_process_was_stopped_with_the_lock(stage: Stage) -> None:
    with stage.tables[2].section(ACTIVE_UPLOADS.name).lock(upload_key_bytes(KEY)):
        claim = stage.claim(0, stage.upload())
        stage.clock.pump([0.1] * int(10 * LOCKED_SECONDS + 2))
        with pytest.raises(Busy):
            outcome(claim)


def test_the_names_of_a_killed_process_are_free_at_once(stage: Stage) -> None:
    assert outcome(stage.claim(1, stage.upload()))
    stage.kill(1)
    assert outcome(stage.claim(2, stage.upload()))


def test_who_asks_a_process_that_is_killed_gets_the_name(stage: Stage) -> None:
    first = stage.upload(is_live=lambda: False)
    first.abort = bool  # it hangs
    assert outcome(stage.claim(1, first))
    waiting = stage.claim(2, stage.upload())
    assert is_pending(waiting)
    stage.kill(1)
    stage.clock.pump([0.05] * 4)
    assert outcome(waiting) is True


def test_a_process_that_ends_without_being_cleared_does_not_block_for_ever(stage: Stage) -> None:
    assert outcome(stage.claim(1, stage.upload()))
    waiting = stage.claim(2, stage.upload())
    with pytest.raises(BeingUploaded):
        outcome(waiting)
    stage.ended.add(1)
    waiting = stage.claim(2, stage.upload())
    for _ in range(110):
        stage.states[2].peers.gone(1)
        stage.clock.advance(0.05)
    with pytest.raises(BeingUploaded):
        outcome(waiting)


def test_a_process_that_fails_to_answer_is_not_asked_without_pause(stage: Stage) -> None:
    async def fails(*_asked: object) -> None:
        raise ValueError("no")

    assert outcome(stage.claim(1, stage.upload()))
    stage.states[1].peers.answer(ABORT, fails)
    waiting = stage.claim(2, stage.upload())
    each = stage.messages
    stage.clock.pump([RETRY_SECONDS, 0, 0, 0, 0])
    assert stage.messages == 2 * each
    for _ in range(MAX_RETRIES):
        stage.clock.pump([RETRY_SECONDS, 0, 0, 0, 0])
    with pytest.raises(BeingUploaded):
        outcome(waiting)


@pytest.mark.parametrize("appends", [False, True])
def test_the_upload_of_a_process_that_hangs_is_kept(stage: Stage, appends: bool) -> None:
    """Another one to its name is refused soon, and the end of that is not waited for."""
    first = stage.upload(is_live=lambda: False, appends=appends)
    assert outcome(stage.claim(1, first))
    stage.hanging.add(1)
    waiting = stage.claim(2, stage.upload(appends=appends))
    settling = start(stage.states[0].uploads.wait_for_end(KEY))
    stage.clock.pump([HANGING_SECONDS / 4] * 9)
    with pytest.raises(BeingUploaded):
        outcome(waiting)
    assert outcome(settling) is None
    assert stage.states[2].uploads.is_active(KEY)
    stage.hanging.clear()
    waiting = stage.claim(2, stage.upload())
    assert is_pending(waiting), "it answers again"
    stage.states[1].uploads.leave(first)
    stage.settle()
    assert outcome(waiting) is True


def test_sessions_of_several_processes_may_append_together(stage: Stage) -> None:
    first = stage.upload(appends=True)
    assert outcome(stage.claim(0, first)) is True
    assert outcome(stage.claim(1, stage.upload(appends=True))) is False
    with pytest.raises(BeingUploaded):
        outcome(stage.claim(2, stage.upload()))
    stage.states[0].uploads.leave(first)
    assert outcome(stage.claim(2, stage.upload())) is True
    with pytest.raises(BeingUploaded):
        outcome(stage.claim(1, stage.upload(appends=True)))


def test_of_several_waiting_sessions_one_gets_the_name(stage: Stage) -> None:
    first = stage.upload(is_live=lambda: False)
    assert outcome(stage.claim(0, first))
    waiting = [stage.claim(who, stage.upload()) for who in (1, 2, 0)]
    assert all(map(is_pending, waiting))
    stage.states[0].uploads.leave(first)
    stage.settle()
    results = []
    for one in waiting:
        try:
            results.append(outcome(one))
        except BeingUploaded:
            results.append(False)
    assert sorted(results) == [False, False, True]


def test_without_room_an_upload_is_refused_for_the_moment() -> None:
    stage = Stage(1)
    small = RecordLayout(ACTIVE_UPLOADS.name, 1, slots=BUCKET_SLOTS)
    table = SharedTable.create([small], 2)
    peers = PeerRequests(lambda _to, _message: None, stage.clock)
    uploads = TableUploads(table.section(small.name), peers, stage.clock)
    keys = [("ann", VirtualPath((str(number),))) for number in range(BUCKET_SLOTS + 1)]
    begun = [stage.upload(key=key) for key in keys]
    for upload in begun[:-1]:
        assert outcome(start(uploads.claim(upload, stage.clock.seconds)))
    with pytest.raises(Busy):
        outcome(start(uploads.claim(begun[-1], stage.clock.seconds)))
    uploads.leave(begun[0])
    assert outcome(start(uploads.claim(begun[-1], stage.clock.seconds)))
    table.close()
    stage.close()
