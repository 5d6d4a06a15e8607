"""Listings, facts, digests and features, to the byte (RFC 2389, 2640, 3659, 7151, drafts)."""

from __future__ import annotations

import hashlib
import os
import re
import zlib

from tests.support.raw_client import RunningService, in_thread, started, starting

FIXTURES = (started, starting)


@in_thread
def test_feat_has_the_form_of_rfc_2389(served: RunningService) -> None:
    for wire in (served.wire(), served.session()):
        first, *middle, last = wire.ask("FEAT").lines
        assert first == b"211-Features:" and last == b"211 End"
        assert all(re.fullmatch(rb" [!-~]+( [ -~]+)?", line) for line in middle)
        words = {line.split()[0] for line in middle}
        assert words >= {
            *(b"AVBL", b"CLNT", b"DSIZ", b"EPRT", b"EPSV", b"HASH", b"HOST", b"LANG", b"MDTM"),
            *(b"MFF", b"MFMT", b"MLST", b"RANG", b"REST", b"SIZE", b"TVFS", b"UTF8"),
        }
        assert b" REST STREAM" in middle and b" UTF8" in middle and b" RANG STREAM" in middle
        assert b" HASH CRC32;MD5;SHA-1;SHA-256*;SHA-512" in middle


@in_thread
def test_help_explains_every_verb(served: RunningService) -> None:
    wire = served.wire()
    first, *middle, last = wire.ask("HELP").lines
    assert first[:4] == b"214-" and last[:4] == b"214 "
    for verb in b" ".join(middle).split():
        assert wire.code(b"HELP " + verb) == 214, verb
    assert wire.codes("HELP XYZZY", "HELP site chmod") == [502, 214]


@in_thread
def test_mlst(served: RunningService) -> None:
    (served.root / "a b").write_bytes(b"12345")
    os.utime(served.root / "a b", (0, 1_000_000_000))
    wire = served.session()
    first, fact, last = wire.ask("MLST a b").lines
    assert first[:4] == b"250-" and last[:4] == b"250 "
    assert re.fullmatch(rb" ([A-Za-z.]+=[^;= ]*;)+ /a b", fact)
    assert b"type=file;size=5;modify=20010909014640;perm=adfrw;" in fact
    assert wire.ask("OPTS MLST size;TYPE;bogus;").lines == (b"200 MLST OPTS type;size;",)
    assert wire.ask("MLST a b").lines[1] == b" type=file;size=5; /a b"
    assert wire.download("MLSD") == b"type=file;size=5; a b\r\n"
    assert b"MLST type*;size*;modify;" in b"".join(wire.ask("FEAT").lines)
    assert wire.ask("OPTS MLST").lines == (b"200 MLST OPTS",)
    assert wire.download("MLSD /") == b" a b\r\n"
    assert wire.codes("MLST none", "EPSV", "MLSD none", "EPSV", "MLSD a b") == [
        *(550, 229, 550, 229, 501)
    ]


@in_thread
def test_times(served: RunningService) -> None:
    (served.root / "20200101000000 a").touch()
    (served.root / "a").touch()
    wire = served.session()
    assert wire.ask("MFMT 20020717210715 a").lines == (b"213 Modify=20020717210715; a",)
    assert (served.root / "a").stat().st_mtime == 1_026_940_035
    assert wire.ask("MDTM a").lines == (b"213 20020717210715",)
    assert wire.code("MDTM 20030717210715 a") == 213
    assert wire.ask("MDTM a").lines == (b"213 20030717210715",)
    assert wire.code("MDTM 20200101000000 a") == 213  # there is a file of that name
    assert wire.ask("MDTM a").lines == (b"213 20030717210715",)
    assert wire.ask("MFF Modify=20040717210715; a").lines == (b"213 Modify=20040717210715; a",)
    assert wire.codes("MFMT 20040717210715 none", "MDTM none", "MFMT 20040230000000 a") == [
        *(550, 550, 501)
    ]
    assert wire.codes("MFMT 19700101000000 a", "MFMT 99991231235959 a", "MFMT 00000101000000 a")[
        2
    ] == (501)


@in_thread
def test_digests(served: RunningService) -> None:
    content = os.urandom(1000)
    (served.root / "a b").write_bytes(content)
    wire = served.session()
    digests = {
        "SHA-256": hashlib.sha256(content).hexdigest(),
        "MD5": hashlib.md5(content).hexdigest(),
        "sha-1": hashlib.sha1(content).hexdigest(),
        "SHA-512": hashlib.sha512(content).hexdigest(),
        "CRC32": f"{zlib.crc32(content):08x}",
    }
    for name, digest in digests.items():
        assert wire.ask(f"OPTS HASH {name}").lines == (f"200 {name.upper()}".encode(),)
        answer = wire.ask("HASH a b").lines[0].decode()
        assert answer.lower() == f"213 {name} 0-999 {digest} /a b".lower()
    assert wire.codes("OPTS HASH SHA-256", "RANG 10 19") == [200, 350]
    part = hashlib.sha256(content[10:20]).hexdigest()
    assert wire.ask("HASH a b").text == f"SHA-256 10-19 {part} /a b"
    assert wire.ask("HASH a b").text.startswith("SHA-256 0-999 ")
    assert wire.codes("HASH none", "HASH /") == [550, 550]


@in_thread
def test_listings(served: RunningService) -> None:
    (served.root / "d e").mkdir()
    (served.root / "d e" / "f").write_bytes(b"123")
    (served.root / ".h").touch()
    wire = served.session()
    line = rb"-rw-r--r-- +1 \S+ +\S+ +3 [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2} f\r\n"
    for command in ("LIST d e", "LIST -la d e", "LS d e", "LIST /d e", "LIST -l d e/"):
        assert re.search(line, wire.download(command)), command
    assert re.fullmatch(line.replace(b" f", b" d e/f").replace(b"d e/f", b"(d e/)?f"),
                        wire.download("LIST d e/f"))  # fmt: skip
    assert wire.download("NLST d e") == b"d e/f\r\n"
    assert wire.download("NLST d e/f") == b"d e/f\r\n"
    assert sorted(wire.download("NLST").splitlines()) == [b".h", b"d e"]
    assert wire.codes("CWD d e") == [250]
    assert wire.download("NLST") == b"f\r\n"
    first, entry, last = wire.ask("STAT /d e").lines
    assert (first[:4], last[:4]) == (b"213-", b"213 ")
    assert re.fullmatch(rb" " + line[:-4], entry)


@in_thread
def test_space_and_sizes(served: RunningService) -> None:
    (served.root / "d").mkdir()
    (served.root / "d" / "a").write_bytes(b"x" * 100)
    (served.root / "b").write_bytes(b"x" * 11)
    wire = served.session()
    assert wire.ask("DSIZ").lines == (b"213 111",)
    assert wire.ask("DSIZ d").lines == (b"213 100",)
    assert re.fullmatch(rb"213 [0-9]+", wire.ask("AVBL").lines[0])
    assert wire.codes("DSIZ none", "AVBL none", "SIZE d", "SIZE none") == [550] * 4
