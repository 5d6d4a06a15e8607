"""Changes of a file, as the kernel tells of them."""

import errno
import gc
import os

import pytest
from twisted.logger import capturedLogs, formatEvent

from ftpservice.accounts import file_changes
from ftpservice.accounts.file_changes import FileChanges


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    return path


@pytest.fixture
def changes():
    made = FileChanges()
    yield made
    made.close()


def look(changes, path):
    changes.reading(str(path))
    changes.read()


def is_current(changes):
    return not changes.pending(0) and changes.is_known


def test_nothing_is_known_before_the_first_look(changes, path):
    assert not is_current(changes)
    look(changes, path)
    assert is_current(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("b"),
        lambda path: path.chmod(0o600),
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("other")),
        lambda path: os.truncate(path, 0),
    ],
)
def test_every_change_is_told_until_the_next_look(changes, path, change):
    look(changes, path)
    path.read_text()
    assert is_current(changes)
    change(path)
    assert not is_current(changes)
    assert not is_current(changes)
    if path.exists():
        look(changes, path)
        assert is_current(changes)


def test_a_change_during_a_look_is_told(changes, path):
    changes.reading(str(path))
    path.write_text("b")
    changes.read()
    assert not is_current(changes)


def test_nothing_is_known_during_a_look_after_a_change(changes, path):
    look(changes, path)
    path.write_text("b")
    changes.reading(str(path))
    assert not changes.is_known


def test_a_missing_file_is_never_known(changes, path):
    path.unlink()
    look(changes, path)
    assert not is_current(changes)
    path.write_text("b")
    look(changes, path)
    assert is_current(changes)


def test_files_that_were_in_the_place_before_are_left_alone(changes, path):
    look(changes, path)
    for number in range(3):
        path.rename(path.with_name(f"old{number}"))
        path.write_text("b")
        look(changes, path)
    for number in range(3):
        path.with_name(f"old{number}").write_text("c")
    assert is_current(changes)


def test_without_a_descriptor_every_file_may_have_changed(changes, path, monkeypatch):
    def refuse():
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(file_changes, "inotify_open", refuse)
    with capturedLogs() as logged:
        for _ in range(2):
            look(changes, path)
    assert not is_current(changes)
    assert [formatEvent(event) for event in logged] == [
        f"{path}: the kernel does not tell of its changes (too many), so that every login hashes "
        "its password; raise fs.inotify.max_user_instances and max_user_watches (sysctl)"
    ]


def test_the_descriptor_is_closed(path):
    for close in (FileChanges.close, lambda _changes: None):
        changes = FileChanges()
        look(changes, path)
        descriptor = changes._descriptor
        os.fstat(descriptor)
        close(changes)
        del changes
        gc.collect()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
