"""PHP's ftp extension, driven by small programs; warnings are errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.client_programs import CompletedProgram, program, run
from tests.support.interrupted_transfers import interrupt_upload
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.trees import MTIME, ODD_NAMES, assert_same, content, make_files

FIXTURES = (started, starting)
BEGIN = """
function broken($number, $text) { throw new ErrorException($text); }
function must($result) {
    if ($result === false || $result === -1) throw new Exception('failed');
    return $result;
}
function refused($work) {
    try { $work(); } catch (ErrorException) { return; }
    throw new Exception('not refused');
}
set_error_handler('broken');
$ftp = must(ftp_connect('127.0.0.1', (int) $argv[1], 20));
must(ftp_login($ftp, 'demo', 'demo'));
must(ftp_pasv($ftp, (bool) $argv[2]));
"""
END = "must(ftp_close($ftp));"
passive = pytest.mark.parametrize("passive", [1, 0], ids=["passive", "active"])


def php(served: RunningService, tmp_path: Path, text: str, passive: int = 1) -> CompletedProgram:
    """Run a program after a login, in the directory ``here``."""
    (tmp_path / "here").mkdir(exist_ok=True)
    argv = [program("php"), "-d", "display_errors=stderr", "-r", f"{BEGIN}{text}{END}"]
    return run([*argv, "--", str(served.port), str(passive)], tmp_path, cwd=tmp_path / "here")


@in_thread
@passive
def test_every_name_both_ways(served: RunningService, tmp_path: Path, passive: int) -> None:
    """Unusual names and big files are unchanged after upload and download."""
    sizes = {name: 1000 + number for number, name in enumerate(ODD_NAMES)}
    here = make_files(tmp_path / "here", {**sizes, "big": 3 << 20, "empty": 0})
    php(
        served,
        tmp_path,
        """
        $names = array_filter(scandir('.'), 'is_file');
        must(ftp_mkdir($ftp, 'a b') === '/a b'); must(ftp_chdir($ftp, 'a b'));
        foreach ($names as $name) must(ftp_put($ftp, $name, $name, FTP_BINARY));
        must(array_diff($names, must(ftp_nlist($ftp, ''))) === []);
        mkdir('../back'); chdir('../back');
        foreach ($names as $name) must(ftp_get($ftp, $name, $name, FTP_BINARY));
        """,
        passive,
    )
    assert_same(here, served.root / "a b")
    assert_same(here, tmp_path / "back")


@in_thread
@passive
def test_listings(served: RunningService, tmp_path: Path, passive: int) -> None:
    """nlist, rawlist and mlsd."""
    make_files(served.root / "d", {"a b": 1234567, "-rf": 0, "na\u00efve/x": 5, ".dot": 3})
    ended = php(
        served,
        tmp_path,
        """
        foreach (must(ftp_nlist($ftp, 'd')) as $name) echo "nlist|$name\n";
        foreach (must(ftp_rawlist($ftp, 'd')) as $line) echo "rawlist|$line\n";
        foreach (must(ftp_rawlist($ftp, '-a d')) as $line) echo "all|$line\n";
        foreach (must(ftp_mlsd($ftp, 'd')) as $facts)
            echo "mlsd|$facts[name]|$facts[type]|", $facts['size'] ?? '', "|$facts[modify]\n";
        must(ftp_mkdir($ftp, 'empty')); must(ftp_nlist($ftp, 'empty') === []);
        """,
        passive,
    )
    rows = [line.split("|") for line in ended.stdout.splitlines()]
    names = {row[1].removeprefix("d/") for row in rows if row[0] == "nlist"}
    assert {"a b", "-rf", "na\u00efve"} <= names <= {"a b", "-rf", "na\u00efve", ".dot"}
    for kind in ("rawlist", "all"):
        lines = [row[1] for row in rows if row[0] == kind]
        assert all(any(line.endswith(f" {name}") for line in lines) for name in names)
        assert any("1234567" in line for line in lines)
    facts = {row[1]: row[2:] for row in rows if row[0] == "mlsd"}
    assert facts["a b"] == ["file", "1234567", "20200102030405"]
    assert facts["na\u00efve"][0] == "dir" and ".dot" in facts


@in_thread
def test_changes(served: RunningService, tmp_path: Path) -> None:
    """rename, delete, mkdir, rmdir, chmod, size, mdtm, site, raw, alloc; refusals are errors."""
    make_files(served.root, {"one": 12345, "two": 20, "gone": 6, "full/x": 1})
    (served.root / "empty").mkdir()
    one = (served.root / "one").read_bytes()
    php(
        served,
        tmp_path,
        f"""
        must(ftp_size($ftp, 'one') === 12345); must(ftp_mdtm($ftp, 'one') === {MTIME});
        must(ftp_size($ftp, 'missing') === -1 && ftp_mdtm($ftp, 'missing') === -1);
        must(ftp_rename($ftp, 'one', 'two')); must(ftp_delete($ftp, 'gone'));
        must(ftp_rmdir($ftp, 'empty')); must(ftp_chmod($ftp, 0600, 'two') === 0600);
        must(ftp_mkdir($ftp, 'a b') === '/a b');
        must(ftp_chdir($ftp, 'a b') && ftp_pwd($ftp) === '/a b');
        must(ftp_cdup($ftp) && ftp_pwd($ftp) === '/'); must(ftp_systype($ftp) === 'UNIX');
        must(ftp_alloc($ftp, 100)); must(ftp_site($ftp, 'UMASK 022'));
        must(str_starts_with(ftp_raw($ftp, 'NOOP')[0], '200'));
        refused(fn() => ftp_delete($ftp, 'missing')); refused(fn() => ftp_rmdir($ftp, 'full'));
        refused(fn() => ftp_get($ftp, 'x', 'missing', FTP_BINARY));
        refused(fn() => ftp_chdir($ftp, 'missing')); refused(fn() => ftp_mkdir($ftp, 'full'));
        refused(fn() => ftp_rename($ftp, 'missing', 'x'));
        """,
    )
    assert sorted(os.listdir(served.root)) == ["a b", "full", "two"]
    assert (served.root / "two").read_bytes() == one
    assert (served.root / "two").stat().st_mode & 0o777 == 0o600


@in_thread
def test_resume_and_append(served: RunningService, tmp_path: Path) -> None:
    """Downloads and uploads at an offset; FTP_AUTORESUME."""
    expected = content(3_000_000)
    (served.root / "data").write_bytes(expected)
    here = make_files(tmp_path / "here", {"whole": 2_000_000, "tail": 5000})
    (here / "data").write_bytes(expected[:1_200_000])
    (here / "auto").write_bytes(expected[:1_500_000])
    whole, tail = (here / "whole").read_bytes(), (here / "tail").read_bytes()
    interrupt_upload(served, "whole", whole[:700_000])
    interrupt_upload(served, "whole too", whole[:800_000])
    php(
        served,
        tmp_path,
        """
        must(ftp_get($ftp, 'data', 'data', FTP_BINARY, 1200000));
        must(ftp_get($ftp, 'auto', 'data', FTP_BINARY, FTP_AUTORESUME));
        must(ftp_put($ftp, 'whole', 'whole', FTP_BINARY, must(ftp_size($ftp, 'whole'))));
        must(ftp_put($ftp, 'whole too', 'whole', FTP_BINARY, FTP_AUTORESUME));
        must(ftp_append($ftp, 'data', 'tail')); must(ftp_append($ftp, 'new', 'tail'));
        """,
    )
    assert (here / "data").read_bytes() == (here / "auto").read_bytes() == expected
    assert (served.root / "whole").read_bytes() == whole
    assert (served.root / "whole too").read_bytes() == whole
    assert (served.root / "data").read_bytes() == expected + tail
    assert (served.root / "new").read_bytes() == tail


@in_thread
@passive
def test_nonblocking_transfers_and_text(
    served: RunningService, tmp_path: Path, passive: int
) -> None:
    """nb_put and nb_get, fget and fput with streams, text."""
    here = make_files(tmp_path / "here", {"data": 2_000_000})
    (here / "text").write_bytes(b"one\n\ntwo\nlast\n")
    php(
        served,
        tmp_path,
        """
        function whole($ftp, $state) {
            while ($state === FTP_MOREDATA) $state = ftp_nb_continue($ftp);
            must($state === FTP_FINISHED);
        }
        whole($ftp, ftp_nb_put($ftp, 'data', 'data', FTP_BINARY));
        whole($ftp, ftp_nb_get($ftp, 'back', 'data', FTP_BINARY));
        must(ftp_fput($ftp, 'stream', fopen('data', 'r'), FTP_BINARY));
        $file = fopen('stream', 'w');
        must(ftp_fget($ftp, $file, 'stream', FTP_BINARY)); fclose($file);
        must(ftp_put($ftp, 'text', 'text', FTP_ASCII));
        must(ftp_get($ftp, 'text back', 'text', FTP_ASCII));
        """,
        passive,
    )
    data = (here / "data").read_bytes()
    assert [(here / name).read_bytes() == data for name in ("back", "stream")] == [True, True]
    assert (served.root / "data").read_bytes() == (served.root / "stream").read_bytes() == data
    assert (served.root / "text").read_bytes() == (here / "text").read_bytes()
    assert (here / "text back").read_bytes() == (here / "text").read_bytes()


@in_thread
def test_urls(served: RunningService, tmp_path: Path) -> None:
    """Files, directories and facts through the ftp:// wrapper."""
    make_files(served.root, {"d/one": 12345, "d/two": 5, "gone": 1})
    php(
        served,
        tmp_path,
        """
        $url = 'ftp://demo:demo@127.0.0.1:' . $argv[1];
        must(file_get_contents("$url/d/one") === file_get_contents("$url/d/one"));
        must(strlen(file_get_contents("$url/d/one")) === 12345);
        must(file_put_contents("$url/new", 'content') === 7);
        must(filesize("$url/d/one") === 12345 && is_dir("$url/d") && !file_exists("$url/none"));
        $names = array_map('basename', scandir("$url/d")); sort($names);
        must($names === ['one', 'two']);
        must(rename("$url/d/two", "$url/three")); must(unlink("$url/gone")); must(mkdir("$url/m"));
        must(rmdir("$url/m"));
        """,
    )
    assert (served.root / "new").read_bytes() == b"content"
    assert sorted(os.listdir(served.root)) == ["d", "new", "three"]
