"""``curl``: jobs as its users write them on a command line."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from ftpservice.events import LoggedIn, Outcome, SessionOpened
from tests.interop.cutting import Network
from tests.interop.programs import Outcome as Ended
from tests.interop.programs import ipv6, needs, run
from tests.interop.raw import in_thread
from tests.interop.sites import ODD_USER, Site, named
from tests.interop.trees import BIG, MTIME, ODD_NAMES, content, differences, odd_tree, small_files

pytestmark = needs("curl")
CUT = 24 << 20
QUIET = ("curl", "--silent", "--show-error", "--globoff", "--max-time", "50")
MANY = ("--ftp-port", "127.0.0.1")
"""For many files over one connection: curl 7.88 sleeps a second when a 229 comes at once."""
NOT_FOUND, DENIED, NO_DIRECTORY, CUT_SHORT, UPLOAD_FAILED = 78, 67, 9, 18, 25


def curl(site: Site, *words: str, status: int | None = 0) -> Ended:
    """Run curl quietly; what it is to fetch is kept as it is."""
    return run([*QUIET, *words], site.work, status=status)


WAYS = {
    "epsv": (),
    "pasv": ("--disable-epsv",),
    "eprt": ("--ftp-port", "127.0.0.1"),
    "port": ("--ftp-port", "127.0.0.1", "--disable-eprt"),
}


@pytest.mark.parametrize("way", WAYS)
@in_thread
def test_a_big_file_both_ways(site: Site, way: str) -> None:
    data = content(BIG)
    (site.work / "big").write_bytes(data)
    curl(site, *WAYS[way], "--upload-file", "big", site.url("big"))
    assert (site.root / "big").read_bytes() == data
    curl(site, *WAYS[way], "--output", "back", site.url("big"))
    assert (site.work / "back").read_bytes() == data
    assert site.endings() == [("/big", Outcome.COMPLETE)] * 2


@ipv6
@pytest.mark.parametrize("way", [(), ("--ftp-port", "::1")], ids=["passive", "active"])
@in_thread
def test_ipv6(site: Site, way: tuple[str, ...]) -> None:
    (site.work / "six").write_bytes(b"six")
    url = site.bare_url(host="[::1]", port=site.port6)
    curl(site, *way, "--user", "demo:demo", "--upload-file", "six", url)
    assert curl(site, *way, "--user", "demo:demo", f"{url}six").out == "six"


@in_thread
def test_odd_names_both_ways_over_one_connection(site: Site) -> None:
    names = odd_tree(site.work / "there")
    words = [word for n in names for word in ("--upload-file", f"there/{n}", site.url(f"new/{n}"))]
    curl(site, *MANY, "--ftp-create-dirs", *words)
    assert differences(site.work / "there", site.root / "new") == {}
    (site.work / "back").mkdir()
    words = [word for n in names for word in ("--output", f"back/{n}", site.url(f"new/{n}"))]
    curl(site, *MANY, *words)
    assert differences(site.work / "there", site.work / "back") == {}
    assert len(site.of(SessionOpened)) == 2


@in_thread
def test_names_that_are_not_utf_8(site: Site) -> None:
    (site.work / "file").write_bytes(b"caf\xe9")
    url = f"{site.url()}caf%E9"
    curl(site, "--upload-file", "file", url)
    assert os.listdir(os.fsencode(site.root)) == [b"caf\xe9"]
    assert curl(site, url).out == "caf\udce9"
    assert curl(site, "--list-only", site.url()).out == "caf\udce9\n"


@pytest.mark.parametrize("method", ["multicwd", "singlecwd", "nocwd"])
@in_thread
def test_every_way_to_a_directory(site: Site, method: str) -> None:
    (site.work / "file").write_bytes(b"deep")
    deep = "a b/\u00fc/c#%/file"
    way = ("--ftp-method", method)
    if method == "multicwd":
        way += ("--ftp-create-dirs",)
    else:
        (site.root / deep).parent.mkdir(parents=True)
    curl(site, *way, "--upload-file", "file", site.url(deep))
    assert (site.root / deep).read_bytes() == b"deep"
    assert curl(site, *way, site.url(deep)).out == "deep"
    listed = f"{deep}\n" if method == "nocwd" else "file\n"
    assert curl(site, *way, "--list-only", site.url("a b/\u00fc/c#%/")).out == listed
    assert curl(site, *way, site.url("/" + deep)).out == "deep"


@in_thread
def test_listings(site: Site) -> None:
    names = odd_tree(site.root, without=["--", "-la", "..."])
    assert sorted(curl(site, "--list-only", site.url()).out.splitlines()) == sorted(names)
    listing = curl(site, site.url()).out.splitlines()
    assert len(listing) == len(names)
    assert all(line.startswith("-rw") for line in listing)
    facts = curl(site, "--request", "MLSD", site.url()).out.splitlines()
    assert {line.partition("; ")[2] for line in facts} == set(names)
    (site.root / "empty").mkdir()
    assert curl(site, site.url("empty/")).out == ""


@in_thread
def test_sizes_and_times(site: Site) -> None:
    (site.root / "file").write_bytes(b"12345")
    os.utime(site.root / "file", (MTIME, MTIME))
    said = curl(site, "--head", site.url("file")).out
    assert "Content-Length: 5" in said
    assert "Last-Modified: Thu, 02 Jan 2020 03:04:05 GMT" in said
    assert "Accept-ranges: bytes" in said
    curl(site, "--remote-time", "--output", "copy", site.url("file"))
    assert (site.work / "copy").stat().st_mtime == MTIME
    newer = ("--time-cond", "Fri, 03 Jan 2020 00:00:00 GMT")
    assert curl(site, *newer, site.url("file")).out == ""
    assert curl(site, "--time-cond", "-Fri, 03 Jan 2020 00:00:00 GMT", site.url("file")).out == "12345"


@in_thread
def test_ranges(site: Site) -> None:
    text = "".join(f"{number:06}" for number in range(50_000))
    (site.root / "file").write_text(text)
    url = site.url("file")
    assert curl(site, "--range", "100000-100011", url).out == text[100_000:100_012]
    assert curl(site, "--range", "-100", url).out == text[-100:]
    assert curl(site, "--range", "299990-", url).out == text[299_990:]
    assert curl(site, "--range", "0-9", url).out == text[:10]
    assert curl(site, "--continue-at", "299990", url).out == text[299_990:]
    assert curl(site, url).out == text


@in_thread
def test_text_both_ways(site: Site) -> None:
    (site.work / "text").write_bytes(b"one\ntwo\n\nthree\n")
    curl(site, "--use-ascii", "--crlf", "--upload-file", "text", site.url("text"))
    assert (site.root / "text").read_bytes() == b"one\ntwo\n\nthree\n"
    curl(site, "--output", "back", f"{site.url('text')};type=a")
    assert (site.work / "back").read_bytes() == b"one\ntwo\n\nthree\n"
    assert curl(site, f"{site.url()};type=d").out == "text\n"


@in_thread
def test_append_and_replace(site: Site) -> None:
    (site.work / "line").write_text("line\n")
    for _ in range(3):
        curl(site, "--append", "--upload-file", "line", site.url("log"))
    assert (site.root / "log").read_text() == "line\n" * 3
    curl(site, "--upload-file", "line", site.url("log"))
    assert (site.root / "log").read_text() == "line\n"


@in_thread
def test_commands_before_and_after(site: Site) -> None:
    (site.work / "file").write_bytes(b"new")
    (site.root / "final").write_bytes(b"old")
    curl(
        site,
        *("--quote", "MKD in", "--quote", "*MKD in", "--upload-file", "file"),
        *("--quote", "-RNFR tmp", "--quote", "-RNTO ../final", site.url("in/tmp")),
    )
    assert (site.root / "final").read_bytes() == b"new"
    curl(site, "--quote", "RMD in", "--quote", "DELE final", "--list-only", site.url())
    assert named(site.root) == []


@in_thread
def test_a_thousand_small_files_over_one_connection(site: Site) -> None:
    small_files(site.work / "there")
    (site.work / "back").mkdir()
    (site.root / "in").mkdir()
    names, url = "file[0000-0999].dat", site.url("in/")
    run(["curl", "-sS", *MANY, "--upload-file", f"there/{names}", url], site.work)
    assert differences(site.work / "there", site.root / "in") == {}
    run(["curl", "-sS", *MANY, "--output", "back/file#1.dat", url + names], site.work)
    assert differences(site.work / "there", site.work / "back") == {}
    assert len(site.of(SessionOpened)) == 2


@in_thread
def test_who_may_and_who_may_not(site: Site) -> None:
    (site.root / "file").write_bytes(b"here")
    (site.work / "file").write_bytes(b"mine")
    assert curl(site, site.bare_url("file")).out == "here"
    assert curl(site, site.url("file", ODD_USER)).out == "here"
    assert site.of(LoggedIn)[-1].user == ODD_USER
    url = site.bare_url("file")
    assert "530" in curl(site, "--user", "demo:wrong", "-v", url, status=DENIED).said
    assert curl(site, site.url("none"), status=NOT_FOUND).out == ""
    assert curl(site, site.url("none/file"), status=NO_DIRECTORY).out == ""
    assert curl(site, site.url("none/"), status=NO_DIRECTORY).out == ""
    refused = ("--upload-file", "file", site.url("file", "reader"))
    assert "550" in curl(site, *refused, status=UPLOAD_FAILED).said
    curl(site, "--quote", "DELE file", site.url("", "reader"), status=21)
    assert (site.root / "file").read_bytes() == b"here"


@in_thread
def test_a_download_goes_on_after_a_cut(site: Site, network: Callable[..., Network]) -> None:
    data = content(BIG)
    (site.root / "file").write_bytes(data)
    cut = network(CUT)
    words = ("--continue-at", "-", "--output", "file", site.url("file", port=cut.port))
    curl(site, *words, status=None)
    arrived = (site.work / "file").stat().st_size
    assert 0 < arrived <= CUT
    curl(site, *words)
    assert cut.said("REST") == [str(arrived)]
    assert (site.work / "file").read_bytes() == data


@pytest.mark.parametrize("control", [False, True], ids=["data", "everything"])
@in_thread
def test_an_upload_goes_on_after_a_cut(
    site: Site, network: Callable[..., Network], control: bool
) -> None:
    data = content(BIG)
    (site.work / "file").write_bytes(data)
    cut = network(CUT, control=control)
    words = ("--continue-at", "-", "--upload-file", "file", site.url("file", port=cut.port))
    assert curl(site, *words, status=None).status != 0
    assert not (site.root / "file").exists()
    curl(site, *words)
    assert (site.root / "file").read_bytes() == data
    assert named(site.root) == ["file"]
    assert 0 < BIG - CUT <= site.transferred("/file")[-1] < BIG


@in_thread
def test_parallel_transfers(site: Site) -> None:
    names = small_files(site.root, 40)
    words = [word for name in names for word in ("--output", f"back/{name}", site.url(name))]
    (site.work / "back").mkdir()
    curl(site, "--parallel", "--parallel-max", "20", *words)
    assert differences(site.root, site.work / "back") == {}


def test_there_are_enough_odd_names() -> None:
    assert len(set(ODD_NAMES)) == len(ODD_NAMES) > 40
