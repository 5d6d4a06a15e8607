"""Transcripts: commands with their replies and sizes; files that are none are refused."""

import json

import pytest

from ftpservice.admin.replay import transcript
from ftpservice.admin.replay.transcript import (
    BadTranscript,
    ExpectedReply,
    PlayedCommand,
    read_transcript,
)

HEADER = {"trace": 1, "since": 0.0, "names": "shown", "follows": True}


def read(*records):
    return read_transcript(json.dumps(one) for one in (HEADER, *records))


def command(line, session=1):
    return {"session": session, "at": 0.0, "command": line}


def reply(code, session=1):
    return {"session": session, "at": 0.0, "reply": code, "lines": ["text"]}


def test_pipelined_commands_have_their_replies():
    (session,) = read(reply(220), command("NOOP"), command("QUIT"), reply(200), reply(221))
    greeting, noop, quits, first, second = session.steps
    assert isinstance(greeting, ExpectedReply)
    assert greeting.command is None
    assert (first.command, second.command) == (noop, quits)
    assert (noop.final_code, quits.final_code, quits.number) == (200, 221, 2)


def test_an_upload_has_its_size():
    ended = {"session": 1, "at": 0.0, "transfer": "upload", "size": 7}
    (session,) = read(reply(220), command("STOR a"), reply(150), ended, reply(226))
    stor = session.steps[1]
    assert isinstance(stor, PlayedCommand)
    assert (stor.size, stor.final_code, stor.is_upload) == (7, 226, True)


def test_sessions_are_told_apart_and_unasked_replies_left_out():
    first, second = read(reply(220), reply(220, 2), command("NOOP", 2), reply(200, 2), reply(421))
    assert (first.number, second.number) == (1, 2)
    assert len(first.steps) == 1


def test_a_session_that_was_joined_has_no_greeting():
    (session,) = read(
        {"session": 1, "at": 0.0, "joined": ["TYPE I"], "login": True, "tls": False},
        command("NOOP"),
        reply(200),
    )
    assert (session.setup, session.begins_logged_in) == (["TYPE I"], True)
    assert not session.begins_secured
    assert session.steps[1].command.line == "NOOP"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "it is empty"),
        (["USER ann"], "line 1 is no record"),
        (["{}"], "line 1 is no record"),
        (['{"trace": 2}'], "its form is 2"),
        ([json.dumps(HEADER), "[]"], "line 2 is no record"),
        ([json.dumps(HEADER), '{"session": 1, "reply": "x"}'], "line 2 is no record"),
    ],
)
def test_other_files_are_refused(lines, why):
    with pytest.raises(BadTranscript, match=why):
        read_transcript(lines)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(command("NOOP\r\nDELE a")),
        json.dumps(command("NOOP\nDELE a")),
        json.dumps(command("SIZE \ud800")),
        json.dumps({"session": 1, "joined": ["CWD a\nDELE b"], "login": True, "tls": False}),
        "[" * 100_000,
        json.dumps({"session": 1, "at": 0.0, "reply": 1e400, "lines": []}),
    ],
)
def test_a_hostile_record_is_refused(line):
    with pytest.raises(BadTranscript, match="line 2 is no record"):
        read_transcript([json.dumps(HEADER), line])


def test_an_upload_of_less_than_nothing_is_refused():
    ended = {"session": 1, "at": 0.0, "transfer": "upload", "size": -1}
    with pytest.raises(BadTranscript, match="line 4 is no record"):
        read(reply(220), command("STOR a"), ended)


def test_lines_and_their_number_are_limited(monkeypatch):
    monkeypatch.setattr(transcript, "MAX_RECORDS", 3)
    monkeypatch.setattr(transcript, "MAX_LINE_LENGTH", 80)
    assert read(command("NOOP"), reply(200))
    with pytest.raises(BadTranscript, match="more than 3 lines"):
        read(command("NOOP"), reply(200), command("NOOP"))
    with pytest.raises(BadTranscript, match="line 2 is longer than 80"):
        read(command("NOOP" * 20))


def test_uploads_are_summed_up():
    steps = []
    for size in (7, 10**15):
        ended = {"session": 1, "at": 0.0, "transfer": "upload", "size": size}
        steps += [command("STOR a"), reply(150), ended, reply(226)]
    (session,) = read(reply(220), *steps)
    assert session.upload_size == 7 + 10**15
