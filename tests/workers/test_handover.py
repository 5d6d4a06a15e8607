"""What one program hands over to the next one."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from ftpservice.workers.handover import VARIABLE, Handover, socket_name
from tests.support.open_resources import OpenResources


def test_it_is_taken_once_and_its_descriptors_are_not_inherited_further() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    handover = Handover(
        3, answer=writing, program={"pidfile": "x"}, workers=({"channel": reading},)
    )
    environment = {VARIABLE: str(handover.stored()), "OTHER": ""}
    assert Handover.taken(environment) == handover
    assert not os.get_inheritable(writing)
    assert Handover.taken(environment) is None
    assert sorted(handover.descriptors) == sorted((reading, writing))
    os.close(reading)
    os.close(writing)


def test_what_another_version_adds_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ftpservice.workers.handover.asdict", lambda one: {"generation": one.generation, "new": 1}
    )
    assert Handover.taken({VARIABLE: str(Handover(2).stored())}) == Handover(2)


def test_what_cannot_be_stored_leaves_no_memory_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = OpenResources()
    with pytest.raises(ValueError, match="unmarshallable"):
        Handover(program={"x": object()}).stored()
    monkeypatch.setattr("ftpservice.workers.handover.open", _full, raising=False)
    with pytest.raises(OSError, match="No space"):
        Handover().stored()
    assert before.leaks() == {}


def _full(*_words: Any, **_names: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("given", "logfile"),
    [({}, "twistd.log"), ({"nodaemon": True}, None), ({"logfile": "other"}, "other")],
)
def test_the_next_program_of_a_daemon_does_not_become_one_again(
    given: dict[str, Any], logfile: str | None
) -> None:
    program: dict[str, Any] = {"pidfile": "twistd.pid", **given}
    Handover().apply_to(program)
    assert program["nodaemon"]
    assert program["pidfile"] == ""
    assert program.get("logfile") == logfile


def test_a_trial_writes_no_log() -> None:
    program: dict[str, Any] = {"pidfile": "twistd.pid", "logfile": "other", "syslog": True}
    Handover(is_trial=True).apply_to(program)
    assert program["logfile"] == "-"
    assert not program["syslog"]


def test_ports_that_the_settings_name_no_more_are_closed() -> None:
    kept, left = socket.socket(), socket.socket()
    name = socket_name("listen", "tcp:0")
    sockets = {name: kept.fileno(), "implicit tcp:1": left.detach()}
    Handover(sockets=sockets).close_rest([name])
    with pytest.raises(OSError):
        os.fstat(sockets["implicit tcp:1"])
    os.fstat(sockets[name])
    kept.close()
