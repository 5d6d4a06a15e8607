"""The verbs without data connection, and their codes for each kind of argument."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ftpservice.events import FileChanged
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.wire.paths import VirtualPath
from tests.support.ftp_dialogue import FTPDialogue


def put(dialogue: FTPDialogue, name: str, content: bytes = b"hello\n") -> None:
    """Store a file without the session."""

    async def write() -> None:
        writing = await dialogue.storage.open_writing(
            VirtualPath.parse(name), WriteRequest(WriteMode.REPLACE)
        )
        await writing.write(content)
        await writing.commit()

    done = Deferred.fromCoroutine(write())
    assert done.called
    done.addErrback(lambda failure: failure.raiseException())


@pytest.fixture
def dialogue() -> FTPDialogue:
    """A logged-in session."""
    return FTPDialogue().login()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("TYPE A", 200), ("TYPE A N", 200), ("TYPE a n", 200), ("TYPE I", 200), ("TYPE L 8", 200),
        ("TYPE A T", 504), ("TYPE A C", 504), ("TYPE E", 504), ("TYPE E N", 504),
        ("TYPE L 7", 504), ("TYPE L", 501), ("TYPE X", 501), ("TYPE", 501), ("TYPE I N", 200),
        ("MODE S", 200), ("MODE s", 200), ("MODE B", 504), ("MODE C", 504), ("MODE X", 501),
        ("MODE", 501), ("STRU F", 200), ("STRU P", 504), ("STRU X", 501), ("STRU", 501),
        ("REST 0", 350), ("REST 17", 350), ("REST -1", 501), ("REST abc", 501), ("REST", 501),
        ("REST 99999999999999999999", 501), ("REST 1.5", 501), ("REST \u0661", 501),
        ("ALLO 100", 200), ("ALLO 100 R 10", 200), ("ALLO 0", 200),
        ("allo 100 r10", 200), ("ALLO  0  R  0 ", 200), ("ALLO abc", 501), ("ALLO", 501),
        ("ALLO 5 X 3", 501), ("ALLO 5 R", 501), ("ALLO 5 R x", 501),
        ("RANG 0 9", 350), ("RANG 1 0", 350), ("RANG 9 3", 501), ("RANG 1", 501), ("RANG a b", 501),
        ("SYST", 215), ("NOOP", 200), ("NOOP now", 200), ("PWD", 257), ("PWD x", 501),
        ("CDUP", 250), ("CDUP x", 501), ("CWD", 250), ("CWD /none", 550), ("CWD /", 250),
        ("ACCT x", 202), ("ACCT", 501), ("SMNT /x", 502), ("USER", 501), ("HOST", 503),
        ("ABOR", 226), ("HELP", 214), ("HELP RETR", 214), ("HELP SITE CHMOD", 214),
        ("HELP XYZZY", 502), ("STAT", 211), ("STAT /", 213), ("STAT /none", 550), ("FEAT", 211),
        ("OPTS", 501), ("OPTS UTF8 ON", 200), ("OPTS UTF8 OFF", 504), ("OPTS UTF8", 200),
        ("OPTS MLST type;size;", 200), ("OPTS MLST", 200), ("OPTS HASH", 200),
        ("OPTS HASH SHA-512", 200), ("OPTS HASH ROT-13", 504), ("OPTS RETR x", 501),
        ("LANG", 200), ("LANG EN", 200), ("LANG tlh", 504), ("CLNT x", 200), ("CLNT", 501),
        ("DELE /none", 550), ("DELE", 501), ("RMD /none", 550), ("MKD", 501), ("RNFR /none", 550),
        ("RNTO /x", 503), ("SIZE /none", 550), ("SIZE /", 550), ("SIZE", 501), ("MDTM /none", 550),
        ("MDTM", 501), ("MLST /none", 550), ("MLST", 250), ("MFMT 20200101000000 /none", 550),
        ("MFMT", 501), ("MFMT 20200101000000", 501), ("MFMT yesterday /a", 501),
        ("MFCT 20200101000000 /none", 550), ("MFF modify=20200101000000; /none", 550),
        ("MFF x", 501), ("MFF unix.owner=me; /a", 504), ("MFF modify=never; /a", 501),
        ("HASH /none", 550), ("HASH", 501), ("AVBL", 213), ("AVBL /none", 550), ("DSIZ", 213),
        ("DSIZ /none", 550), ("SITE", 501), ("SITE HELP", 214), ("SITE XYZZY", 504),
        ("SITE CHMOD", 501), ("SITE CHMOD 644", 501), ("SITE CHMOD 9 /a", 501),
        ("SITE CHMOD 7777 /a", 501), ("SITE CHMOD 644 /none", 550), ("SITE UMASK", 200),
        ("SITE UMASK 077", 200), ("SITE UMASK x", 501), ("SITE UTIME 20200101000000", 501),
        ("SITE UTIME 20200101000000 /none", 550), ("PORT", 501), ("PORT 1,2,3", 501),
        ("PORT 127,0,0,1,0,21", 504), ("PORT 10,0,0,1,200,10", 504), ("PORT 127,0,0,1,200,10", 200),
        ("EPRT", 501), ("EPRT |9|::1|5000|", 522), ("EPRT |2|::1|5000|", 522), ("EPRT x", 501),
        ("EPRT |1|127.0.0.1|5000|", 200), ("EPRT |1|127.0.0.1|80|", 504),
        ("EPSV 9", 522), ("EPSV x", 501), ("EPSV ALL", 200), ("RETR /none", 550), ("RETR", 501),
        ("STOR", 501), ("STOR /none/x", 550), ("APPE", 501), ("LIST /none", 550),
        ("NLST /none", 550), ("MLSD /none", 550), ("LIST", 425), ("NLST", 425), ("MLSD", 425),
        ("STOR /x", 425), ("STOU", 425),
        ("CWD a\0b", 553), ("STOR a\rb", 553), ("DELE x\0", 553),
    ],
)  # fmt: skip
def test_codes_of_commands(dialogue: FTPDialogue, command: str, code: int) -> None:
    assert dialogue.codes(command) == [code]
    assert dialogue.codes("NOOP") == [200]


def test_epsv_all_refuses_other_commands(dialogue: FTPDialogue) -> None:
    got = dialogue.codes("EPSV ALL", "PASV", "PORT 127,0,0,1,200,10", "EPRT |1|127.0.0.1|5000|")
    assert got == [200, 503, 503, 503]


def test_directories_are_created_entered_and_removed(dialogue: FTPDialogue) -> None:
    assert dialogue.say('MKD a "b"', 'CWD a "b"', "PWD") == [
        '257 "/a ""b""" created.',
        '250 "/a ""b""" is the current directory.',
        '257 "/a ""b""" is the current directory.',
    ]
    assert dialogue.codes("CDUP", 'RMD a "b"', 'RMD a "b"') == [250, 250, 550]
    assert [event.action for event in dialogue.of(FileChanged)] == ["mkdir", "rmdir"]


