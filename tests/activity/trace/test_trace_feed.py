"""Traces of a session and of an account: what is in them, when they begin and end."""

import json

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.trace import trace_feed
from ftpservice.activity.trace.trace_feed import trace_for
from tests.support.ftp_dialogue import FTPDialogue

SECRET = "secret"


class Traced:
    def __init__(self, talk, target, **request):
        self.records = []
        self.feed = trace_for(talk.factory, {"target": target, **request})
        self.feed.start(self.records.append)

    def of(self, number):
        """Return commands and codes of a session."""
        words = ("command", "reply", "opened", "joined", "closed", "dropped")
        mine = [one for one in self.records if one.get("session") == number]
        return [one[word] for one in mine for word in words if word in one]


def session_of(talk):
    return talk.protocol.context.peer.session


def say(talk, made, *lines):
    protocol, _transport = made
    protocol.dataReceived("".join(f"{line}\r\n" for line in lines).encode())
    talk.reactor.advance(0)


def is_tapped(protocol):
    return "write" in vars(protocol.outgoing) or "receive" in vars(protocol.interpreter)


def test_a_session_that_runs_is_traced_to_its_end():
    talk = FTPDialogue().login()
    talk.say("MKD plans", "CWD plans", "TYPE I")
    traced = Traced(talk, str(session_of(talk)))
    talk.say("PWD", "PASS again")
    talk.say("QUIT")
    talk.lose(Failure(ConnectionDone()))
    header, joined, *rest = traced.records
    assert (header["trace"], header["names"], header["follows"]) == (1, "shown", False)
    assert joined["joined"] == ["TYPE I", "CWD /plans"]
    assert traced.of(1) == [
        ["TYPE I", "CWD /plans"],
        *("PWD", "PASS ***", 257, 503, "QUIT", 221, "closed"),
    ]
    assert rest[2]["lines"][0].startswith('"/plans"')
    assert not is_tapped(talk.protocol)
    traced.feed.stop()


def test_a_session_is_found_by_its_id():
    talk = FTPDialogue().login()
    traced = Traced(talk, talk.protocol.context.peer.id)
    talk.say("NOOP")
    assert traced.of(1)[1:] == ["NOOP", 200]
    traced.feed.stop()
    talk.say("NOOP")
    assert len(traced.of(1)) == 3


def test_an_account_is_traced_from_the_greeting_of_each_session():
    talk = FTPDialogue().login()
    traced = Traced(talk, "ann")
    assert traced.of(1) == [["TYPE A", "CWD /"]]
    ann, bob, nobody = talk.connect(), talk.connect(), talk.connect()
    say(talk, ann, "USER ann", "PASS wrong")
    say(talk, bob, "USER bob", "PASS hidden", "NOOP")
    say(talk, nobody, "USER ann", f"PASS {SECRET}-")
    assert len(traced.records) == 2  # nobody has logged in as ann yet
    talk.reactor.advance(10)
    say(talk, ann, "USER ann", f"PASS {SECRET}", "NOOP")
    number = ann[0].context.peer.session
    assert traced.of(number)[:6] == [True, 220, "USER ann", "PASS ***", 331, 530]
    assert traced.of(number)[6:] == ["USER ann", "PASS ***", "NOOP", 331, 230, 200]
    assert not is_tapped(bob[0])
    shown = json.dumps(traced.records)
    assert not [word for word in (SECRET, "wrong", "hidden", "bob") if word in shown]
    traced.feed.stop()
    assert not any(is_tapped(one[0]) for one in (ann, bob, nobody))
    for one in (ann, bob, nobody):
        one[0].connectionLost(Failure(ConnectionDone()))


def test_another_account_in_a_traced_session_is_not_shown():
    talk = FTPDialogue().login()
    traced = Traced(talk, "ann")
    talk.say("REIN")
    talk.say("USER bob", "PASS hidden")
    talk.say("MKD private")
    assert traced.of(1)[-1] == "another account logged in"
    assert "private" not in json.dumps(traced.records)
    talk.say("REIN")
    talk.say("USER ann", f"PASS {SECRET}")
    talk.say("NOOP")
    assert traced.of(1)[-2:] == ["NOOP", 200]
    traced.feed.stop()


def test_what_waits_for_a_login_is_bounded(monkeypatch):
    monkeypatch.setattr(trace_feed, "MAX_RECORDS_BEFORE_LOGIN", 5)
    talk = FTPDialogue()
    traced = Traced(talk, "ann")
    made = talk.connect()
    say(talk, made, *["NOOP"] * 20)
    say(talk, made, "USER ann", f"PASS {SECRET}")
    number = made[0].context.peer.session
    assert traced.of(number)[:6] == [True, 220, "NOOP", "NOOP", "NOOP", 40]
    traced.feed.stop()


def test_names_are_hidden_also_in_replies():
    talk = FTPDialogue().login()
    traced = Traced(talk, "1", redact_names=True)
    talk.say("MKD plans", "CWD plans", "PWD")
    assert traced.of(1)[1:] == ["MKD name-1", "CWD name-1", "PWD", 257, 250, 257]
    assert "plans" not in json.dumps(traced.records)
    traced.feed.stop()


@pytest.mark.parametrize("target", ["", "99"])
def test_what_cannot_be_traced_is_refused(target):
    with pytest.raises(BadRequest, match="session"):
        Traced(FTPDialogue(), target)


def test_an_account_whose_name_is_a_number():
    traced = Traced(FTPDialogue(), "99", is_user=True)
    assert traced.records[0]["follows"]
    traced.feed.stop()
