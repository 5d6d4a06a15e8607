"""Whole listings of all systems; what is not understood is kept, and nothing is invented."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.entry import Kind
from ftpservice_client import UnparsableListing
from ftpservice_client.listings.entries import mlsd_listing, text_listing
from ftpservice_client.listings.list_parser import parse_listing

FILE, FOLDER, LINK, OTHER = Kind.FILE, Kind.DIRECTORY, Kind.LINK, Kind.OTHER


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


NOW = at(2026, 11, 21, 12, 0)
DOS = r"""
 Volume in drive C has no label.
 Directory of C:\pub

04-27-00  09:09PM       <DIR>          licensed
07-18-2000  10:16a      <DIR>          pub
2000-04-27  09:09       <DIR>          iso
27.04.2000  21:09       1.234.567 a b
04-14-00  03:47PM            1,589 readme.htm
04-14-00  03:47PM       <JUNCTION>     there [C:\elsewhere]
04-14-00  03:47PM       <SYMLINKD>     d [.]
04-14-00  03:47PM       <SYMLINK>      f [x]
               2 File(s)      1,236,156 bytes
               3 Dir(s)  10,000,000 bytes free
"""
DAY_FIRST = """
27-04-00  09:09       5 a
03-04-00  09:09       5 b
"""
EPLF = """
+i8388621.48594,m825718503,r,s280,\tdjb.html
+i8388621.50690,m824255907,/,\t514
+i8388621.48598,m824253270,r,up644,\tno size
+i8388621.48600,m824253270,\tneither
"""
VMS = """
Directory SYS$SYSDEVICE:[ANONYMOUS]

00README.TXT;1      2 30-DEC-1996 17:44 [SYSTEM] (RWED,RWED,RE,RE)
CORE.DIR;1          1  8-SEP-1996 16:09 [SYSTEM] (RWE,RWE,RE,RE)
CII-MANUAL.TEX;2  213/216  29-JAN-1996 03:33:12.25  [ANONYMOU,ANONYMOUS]   (RWED,RWED,,)
CII-MANUAL.TEX;1  213/216  28-JAN-1996 03:33:12.25  [ANONYMOU,ANONYMOUS]   (RWED,RWED,,)
A-LONG-NAME-THAT-FILLS-THE-LINE.TXT;3
                  213/216  29-JAN-1996 03:33:12  [ANONYMOU,ANONYMOUS]   (RWED,RWED,,)

Total of 5 files, 2000/2001 blocks.
"""
OS400 = """
PEP             36864 04/03/24 14:38:34 *DIR       dir/
PEP               102 04/03/24 14:38:34 *STMF      na me.txt
QPGMR                            *MEM       EVCOMMANDS.EVCOMMANDS
QSYS            77824 02/23/00 15:09:55 *SYMLNK    link
QSYS            77824 02/23/00 15:09:55 *OUTQ      queue
"""
DATA_SETS = """
Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname
WPTA01 3290   2004/03/04  1    3  FB      80  3125  PO  TEST.DATASET.NAME
WPTA01 3390   **NONE**    1   15  VB    1024 27998  PS  TEST.X
Migrated                                                OLD.SET
Pseudo Directory                                         DEEP
"""
MEMBERS = """
 Name     VV.MM   Created       Changed      Size  Init   Mod   Id
 FTPDATA   01.01 2003/05/21 2003/05/21 11:06    80    70     0 USERID
 MEMBER1
"""
MODULES = """
 Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode
