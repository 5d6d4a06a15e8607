"""The file of bans: what was saved is loaded, and a failed write leaves the old file."""

import math
import os
from ipaddress import ip_network

import pytest

from ftpservice.accounts.defence.ban_file import load_bans, save_bans
from ftpservice.accounts.defence.bans import Ban

BANS = [
    Ban(ip_network("198.51.100.7"), "too many failed logins", 1.5, 601.5, 2),
    Ban(ip_network("2001:db8::/64"), 'a "reason"', 2.0, math.inf),
]


def test_bans_are_loaded_as_they_were_saved(tmp_path):
    path = tmp_path / "bans.json"
    assert load_bans(path) == []
    save_bans(path, BANS)
    assert load_bans(path) == BANS
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["bans.json"]


@pytest.mark.parametrize("text", ["", "[", "[1]", "[{}]", '{"a": 1}', '[{"network": "x"}]'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "bans.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bans|JSON|Expecting|line"):
        load_bans(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "bans.json"
    save_bans(path, BANS)

    def full(_descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save_bans(path, [])
    assert load_bans(path) == BANS
    assert os.listdir(tmp_path) == ["bans.json"]
