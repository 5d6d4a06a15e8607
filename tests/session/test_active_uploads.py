"""Which sessions may upload to a name that another one uploads to.

The same holds for the sessions of a process that shares names with others.
"""

import socket
from types import SimpleNamespace

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.session.active_uploads import (
    SILENCE_SECONDS,
    TAKEOVER_SECONDS,
    ActiveUpload,
    ActiveUploads,
)
from ftpservice.storage.errors import BeingUploaded
from ftpservice.wire.paths import VirtualPath
from tests.net.test_socket_state import Handle, pair
from tests.support.loopback import send_rst
from tests.support.memory_transport import outcome, start
from tests.support.peer_processes import PeerProcesses

KEY = ("ann", VirtualPath.parse("/a"))
HERE, AWAY = "127.0.0.1", "127.0.0.2"


class Stage:
    """One upload under way from `HERE`, whose session is connected or not."""

    def __init__(self, uploads=None, clock=None):
        self.clock, self.uploads, self.cuts = clock or Clock(), uploads or ActiveUploads(), []
        self.live = True
        self.first = ActiveUpload(KEY, HERE, lambda: self.live, self.clock.seconds())
        self.first.abort = lambda: self.cuts.append(self.clock.seconds())
        assert outcome(self.claim(self.first))

    def claim(self, upload):
        return start(self.uploads.claim(upload, self.clock.seconds))

    def second(self, host=HERE):
        return start(self.uploads.abort_dead_upload(KEY, host, self.clock.seconds))


@pytest.fixture(params=["local", "table"])
def stage(request):
    processes = PeerProcesses(1)
    shared = processes.states[0].uploads
    yield Stage(shared if request.param == "table" else None, processes.clock)
    processes.close()


@pytest.mark.parametrize(("host", "seconds"), [(HERE, TAKEOVER_SECONDS), (AWAY, SILENCE_SECONDS)])
def test_an_upload_is_aborted_only_after_a_long_silence(stage, host, seconds):
    stage.clock.advance(seconds - 0.1)
    with pytest.raises(BeingUploaded):
        outcome(stage.second(host))
    assert stage.cuts == []
    stage.clock.advance(0.1)
    waiting = stage.second(host)
    assert len(stage.cuts) == 1 and not waiting.called
    stage.uploads.leave(stage.first)
    assert outcome(waiting) is None


@pytest.mark.parametrize("ends", [lambda theirs: theirs.shutdown(socket.SHUT_WR), send_rst])
def test_an_upload_whose_data_connection_has_ended_is_waited_for(stage, ends):
    ours, theirs = pair()
    with ours, theirs:
        stage.first.connection = SimpleNamespace(
            lost=False, transport=Handle(ours), silent_seconds=lambda: 0.0
        )
        theirs.sendall(b"unread")
        with pytest.raises(BeingUploaded):
            outcome(stage.second())
        ends(theirs)
        waiting = stage.second(AWAY)
        assert not waiting.called
        assert stage.cuts == []
        stage.uploads.leave(stage.first)
        assert outcome(waiting) is None


def test_an_upload_that_is_stored_after_its_data_connection_is_waited_for(stage):
    stage.first.connection = SimpleNamespace(lost=True, silent_seconds=lambda: 0.0)
    waiting = stage.second()
    assert not waiting.called
    stage.uploads.leave(stage.first)
    assert outcome(waiting) is None


def test_an_upload_whose_session_has_ended_is_aborted_and_waited_for(stage):
    stage.live = False
    waiting, settling = stage.second(AWAY), start(stage.uploads.wait_for_end(KEY))
    assert not waiting.called and not settling.called
    stage.uploads.leave(stage.first)
    assert outcome(waiting) is outcome(settling) is None
    assert KEY not in stage.uploads.active


def test_wait_for_end_ignores_an_upload_whose_session_lives(stage):
    stage.clock.advance(1000)
    assert outcome(start(stage.uploads.wait_for_end(KEY))) is None
    assert stage.cuts == []


def test_of_two_waiting_sessions_one_gets_the_name(stage):
    stage.live = False
    got = []

    async def claim(name):
        other = ActiveUpload(KEY, HERE, lambda: True, stage.clock.seconds())
        await stage.uploads.claim(other, stage.clock.seconds)
        got.append(name)

    one, two = start(claim("one")), start(claim("two"))
    stage.uploads.leave(stage.first)
    outcome(one)
    with pytest.raises(BeingUploaded):
        outcome(two)
    assert got == ["one"]


def test_waiting_can_be_cancelled(stage):
    stage.live = False
    waiting = stage.second()
    waiting.cancel()
    with pytest.raises(CancelledError):
        outcome(waiting)
    stage.uploads.leave(stage.first)
    assert KEY not in stage.uploads.active


def test_sessions_may_append_to_one_name_together(stage):
    stage.uploads.leave(stage.first)
    appending = [
        ActiveUpload(KEY, HERE, lambda: True, stage.clock.seconds(), appends=True) for _ in range(2)
    ]
    assert [outcome(stage.claim(one)) for one in appending] == [True, False]
    with pytest.raises(BeingUploaded):
        outcome(stage.second())
    for one in appending:
        stage.uploads.leave(one)
    assert not stage.uploads.is_active(KEY)


def test_nobody_appends_while_another_session_replaces(stage):
    appending = ActiveUpload(KEY, HERE, lambda: True, stage.clock.seconds(), appends=True)
    with pytest.raises(BeingUploaded):
        outcome(stage.claim(appending))
    assert stage.uploads.is_active(KEY)
