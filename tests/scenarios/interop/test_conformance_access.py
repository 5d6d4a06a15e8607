"""Login, logout and the order of commands (RFC 959 §4.1.1, §5.4, §6; RFC 7151)."""

from __future__ import annotations

import pytest

from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)

BEFORE_LOGIN = (
    *("CWD /", "CDUP", "PWD", "XPWD", "SMNT /", "TYPE I", "MODE S", "STRU F", "PASV", "EPSV"),
    *("PORT 127,0,0,1,200,200", "EPRT |1|127.0.0.1|5000|", "RETR a", "STOR a", "STOU", "APPE a"),
    *("ALLO 1", "REST 0", "ABOR", "DELE a", "MKD a", "RMD a", "RNFR a", "RNTO b", "SIZE a"),
    *("MDTM a", "MFMT 20200101000000 a", "MFF Modify=20200101000000; a", "MLST", "MLSD", "LIST"),
    *("NLST", "SITE HELP", "HASH a", "RANG 0 1", "AVBL", "DSIZ", "REPORT", "ACCT x", "STAT /"),
)


@in_thread
def test_commands_before_the_login_are_530(served: RunningService) -> None:
    wire = served.wire()
    assert {command: wire.code(command) for command in BEFORE_LOGIN} == dict.fromkeys(
        BEFORE_LOGIN, 530
    )
    assert wire.codes("USER demo", *BEFORE_LOGIN) == [331] + [530] * len(BEFORE_LOGIN)


@in_thread
def test_commands_that_need_no_login(served: RunningService) -> None:
    wire = served.wire()
    assert wire.codes("SYST", "FEAT", "HELP", "NOOP", "STAT", "CLNT x", "LANG", "REIN") == [
        *(215, 211, 214, 200, 211, 200, 200, 220)
    ]
    assert wire.code("QUIT") == 221
    assert wire.over()


@in_thread
def test_the_login_sequence(served: RunningService) -> None:
    wire = served.wire()
    assert wire.codes("PASS demo", "USER", "USER demo", "NOOP", "PASS demo") == [
        *(503, 501, 331, 200, 230)
    ]
    assert wire.codes("PASS demo", "HOST a.example", "ACCT x") == [503, 503, 202]
    assert wire.codes("USER other", "PWD", "PASS demo", "PWD") == [331, 530, 230, 257]


@in_thread
def test_rein_logs_out_and_resets_parameters(served: RunningService) -> None:
    wire = served.session()
    assert wire.codes("TYPE I", "EPSV ALL", "MKD d", "CWD d", "REIN", "PWD") == [
        *(200, 200, 257, 250, 220, 530)
    ]
    wire.login()
    assert wire.ask("PWD").lines == (b'257 "/" is the current directory.',)
    assert b" Type ASCII, structure file, mode stream." in wire.ask("STAT").lines
    assert wire.code("PASV") == 227


@in_thread
def test_host(served: RunningService) -> None:
    wire = served.wire()
    assert wire.codes("HOST", "HOST ftp.example.com", "HOST [::1]", "HOST a b", "HOST a/b") == [
        *(501, 220, 220, 501, 501)
    ]
    assert wire.codes("USER demo", "HOST ftp.example.com") == [331, 503]


