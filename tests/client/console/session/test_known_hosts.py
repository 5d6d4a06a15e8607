"""The file of accepted certificates."""

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


def test_a_fingerprint_is_found_for_its_server_only(hosts: KnownHosts) -> None:
    assert hosts.find(HERE) == ""
    hosts.add(HERE, FIRST)
    hosts.add(SIX, SECOND)
    assert (hosts.find(HERE), hosts.find(THERE), hosts.find(SIX)) == (FIRST, "", SECOND)
    assert stat.S_IMODE(hosts.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(hosts.path.parent.stat().st_mode) == 0o700


def test_the_last_line_wins_and_invalid_lines_are_skipped(hosts: KnownHosts) -> None:
    hosts.add(HERE, FIRST)
    with hosts.path.open("a") as file:
        file.write("# remark\nnonsense\nhere:2121 short")  # without a line end
    hosts.add(HERE, SECOND)
    assert hosts.find(HERE) == SECOND


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_writable_by_others_is_refused(hosts: KnownHosts, mode: int) -> None:
    hosts.add(HERE, FIRST)
    hosts.path.chmod(mode)
    with pytest.raises(LocalFileError, match="other users can write to this file"):
        hosts.find(HERE)


def test_read_and_write_errors_are_raised(tmp_path: Path) -> None:
    hosts = KnownHosts(tmp_path)
    with pytest.raises(LocalFileError):
        hosts.find(HERE)
    with pytest.raises(LocalFileError):
        hosts.add(HERE, FIRST)


def test_the_file_is_in_the_configuration_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert known_hosts_path({}) == Path("/home/ann/.config/ftpservice/known_hosts")
    assert known_hosts_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/ftpservice/known_hosts")
    assert known_hosts_path({"XDG_CONFIG_HOME": "rel"}) == known_hosts_path({})