def test_aliases_and_x_forms(dialogue: FTPDialogue) -> None:
    assert dialogue.codes("MKDIR d", "CD d", "XPWD", "XCUP", "RMDIR d") == [257, 250, 257, 250, 250]
    put(dialogue, "/f")
    assert dialogue.codes("XMKD e", "XCWD e", "CDUP", "XRMD e", "RM f", "EXIT") == [
        257, 250, 250, 250, 250, 221,
    ]  # fmt: skip


def test_a_rename_moves_the_file_and_replaces_what_was_there(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a", b"new")
    put(dialogue, "/b", b"older")
    assert dialogue.codes("RNFR a", "RNTO b", "TYPE I", "SIZE b", "SIZE a") == [
        350,
        250,
        200,
        213,
        550,
    ]


def test_rnto_must_follow_rnfr_directly(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a")
    assert dialogue.codes("RNFR a", "CWD /", "RNTO b") == [350, 250, 503]


def test_size_counts_what_a_download_would_send(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a", b"one\ntwo\n")
    assert dialogue.say("TYPE I", "SIZE a", "TYPE A", "SIZE a")[1::2] == ["213 8", "213 10"]


def test_times_are_read_and_set(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a b")
    assert dialogue.say("MFMT 20200102030405 a b", "MDTM a b") == [
        "213 Modify=20200102030405; a b",
        "213 20200102030405",
    ]
    assert dialogue.say("MDTM 20210102030405 a b", "MDTM a b")[1] == "213 20210102030405"
    assert dialogue.codes("SITE UTIME 202203040506 a b") == [200]
    assert dialogue.say("MDTM a b") == ["213 20220304050600"]
    stamp = "20230304050607"
    assert dialogue.codes(f"SITE UTIME a b {stamp} {stamp} {stamp} UTC") == [200]
    assert dialogue.say("MDTM a b") == [f"213 {stamp}"]
    assert dialogue.codes(f"SITE UTIME a b x {'y'} {stamp} UTC") == [501]


def test_facts_are_listed_selected_and_set(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a", b"12345")
    assert dialogue.codes("MFF Modify=20200102030405;Create=20190102030405; a") == [213]
    assert dialogue.codes("MFCT 20180102030405 a") == [213]
    dialogue.say("OPTS MLST size;modify;create;")
    assert dialogue.say("MLST a") == [
        "250-Facts follow.",
        " size=5;modify=20200102030405;create=20180102030405; /a",
        "250 End.",
    ]
    features = dialogue.say("FEAT")
    assert (
        " MLST type;size*;modify*;create*;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;" in features
    )


def test_feat_lists_the_features(dialogue: FTPDialogue) -> None:
    lines = dialogue.say("FEAT")
    assert lines[0] == "211-Features:"
    assert lines[-1] == "211 End"
    for feature in ("EPRT", "EPSV", "HOST", "LANG EN*", "MDTM", "MFMT", "REST STREAM", "SIZE"):
        assert f" {feature}" in lines
    assert " TVFS" in lines
    assert " UTF8" in lines
    assert " HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512" in lines


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("CRC32", "363a3020"),
        ("MD5", "b1946ac92492d2347c6235b4d2611184"),
        ("SHA-1", "f572d396fae9206628714fb2ce00f72e94f2258f"),
        ("SHA-256", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"),
    ],
)
def test_digests_of_files(dialogue: FTPDialogue, algorithm: str, value: str) -> None:
    put(dialogue, "/a")
    assert dialogue.say(f"OPTS HASH {algorithm}", "HASH a") == [
        f"200 {algorithm}",
        f"213 {algorithm} 0-5 {value} /a",
    ]


def test_the_digest_of_a_range(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a", b"xxhello\nyy")
    dialogue.say("OPTS HASH MD5")
    assert (
        dialogue.say("RANG 2 7", "HASH a")[1] == "213 MD5 2-7 b1946ac92492d2347c6235b4d2611184 /a"
    )
    assert dialogue.codes("RANG 5 900", "HASH a") == [350, 554]


def test_dsiz_counts_subdirectories(dialogue: FTPDialogue) -> None:
    dialogue.say("MKD d", "MKD d/e")
    put(dialogue, "/d/a", b"123")
    put(dialogue, "/d/e/b", b"4567")
    assert dialogue.say("DSIZ d") == ["213 7"]


def test_modes_are_set(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a b")
    assert dialogue.codes("SITE CHMOD 600 a b") == [200]
    dialogue.say("OPTS MLST unix.mode;")
    assert " UNIX.mode=0600; /a b" in dialogue.say("MLST a b")


def test_the_umask_is_kept_for_the_session(dialogue: FTPDialogue) -> None:
    assert dialogue.say("SITE UMASK", "SITE UMASK 027", "SITE UMASK")[2] == "200 The umask is 027."
    dialogue.say("MKD d", "OPTS MLST unix.mode;")
    assert " UNIX.mode=0750; /d" in dialogue.say("MLST d")


def test_stat_lists_a_directory_over_the_control_connection(dialogue: FTPDialogue) -> None:
    put(dialogue, "/a")
    lines = dialogue.say("STAT /")
    assert lines[0] == "213-Listing:"
    assert lines[1].endswith(" a")
    assert lines[-1] == "213 End."


def test_names_that_are_not_utf_8_are_returned_unchanged(dialogue: FTPDialogue) -> None:
    dialogue.protocol.dataReceived(b"MKD caf\xe9\r\n")
    assert dialogue.transport.value() == b'257 "/caf\xe9" created.\r\n'


def test_permissions_are_enforced() -> None:
    dialogue = FTPDialogue(rights=PRESETS["read"]).login()
    put(dialogue, "/a")
    got = dialogue.codes("MKD d", "DELE a", "RNFR a", "RNTO b", "MFMT 20200101000000 a", "STOR x")
    assert got == [550, 550, 350, 550, 550, 550]


@pytest.mark.parametrize(
    "verb", ["SITE", "HELP", "OPTS", "XYZ", "LANG", "MFF", "CWD", "SITE UTIME"]
)
def test_echoed_input_holds_no_control_characters(verb: str) -> None:
    dialogue = FTPDialogue().login()
    for text in ("\x1b[31mx", "\x07", "a\x9b0m\x7f"):
        for line in dialogue.say(f"{verb} {text}"):
            assert line.isprintable(), line


def test_directory_names_are_quoted() -> None:
    dialogue = FTPDialogue().login()
    assert dialogue.say("MKD a\x1bb") == ['257 "/a\x1bb" created.']
    assert dialogue.say("CWD a\x1bb") == ['250 "/a\\x1bb" is the current directory.']
    assert dialogue.say("PWD") == ['257 "/a\x1bb" is the current directory.']
    assert dialogue.say("MLST")[1].endswith(" /a\x1bb")


def test_a_drop_box_shows_nothing() -> None:
    dialogue = FTPDialogue(rights=PRESETS["upload-only"]).login()
    put(dialogue, "/a")
    assert dialogue.codes("LIST", "NLST", "MLSD", "RETR a", "DELE a", "CWD /") == [550] * 5 + [250]


def test_help_of_every_verb() -> None:
    dialogue = FTPDialogue(rights=frozenset(Right)).login()
    for line in dialogue.say("HELP"):
        for word in line.split() if line.startswith(" ") else []:
            shown = dialogue.say(f"HELP {word}")
            assert shown[0].startswith(f"214-Syntax: {word}")
            assert shown[1].endswith((".", "`ls -l` does."))
