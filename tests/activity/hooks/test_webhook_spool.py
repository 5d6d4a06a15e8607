"""The queue of a webhook on the disk."""

import os
import stat

import pytest

from ftpservice.activity.hooks.webhook_spool import WebhookSpool


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hooks" / "a.spool"


@pytest.fixture
def spool(path):
    made = WebhookSpool(path, 3)
    yield made
    made.close()


def test_what_is_stored_is_there_after_a_restart_in_its_order(spool, path):
    assert spool.add([("a", 1.0, b"A"), ("b", 2.0, b"B")]) == 0
    spool.close()
    again = WebhookSpool(path, 3)
    first = again.first()
    assert first[1:] == ("a", 1.0, b"A", 0)
    assert again.first().attempts == 1
    again.remove(first.number)
    second = again.first()
    assert second.id == "b"
    again.remove(second.number)
    assert again.first() is None
    again.close()


def test_it_is_bounded(spool):
    assert spool.add([(str(n), 1.0, b"") for n in range(2)]) == 0
    assert spool.add([(str(n), 1.0, b"") for n in range(5)]) == 4
    assert spool.add([("x", 1.0, b"")]) == 1


def test_only_the_service_may_read_it(spool, path):
    spool.add([])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_broken_file_is_set_aside(spool, path):
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    assert spool.first() is None
    assert spool.damaged == 1
    assert spool.damaged_path.read_bytes() == b"x" * 5000
    assert spool.add([("1", 1.0, b"{}")]) == 0
    assert spool.first().id == "1"


SIDES = ("-journal", "-wal", "-shm")


def beside(path):
    """Leave files as SQLite does whose last transaction was cut."""
    for suffix in SIDES:
        path.with_name(f"{path.name}{suffix}").write_bytes(b"beside")


def test_damaged_files_are_kept_with_those_beside_them_up_to_three(path):
    times = iter((400.0, 100.0, 100.0, 200.0, 300.0))

    def seconds():  # called when SQLite has given up, before anything is renamed
        beside(path)
        return next(times)

    spool, kept = WebhookSpool(path, 3, seconds), []
    path.parent.mkdir()
    for number in range(5):
        path.write_bytes(b"%d" % number * 5000)
        assert spool.first() is None
        spool.close()
        kept.append(spool.damaged_path)
        assert kept[-1].read_bytes() == b"%d" % number * 5000
        assert not any(path.with_name(f"{path.name}{suffix}").exists() for suffix in SIDES)
    assert spool.damaged == len(set(kept)) == 5
    there = {one.name for one in path.parent.iterdir()} - {path.name}
    latest = {one.name for one in (kept[0], kept[3], kept[4])}
    assert there == {name + suffix for name in latest for suffix in ("", *SIDES)}


def test_a_kill_while_it_is_set_aside_leaves_nothing_old_beside_the_new_file(path, monkeypatch):
    def seconds():
        beside(path)
        return 1.0

    def killed(source, target, rename=os.rename):
        rename(source, target)
        if source == path:
            raise KeyboardInterrupt

    spool = WebhookSpool(path, 3, seconds)
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        spool.first()
    monkeypatch.undo()
    assert not list(path.parent.glob("a.spool-*"))
    assert spool.add([("1", 1.0, b"{}")]) == 0
    spool.close()


def test_a_file_that_cannot_be_opened_is_an_error_that_leaves_nothing_open(spool, path):
    path.parent.mkdir()
    path.mkdir()
    for _ in range(2):
        with pytest.raises(OSError):
            spool.first()
    path.rmdir()
    assert spool.first() is None
