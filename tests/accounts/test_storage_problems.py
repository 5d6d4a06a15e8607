"""Storages that cannot work are found by their scheme, and by their directory."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ftpservice.accounts import storage_problems as module
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.storage_problems import check_storages, storage_problems
from ftpservice.backends import strings
from ftpservice.backends.mounts.account_mount import AccountMount


def account(name: str, root: str = "/", *mounts: str) -> AccountRecord:
    places = tuple(AccountMount(f"/m{number}", one) for number, one in enumerate(mounts))
    return AccountRecord(name, "", root, mounts=places)


def test_paths_and_known_schemes_are_accepted(tmp_path: Path) -> None:
    for one in (account("a"), account("b", "memory:", f"local:{tmp_path}", "/x")):
        check_storages(one)
        assert storage_problems([one]) == []


@pytest.mark.parametrize("one", [account("a", "nosuch:/x"), account("a", "/", "nosuch:/x")])
def test_an_unknown_scheme_is_refused(one: AccountRecord) -> None:
    with pytest.raises(ValueError, match=r"unknown storage 'nosuch:' .*\(known: .*local:"):
        check_storages(one)
    (line,) = storage_problems([one])
    assert line.startswith("account 'a': unknown storage 'nosuch:'")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("local:", "the directory is missing"),
        ("local:/x:durable=maybe", "durable"),
        ("local:/x:nosuch=1", "nosuch"),
        ("memory:capacity=much", "much"),
    ],
)
def test_fields_that_can_never_be_used_are_refused(text: str, reason: str) -> None:
    for one in (account("a", text), account("a", "/", text)):
        with pytest.raises(ValueError, match=f"storage '{text}': .*{reason}"):
            check_storages(one)
        (line,) = storage_problems([one])
        assert line.startswith(f"account 'a': storage '{text}': ")


def test_a_scheme_of_a_plugin_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        scheme = "nosuch"

    def plugins(_interface: object) -> list[Any]:
        return [Other()]

    monkeypatch.setattr(strings, "getPlugins", plugins)
    check_storages(account("a", "nosuch:/x"))
    assert storage_problems([account("a", "nosuch:/x")]) == []


def test_accounts_of_one_storage_are_named_together(tmp_path: Path) -> None:
    text = f"local:{tmp_path}/none"
    people = [account(name, text) for name in "abcdefg"]
    group = account("@staff", "local:/srv/{user}", text)
    assert storage_problems([*people, group]) == [
        f"group 'staff', accounts 'a', 'b', 'c', 'd', 'e' and 2 more: storage {text!r}: no such "
        "file or directory; create the directory or give another one"
    ]


def test_what_is_no_directory_or_closed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (line,) = storage_problems([account("a", f"local:{tmp_path}/file")])
    assert line.endswith("/file': not a directory")
    monkeypatch.setattr(os, "access", lambda *_words, **_more: False)
    (line,) = storage_problems([account("a", f"local:{tmp_path}")])
    assert "this user cannot read and write it" in line


def test_a_disk_that_hangs_does_not_stop_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Event()

    def hanging(_directory: str) -> str:
        release.wait(10)
        return ""

    monkeypatch.setattr(module, "_directory_problem", hanging)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    try:
        (line,) = storage_problems([account("a", "local:/x")])
        assert "no answer within 0.05 seconds" in line
    finally:
        release.set()
