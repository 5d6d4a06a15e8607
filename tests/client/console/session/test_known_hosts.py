"""Certificates that were accepted: kept, found again, and not taken from others."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ftpservice_client import LocalFileError, parse_url
from ftpservice_client.console.session.known_hosts import KnownHosts, known_hosts_path

HERE, THERE, SIX = map(parse_url, ("ftp://here:2121/x", "ftp://u@there", "ftps://[::1]"))
FIRST, SECOND = ":".join(["AB"] * 32), ":".join(["0F"] * 32)


@pytest.fixture
def hosts(tmp_path: Path) -> KnownHosts:
    return KnownHosts(tmp_path / "config" / "ftpservice" / "known_hosts")


def test_what_is_kept_is_found_for_that_server_alone(hosts: KnownHosts) -> None:
    assert hosts.find(HERE) == ""
    hosts.keep(HERE, FIRST)
    hosts.keep(SIX, SECOND)
    assert (hosts.find(HERE), hosts.find(THERE), hosts.find(SIX)) == (FIRST, "", SECOND)
    assert stat.S_IMODE(hosts.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(hosts.path.parent.stat().st_mode) == 0o700


def test_the_last_line_holds_and_others_are_skipped(hosts: KnownHosts) -> None:
    hosts.keep(HERE, FIRST)
    with hosts.path.open("a") as file:
        file.write("# remark\nnonsense\nhere:2121 short")  # without a line end
    hosts.keep(HERE, SECOND)
    assert hosts.find(HERE) == SECOND


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_not_trusted(hosts: KnownHosts, mode: int) -> None:
    hosts.keep(HERE, FIRST)
    hosts.path.chmod(mode)
    with pytest.raises(LocalFileError, match="other users can change it"):
        hosts.find(HERE)


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    hosts = KnownHosts(tmp_path)
    with pytest.raises(LocalFileError):
        hosts.find(HERE)
    with pytest.raises(LocalFileError):
        hosts.keep(HERE, FIRST)


def test_it_lies_where_configuration_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert known_hosts_path({}) == Path("/home/ann/.config/ftpservice/known_hosts")
    assert known_hosts_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/ftpservice/known_hosts")
    assert known_hosts_path({"XDG_CONFIG_HOME": "rel"}) == known_hosts_path({})