@in_thread
def test_a_wrong_password_ends_the_sequence(
    served: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftpservice.accounts.defence.login_attempts.FIRST_DELAY_SECONDS", 0.001)
    wire = served.wire()
    assert wire.codes("USER demo", "PASS no", "PASS demo") == [331, 530, 503]
    assert wire.codes("USER nobody", "PASS", "USER demo", "PASS demo") == [331, 530, 331, 230]


@in_thread
@pytest.mark.parametrize("command", ["CDUP", "PWD", "REIN", "QUIT", "PASV", "ABOR", "SYST", "FEAT"])
def test_an_unexpected_argument_is_501(served: RunningService, command: str) -> None:
    wire = served.session()
    assert wire.codes(f"{command} x", "NOOP") == [501, 200]


@in_thread
def test_a_missing_argument_is_501(served: RunningService) -> None:
    wire = served.session()
    verbs = (
        *("USER", "ACCT", "SMNT", "TYPE", "MODE", "STRU", "PORT", "EPRT", "RETR"),
        *("STOR", "APPE", "ALLO", "REST", "DELE", "MKD", "XMKD", "RMD", "XRMD", "RNFR", "SIZE"),
        *(
            "MDTM",
            "MFMT",
            "MFCT",
            "MFF",
            "SITE",
            "HASH",
            "RANG",
            "OPTS",
            "CLNT",
            "GET",
            "PUT",
        ),
        *("RM", "MKDIR", "RMDIR", "SITE CHMOD", "SITE UTIME", "MFMT 20200101000000", "RANG 1"),
    )
    assert {verb: wire.code(verb) for verb in verbs} == dict.fromkeys(verbs, 501)
    assert {verb: wire.code(f"{verb} ") for verb in verbs} == dict.fromkeys(verbs, 501)
    assert wire.code("PWD") == 257


@in_thread
def test_unknown_verbs_are_500_and_unimplemented_ones_502(served: RunningService) -> None:
    wire = served.session()
    assert (
        wire.codes("XYZZY", "", " NOOP", "NOOP\t", "PW", "PWDX", "\x00", b"\x80\x81") == [500] * 8
    )
    assert wire.codes("SMNT /", "LPRT 1", "LPSV", "MAIL x", "MLFL") == [502] * 5
    assert wire.ask("XYZZ").lines == (b"500 Unknown command XYZZ.",)


@in_thread
def test_verbs_in_any_case_and_aliases(served: RunningService) -> None:
    wire = served.session()
    assert wire.codes("noop", "Pwd", "mkdir d", "cd d", "cd ..", "rmdir d", "exit") == [
        *(200, 257, 257, 250, 250, 250, 221)
    ]
    assert wire.over()


@in_thread
@pytest.mark.parametrize(
    "between", ["NOOP", "STAT", "STAT /", "ABOR", "HELP", "FEAT", "PWD", "xpwd"]
)
def test_noop_between_rnfr_and_rnto(served: RunningService, between: str) -> None:
    (served.root / "a").write_bytes(b"a")
    wire = served.session()
    assert wire.code("RNFR a") == 350
    assert wire.code(between) < 400
    assert wire.code("RNTO b") == 250
    assert (served.root / "b").exists()


@in_thread
@pytest.mark.parametrize("between", ["XYZZY", "RETR", "DELE a", "SITE HELP", "PASS x", "CWD /"])
def test_rnto_must_follow_rnfr_directly(served: RunningService, between: str) -> None:
    (served.root / "a").write_bytes(b"a")
    wire = served.session()
    assert wire.code("RNTO b") == 503
    assert wire.code("RNFR a") == 350
    wire.code(between)
    assert wire.code("RNTO b") == 503
    assert not (served.root / "b").exists()


@in_thread
def test_rename_sequences(served: RunningService) -> None:
    (served.root / "a").write_bytes(b"a")
    (served.root / "d").mkdir()
    wire = served.session()
    assert wire.codes("RNFR none", "RNTO b") == [550, 503]
    assert wire.codes("RNFR d", "RNFR a", "RNTO", "RNTO b") == [350, 350, 501, 503]
    assert wire.codes("RNFR a", "RNTO none/b", "RNTO b") == [350, 550, 503]
    assert wire.codes("RNFR a", "RNTO b", "RNTO c") == [350, 250, 503]
    assert wire.codes("RNFR d", "RNTO d/e") == [350, 553]
    assert wire.codes("RNFR b", "RNTO b", "RNFR b", "RNTO d", "RNFR d", "RNTO b") == [
        *(350, 250, 350, 550, 350, 550)
    ]
    assert wire.codes("RNFR /", "RNTO x", "RNFR b", "RNTO /") == [350, 550, 350, 550]
    assert (served.root / "b").read_bytes() == b"a"


@in_thread
def test_quit_ends_with_a_fin_and_the_session_is_gone_at_once(served: RunningService) -> None:
    wire = served.session()
    assert wire.ask("QUIT").lines == (b"221 Goodbye.",)
    assert wire.over()
    wire.drop()
    before = served.in_reactor(lambda: served.factory.reactor.seconds())
    served.wait_for(lambda: not served.factory.instances)
    assert served.in_reactor(lambda: served.factory.reactor.seconds()) - before < 2


@in_thread
def test_parameters(served: RunningService) -> None:
    wire = served.session()
    good = ("TYPE A", "TYPE a n", "TYPE I", "TYPE L 8", "MODE S", "mode s", "STRU F", "TYPE A")
    assert {text: wire.code(text) for text in good} == dict.fromkeys(good, 200)
    absent = ("TYPE E", "TYPE A T", "TYPE A C", "TYPE E N", "TYPE L 7", "TYPE L 36", "MODE B")
    absent += ("MODE C", "STRU P", "LANG xx", "OPTS UTF8 OFF", "OPTS HASH XXH", "SITE XYZZY")
    assert {text: wire.code(text) for text in absent} == dict.fromkeys(absent, 504)
    wrong = (
        "TYPE X",
        "TYPE L",
        "TYPE L x",
        "TYPE A N N",
        "TYPE I 8",
        "MODE X",
        "STRU X",
        "STRU F F",
    )
    wrong += (
        "ALLO abc",
        "ALLO -1",
        "ALLO 1 R",
        "ALLO 1 X 2",
        "ALLO 1 R x",
        "ALLO 1 R 2 3",
        "REST x",
    )
    wrong += (
        "REST -1",
        "REST 1 2",
        "REST 1.5",
        f"REST {2**63}",
        "REST \u0663",
        "RANG 1",
        "RANG 3 1",
    )
    wrong += ("RANG a b", "RANG 1 2 3", "RANG -1 5", "SITE CHMOD 999 a", "SITE UMASK 9", "MFMT x a")
    wrong += (
        "MFMT 20201301000000 a",
        "MFMT 2020 a",
        "MFF Modify=x; a",
        "MFF Modify; a",
        "OPTS NOOP",
    )
    assert {text: wire.code(text) for text in wrong} == dict.fromkeys(wrong, 501)
    assert wire.codes("STRU R", "TYPE I", "STRU R", "STRU F") == [200, 200, 504, 200]
