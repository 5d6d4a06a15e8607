"""The queue of a webhook on the disk."""

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


def test_a_file_that_cannot_be_opened_is_an_error_that_leaves_nothing_open(spool, path):
    path.parent.mkdir()
    path.mkdir()
    for _ in range(2):
        with pytest.raises(OSError):
            spool.first()
    path.rmdir()
    assert spool.first() is None