EAGKCPT   000058   000009          00 FO             RN RU            31    ANY
"""
NETWARE = """
d [R----F--] supervisor            512       Jan 16 18:53    login
- [R----F--] rhesus             214059       Oct 20 15:27    cx.exe
"""
GERMAN = """
insgesamt 8
drwxr-xr-x 2 ann users 4096 21. Nov 10:15 tief
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            DOS,
            {
                "licensed": (FOLDER, 0, at(2000, 4, 27, 21, 9)),
                "pub": (FOLDER, 0, at(2000, 7, 18, 10, 16)),
                "iso": (FOLDER, 0, at(2000, 4, 27, 9, 9)),
                "a b": (FILE, 1234567, at(2000, 4, 27, 21, 9)),
                "readme.htm": (FILE, 1589, at(2000, 4, 14, 15, 47)),
                "there": (LINK, 0, at(2000, 4, 14, 15, 47)),
                "d": (LINK, 0, at(2000, 4, 14, 15, 47)),
                "f": (LINK, 0, at(2000, 4, 14, 15, 47)),
            },
        ),
        (DAY_FIRST, {"a": (FILE, 5, at(2000, 4, 27, 9, 9)), "b": (FILE, 5, at(2000, 4, 3, 9, 9))}),
        (
            EPLF,
            {
                "djb.html": (FILE, 280, 825718503.0),
                "514": (FOLDER, 0, 824255907.0),
                "no size": (FILE, None, 824253270.0),
                "neither": (OTHER, 0, 824253270.0),
            },
        ),
        (
            VMS,
            {
                "00README.TXT": (FILE, None, at(1996, 12, 30, 17, 44)),
                "CORE": (FOLDER, 0, at(1996, 9, 8, 16, 9)),
                "CII-MANUAL.TEX": (FILE, None, at(1996, 1, 29, 3, 33)),
                "A-LONG-NAME-THAT-FILLS-THE-LINE.TXT": (FILE, None, at(1996, 1, 29, 3, 33)),
            },
        ),
        (
            OS400,
            {
                "dir": (FOLDER, 0, 0.0),
                "na me.txt": (FILE, 102, 0.0),
                "EVCOMMANDS.EVCOMMANDS": (FILE, None, 0.0),
                "link": (LINK, 0, 0.0),
                "queue": (OTHER, 0, 0.0),
            },
        ),
        (
            DATA_SETS,
            {
                "TEST.DATASET.NAME": (FOLDER, 0, 0.0),
                "TEST.X": (FILE, None, 0.0),
                "OLD.SET": (OTHER, 0, 0.0),
                "DEEP": (FOLDER, 0, 0.0),
            },
        ),
        (
            MEMBERS,
            {"FTPDATA": (FILE, None, at(2003, 5, 21, 11, 6)), "MEMBER1": (FILE, None, 0.0)},
        ),
        (MODULES, {"EAGKCPT": (FILE, None, 0.0)}),
        (
            NETWARE,
            {
                "login": (FOLDER, 0, at(2026, 1, 16, 18, 53)),
                "cx.exe": (FILE, 214059, at(2026, 10, 20, 15, 27)),
            },
        ),
        (GERMAN, {"tief": (FOLDER, 0, at(2026, 11, 21, 10, 15))}),
        (".:\ntotal 0\n", {}),
        ("total 0\n", {}),
        ("\n", {}),
    ],
    ids=[
        *("dos", "dayfirst", "eplf", "vms", "os400", "datasets", "members", "modules"),
        *("netware", "german", "top", "total", "none"),
    ],
)
def test_listings_of_all_systems_are_read(text, found):
    reading = parse_listing(text.split("\n"), NOW)
    assert reading.unparsed == ()
    filled_lines = {
        entry.name: (entry.kind, entry.size if entry.size_known else None, entry.modified)
        for entry in reading.entries
    }
    assert filled_lines == found
    assert len(reading.entries) == len(found)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "<html><body>Forbidden</body></html>",
        "ls: reading directory '.': Input/output error",
        "13-32-26  10:15AM 5 x",
        "11-21-26  13:15AM 5 x",
        "11-21-26  00:15AM 5 x",
        "11-21-26  10:15AM <ODD> x",
        "+r,s12x,\tname",
        "+r,s12,no tab",
        "ABC.TXT;1     %RMS-E-PRV, insufficient privilege or file protection violation",
        "ALONE.TXT;1",
        "WPTA01 3390   **NONE**    1   15  VB    1024 27998  PS  TEST.X",
        "MEMBER1",
        "name-only.txt",
        "total",
        "Total of nothing",
    ],
)
def test_a_line_that_is_not_known_is_kept_and_tells_nothing(line):
    known = "-rw-r--r-- 1 o g 5 Nov 21 10:15 known"
    reading = parse_listing([known, line], NOW)
    assert [entry.name for entry in reading.entries] == ["known"]
    assert reading.unparsed == (line,)


