"""TYPE and its like as clients write them, CWD without a name, HOST, and what disturbs nothing."""

from __future__ import annotations

import pytest

from ftpservice.session.settings import SessionSettings
from ftpservice.wire.commands import Command, parse_command
from tests.support.ftp_dialogue import FTPDialogue


@pytest.fixture(name="talk")
def logged_in() -> FTPDialogue:
    return FTPDialogue().login()


def kind(talk: FTPDialogue) -> str:
    """Return what STAT says about the type."""
    return next(line for line in talk.say("STAT") if "Type " in line)


@pytest.mark.parametrize("text", ["A", "a", "AN", "A N", " A  n ", "a\tN"])
def test_type_a_has_several_spellings(talk: FTPDialogue, text: str) -> None:
    assert talk.codes("TYPE I", f"TYPE {text}") == [200, 200]
    assert "Type ASCII" in kind(talk)


@pytest.mark.parametrize("text", ["I", "i", "IN", "I N", "L8", "L 8", " l  8 "])
def test_type_i_has_several_spellings(talk: FTPDialogue, text: str) -> None:
    assert talk.codes(f"TYPE {text}") == [200]
    assert "Type binary" in kind(talk)


def test_unsupported_types_are_504_and_malformed_ones_501(talk: FTPDialogue) -> None:
    assert talk.codes("TYPE E", "TYPE AT", "TYPE A C", "TYPE L36", "TYPE L 7") == [504] * 5
    assert talk.codes("TYPE", "TYPE  ", "TYPE X", "TYPE AX", "TYPE I8", "TYPE L") == [501] * 6
    assert "Type ASCII" in kind(talk)


def test_blanks_and_lower_case_are_accepted(talk: FTPDialogue) -> None:
    lines = (
        "mode  s",
        "Stru  f ",
        "stru  r",
        "opts  utf8  on",
        "allo  5",
        "rest  5 ",
        "rang  1  5",
    )
    assert talk.codes(*lines) == [200, 200, 200, 200, 200, 350, 350]
    assert talk.codes("epsv  all", "site  umask  022", "noop ") == [200, 200, 200]


@pytest.mark.parametrize(("setting", "own"), [(True, False), (False, True)])
def test_an_account_converts_text_as_its_own_value_says(setting: bool, own: bool) -> None:
    talk = FTPDialogue(SessionSettings(ascii=setting))
    talk.realm.ascii = own
    talk.login()
    kinds = {True: "Type ASCII", False: "Type binary"}
    assert kinds[own] in kind(talk)
    assert talk.codes("TYPE I", "TYPE A") == [200, 200]
    assert kinds[own] in kind(talk)
    talk.realm.ascii = None
    assert talk.codes("USER ann", "PASS secret") == [331, 230]
    assert kinds[setting] in kind(talk)


def test_an_account_begins_with_its_own_umask() -> None:
    talk = FTPDialogue(SessionSettings(umask=0o22))
    talk.realm.umask = 0o7
    talk.login()
    assert talk.say("SITE UMASK") == ["200 The umask is 007."]
    assert talk.say("SITE UMASK 077") == ["200 The umask is 077."]
    assert talk.codes("REIN", "USER ann", "PASS secret") == [220, 331, 230]
    assert talk.say("SITE UMASK") == ["200 The umask is 007."]
    talk.realm.umask = None
    assert talk.codes("REIN", "USER ann", "PASS secret") == [220, 331, 230]
    assert talk.say("SITE UMASK") == ["200 The umask is 022."]


def test_the_setting_ascii_off_makes_type_a_binary() -> None:
    talk = FTPDialogue(SessionSettings(ascii=False)).login()
    assert "Type binary" in kind(talk)
    assert talk.say("TYPE A") == ["200 Type is ASCII."]
    assert "Type binary" in kind(talk)
    assert talk.codes("REIN", "USER ann", "PASS secret") == [220, 331, 230]
    assert "Type binary" in kind(talk)


def test_cwd_without_a_name_goes_to_the_root(talk: FTPDialogue) -> None:
    assert talk.codes("MKD d", "CWD d", "CWD") == [257, 250, 250]
    assert talk.say("PWD") == ['257 "/" is the current directory.']
    assert talk.codes("CWD d", "cwd ", "CD") == [250, 250, 250]
    assert talk.say("PWD") == ['257 "/" is the current directory.']


@pytest.mark.parametrize("between", ["NOOP", "STAT", "STAT /", "ABOR", "HELP", "TYPE I", "XYZZY"])
def test_rest_and_rang_outlast_other_commands(talk: FTPDialogue, between: str) -> None:
    for said, kept in (("REST 5", (5, None)), ("RANG 2 3", (2, 4))):
        talk.codes(said, between)
        following = talk.protocol.context.next_transfer
        assert (following.start, following.end) == kept


def test_a_host_that_is_not_served_is_504() -> None:
    talk = FTPDialogue(SessionSettings(host_names=frozenset(("ftp.example.com", "192.0.2.1"))))
    talk.replies()
    assert (
        talk.codes("HOST FTP.example.com", "HOST ftp.example.com.", "HOST 192.0.2.1") == [220] * 3
    )
    assert talk.codes("HOST other.example.com", "HOST a b", "HOST .") == [504, 501, 504]
    assert talk.codes("USER ann", "PASS secret") == [331, 230]


def test_without_host_names_any_host_is_accepted() -> None:
    talk = FTPDialogue()
    talk.replies()
    assert talk.codes("HOST anything.example", "HOST [::1]") == [220, 220]


@pytest.mark.parametrize("before", [b"\xf2", b"\xff\xf4\xf2", b"\xf4\xff", b"\xf4\xf2"])
def test_the_rest_of_a_telnet_synch_is_no_part_of_a_verb(before: bytes) -> None:
    assert parse_command(before + b"ABOR") == Command("ABOR", None)
