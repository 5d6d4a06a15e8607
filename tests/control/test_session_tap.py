"""Taps of a session: they hear everything, change nothing, and leave nothing behind."""

from ftpservice.control.session_tap import tap_session
from ftpservice.wire.commands import Command
from tests.support.ftp_dialogue import FTPDialogue


class Heard:
    def __init__(self, talk):
        self.all = []
        self.untap = tap_session(talk.protocol, self.all.extend, self.all.append)


def test_commands_and_replies_are_heard_until_the_tap_is_removed():
    talk = FTPDialogue().login()
    heard = Heard(talk)
    assert talk.codes("NOOP", "PWD") == [200, 257]
    noop, pwd, first, second = heard.all
    assert (noop, pwd) == (Command("NOOP", None), Command("PWD", None))
    assert (first.code, second.code) == (200, 257)
    heard.untap()
    assert talk.codes("NOOP") == [200]
    assert len(heard.all) == 4
    assert not {"receive", "write"} & {
        *vars(talk.protocol.interpreter),
        *vars(talk.protocol.outgoing),
    }


def test_two_taps_end_in_any_order():
    talk = FTPDialogue().login()
    first, second = Heard(talk), Heard(talk)
    talk.say("NOOP")
    first.untap()
    first.untap()
    talk.say("NOOP")
    assert (len(first.all), len(second.all)) == (2, 4)
    second.untap()
    assert "write" not in vars(talk.protocol.outgoing)


def test_a_listener_that_fails_does_not_end_the_session():
    talk = FTPDialogue().login()

    def fails(_value):
        raise ValueError("no")

    untap = tap_session(talk.protocol, fails, fails)
    assert talk.codes("NOOP") == [200]
    untap()


def test_a_line_that_is_too_long_is_heard_as_its_reply():
    talk = FTPDialogue().login()
    heard = Heard(talk)
    assert talk.codes("NOOP " + "x" * 100_000) == [500]
    assert [one.code for one in heard.all] == [500, 500]