def test_what_stands_in_another_directory_is_not_taken_for_this_one():
    inner = ["./deep:", "total 4", "-rw-r--r-- 1 o g 5 Nov 21 10:15 inner"]
    top = [".:", "total 4", "drwxr-xr-x 1 o g 5 Nov 21 10:15 deep", ""]
    reading = parse_listing([*top, *inner], NOW)
    assert [entry.name for entry in reading.entries] == ["deep"]
    assert reading.unparsed == tuple(inner)


LINES = [
    line
    for text in (DOS, EPLF, VMS, OS400, DATA_SETS, MEMBERS, NETWARE, GERMAN)
    for line in text.split("\n")
]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(LINES),
            st.text(max_size=60),
            st.tuples(st.sampled_from(LINES), st.integers(0, 80), st.text(max_size=3)).map(
                lambda one: one[0][: one[1]] + one[2] + one[0][one[1] :]
            ),
        ).map(lambda line: line.replace("\n", "")),
        max_size=8,
    )
)
@settings(max_examples=400, deadline=None, database=None)
def test_nothing_is_lost_or_invented_whatever_a_server_sends(lines):
    reading = parse_listing(lines, NOW)
    filled_lines = [line for line in lines if line.strip()]
    assert len(reading.entries) + len(reading.unparsed) <= len(filled_lines)
    assert all(any(entry.name in line for line in filled_lines) for entry in reading.entries)


@pytest.mark.parametrize(
    "filling",
    [" ", " 1", "1 ", "11-21-26  10:15", " 5 Nov 21 10:1", "-", "a ", "X;1", "-rw-r--r-- ", "+,"],
)
def test_hostile_lines_take_no_time(filling):
    before = time.process_time()
    parse_listing([filling * 8000, f"-rw-r--r-- 1 {filling * 8000}", f"X  {filling * 4000}"], NOW)
    assert time.process_time() - before < 2


def test_names_with_the_directory_in_front_are_read():
    line = b"-rw-r--r-- 1 o g 5 Nov 21 10:15 "
    listing = text_listing([line + b"sub/a", line + b"/in/sub/b"], NOW, ("sub", "/in/sub"))
    assert [entry.name for entry in listing.entries] == ["a", "b"]
    other = text_listing([line + b"other/a", line + b"c"], NOW, ("sub", "/in/sub"))
    assert (other.unsafe, other.is_complete) == (("other/a",), False)
    with pytest.raises(UnparsableListing):
        text_listing([line + b"other/a"], NOW, ("sub",))


@pytest.mark.parametrize("line", [b"size=3; name", b"name", b"type=file;size=x; name", b"<html>"])
def test_lines_of_mlsd_that_say_too_little_are_kept(line):
    known = b"type=file;size=1; known"
    assert mlsd_listing([known, line, b""]).unparsed == (line.decode(),)
    with pytest.raises(UnparsableListing):
        mlsd_listing([line])


def test_mlsd_tells_of_the_directory_itself():
    lines = [b"type=cdir;unique=7; .", b"type=pdir;unique=8; ..", b"type=file;size=1; x"]
    listing = mlsd_listing(lines)
    assert (listing.unique, len(listing.entries), listing.is_complete) == ("7", 1, True)
    assert mlsd_listing(lines[:2]).entries == ()


def test_whether_hidden_names_are_shown_is_known_by_what_is_there():
    line = b"-rw-r--r-- 1 o g 5 Nov 21 10:15 "
    up = b"drwxr-xr-x 1 o g 5 Nov 21 10:15 .."
    assert not text_listing([line + b"a"], NOW).shows_hidden
    assert text_listing([line + b".a"], NOW).shows_hidden
    assert text_listing([up], NOW).shows_hidden
    assert text_listing([up], NOW).entries == ()
