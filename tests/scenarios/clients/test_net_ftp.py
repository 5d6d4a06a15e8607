"""Perl's ``Net::FTP``, driven by small programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, ipv6, program, run
from tests.support.interrupted_transfers import interrupt_upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, ODD_NAMES, assert_same, content, make_files

FIXTURES = (started, starting)
BEGIN = """
use strict; use warnings FATAL => 'all'; use Net::FTP;
my ($host, $port, $passive) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Passive => $passive, Timeout => 20) or die $@;
sub must { my ($result) = @_; defined $result && $result ne '' or die $ftp->message; $result }
must($ftp->login('demo', 'demo'));
must($ftp->binary);
"""
SIX = r"tcp6:0:interface=\:\:1"
passive = pytest.mark.parametrize("passive", [1, 0], ids=["passive", "active"])


def perl(
    served: RunningService, tmp_path: Path, text: str, passive: int = 1, host: str = "127.0.0.1"
) -> CompletedProgram:
    """Run a program after a login, in the directory ``here``."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    argv = [program("perl"), "-e", f"{BEGIN}{text}\nmust($ftp->quit);"]
    return run([*argv, host, str(served.port), str(passive)], tmp_path, cwd=here)


EVERY_FILE = """
opendir(my $directory, '.') or die; my @names = grep { -f } readdir $directory;
must($ftp->mkdir('a/b c/d', 1)); must($ftp->cwd('a/b c/d'));
for my $name (@names) { must($ftp->put($name, $name)); }
mkdir '../back' or die; chdir '../back' or die;
my %listed = map { $_ => 1 } $ftp->ls;
for my $name (@names) { $listed{$name} or die "not listed: $name"; must($ftp->get($name, $name)); }
"""


@in_thread
@passive
def test_every_name_both_ways(served: RunningService, tmp_path: Path, passive: int) -> None:
    """Unusual names and big files are unchanged; directories are created as needed."""
    sizes = {name: 1000 + number for number, name in enumerate(ODD_NAMES)}
    here = make_files(tmp_path / "here", {**sizes, "big": 3 << 20, "empty": 0})
    perl(served, tmp_path, EVERY_FILE, passive)
    assert_same(here, served.root / "a" / "b c" / "d")
    assert_same(here, tmp_path / "back")


@ipv6
@in_thread
@passive
def test_ipv6(server: Callable[..., RunningService], tmp_path: Path, passive: int) -> None:
    """The same over IPv6."""
    here = make_files(tmp_path / "here", {"one": 100_000, "two": 0})
    served = server("--listen", SIX)
    perl(served, tmp_path, EVERY_FILE, passive, "::1")
    assert_same(here, served.root / "a" / "b c" / "d")
    assert_same(here, tmp_path / "back")


@in_thread
def test_names_sizes_and_times(served: RunningService, tmp_path: Path) -> None:
    """ls, dir, mdtm, size, pwd, cdup, rename, delete, rmdir and supported."""
    make_files(served.root, {"d e/file": 12345, "d e/-rf": 0, "other": 5, "tree/a/b/c": 7})
    ended = perl(
        served,
        tmp_path,
        """
        print join('|', sort $ftp->ls('d e')), "\n", join('|', sort $ftp->ls), "\n";
        print $ftp->size('d e/file'), ' ', $ftp->mdtm('d e/file'), "\n";
        must($ftp->cwd('d e')); print $ftp->pwd, "\n"; must($ftp->cdup); print $ftp->pwd, "\n";
        must($ftp->rename('other', 'd e/file')); must($ftp->delete('d e/-rf'));
        must($ftp->rmdir('tree', 1)); defined $ftp->size('missing') and die;
        must($ftp->supported($_)) for qw(MDTM SIZE MLST EPSV);
        must($ftp->site('HELP')); must($ftp->feature('REST'));
        $ftp->cwd('nowhere') and die; $ftp->code == 550 or die;
        $ftp->rmdir('d e') and die; $ftp->get('missing') and die; $ftp->code == 550 or die;
        print join("\n", $ftp->dir('d e')), "\n";
        """,
    )
    names, here, facts, inside, above, listing, *_ = ended.stdout.splitlines()
    assert [name.removeprefix("d e/") for name in names.split("|")] == ["-rf", "file"]
    assert here == "d e|other|tree"
    assert facts == f"12345 {MTIME}"
    assert (inside, above) == ("/d e", "/")
    assert listing.startswith("-rw") and listing.endswith(" file") and " 5 " in listing
    assert os.listdir(served.root) == ["d e"]


@in_thread
def test_appending_and_unique_names(served: RunningService, tmp_path: Path) -> None:
    """APPE appends; STOU chooses a new name and reports it."""
    here = make_files(tmp_path / "here", {"one": 1000, "two": 2000})
    ended = perl(
        served,
        tmp_path,
        """
        must($ftp->append($_, 'all')) for ('one', 'two', 'one');
        print must($ftp->put_unique($_, 'name')), "\n" for ('one', 'two', 'one');
        """,
    )
    one, two = ((here / name).read_bytes() for name in ("one", "two"))
    assert (served.root / "all").read_bytes() == one + two + one
    names = ended.stdout.split()
    assert [(served.root / name).read_bytes() for name in names] == [one, two, one]
    assert len({*names}) == 3


@in_thread
def test_text(served: RunningService, tmp_path: Path) -> None:
    """Text is translated; handles are read and written line by line."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "text").write_bytes(b"one\n\ntwo\nlast\n")
    ended = perl(
        served,
        tmp_path,
        """
        must($ftp->ascii); must($ftp->put('text')); must($ftp->get('text', 'back'));
        my $out = must($ftp->stor('written'));
        must($out->write("a\r\nb\r\n", 6)); must($out->close);
        my $in = must($ftp->retr('written')); my ($all, $piece) = ('');
        $all .= $piece while $in->read($piece, 100); must($in->close); print $all;
        """,
    )
    assert (served.root / "text").read_bytes() == b"one\n\ntwo\nlast\n"
    assert (here / "back").read_bytes() == b"one\n\ntwo\nlast\n"
    assert (served.root / "written").read_bytes() == b"a\nb\n"
    assert ended.stdout.split() == ["a", "b"]


@in_thread
def test_resume_and_abort(served: RunningService, tmp_path: Path) -> None:
    """get and put at an offset; the session continues after an aborted transfer."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = make_files(tmp_path / "here", {"whole": 2_000_000})
    (here / "data").write_bytes(expected[:1_200_000])
    whole = (here / "whole").read_bytes()
    interrupt_upload(served, "whole", whole[:700_000])
    perl(
        served,
        tmp_path,
        """
        must($ftp->get('data', 'data', 1_200_000));
        my $size = must($ftp->size('whole')); $size == 700_000 or die $size;
        open(my $file, '<', 'whole') or die; binmode $file; seek($file, $size, 0);
        $ftp->restart($size); must($ftp->put($file, 'whole'));
        my $in = must($ftp->retr('data')); $in->read(my $piece, 1000); $in->abort;
        must($ftp->size('data'));
        """,
    )
    assert (here / "data").read_bytes() == expected
    assert (served.root / "whole").read_bytes() == whole
