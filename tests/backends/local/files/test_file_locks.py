"""Files that are written in place: never by two at a time."""

import fcntl
import os
import threading

import pytest

from ftpservice.backends.local.files import in_place
from ftpservice.backends.local.paths.file_ops import copy_range
from ftpservice.storage import errors
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.testing.contract.case import begin_upload, create_file, upload_file
from tests.support.local_source import Bench, run


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.file = made.root / "file"
    made.file.write_bytes(b"old")
    os.link(made.file, made.outside / "other")
    yield made
    assert made.open_descriptors() == []


def test_of_two_uploads_the_second_waits_and_nothing_is_mixed(bench, monkeypatch):
    copying, go_on, order = threading.Event(), threading.Event(), []

    def slowly(source, target, start, end):
        order.append(os.fstat(source).st_size)
        if len(order) == 1:
            copying.set()
            assert go_on.wait(10)
        return copy_range(source, target, start, end)

    monkeypatch.setattr(in_place, "copy_range", slowly)
    one = run(begin_upload(bench.storage, "/file", b"first, and longer"))
    two = run(begin_upload(bench.owned_by("two"), "/file", b"second"))
    first = threading.Thread(target=one.commit_in_thread)
    second = threading.Thread(target=two.commit_in_thread)
    first.start()
    assert copying.wait(10)
    second.start()
    assert order == [17]
    go_on.set()
    first.join()
    second.join()
    assert order == [17, 6]
    assert bench.file.read_bytes() == b"second"


def test_a_file_is_not_written_in_place_during_an_append(bench):
    appending = run(begin_upload(bench.storage, "/file", b" and", WriteRequest(WriteMode.APPEND)))
    with pytest.raises(errors.Busy):
        run(create_file(bench.owned_by("two"), "/file", b"new"))
    run(appending.write(b" more"))
    run(appending.commit())
    assert bench.file.read_bytes() == b"old and more"
    run(create_file(bench.owned_by("two"), "/file", b"new"))
    assert bench.file.read_bytes() == b"new"


def test_an_append_is_refused_while_a_file_is_written_in_place(bench, monkeypatch):
    refused = []

    def meanwhile(source, target, start, end):
        with pytest.raises(errors.Busy):
            run(upload_file(bench.owned_by("two"), "/file", b"lost", WriteMode.APPEND))
        refused.append(True)
        return copy_range(source, target, start, end)

    monkeypatch.setattr(in_place, "copy_range", meanwhile)
    run(create_file(bench.storage, "/file", b"new"))
    assert (refused, bench.file.read_bytes()) == ([True], b"new")


def test_a_file_that_another_program_has_locked_is_in_use(bench):
    with bench.file.open("rb") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(errors.Busy):
            run(create_file(bench.storage, "/file", b"new"))
        run(upload_file(bench.storage, "/file", b" and more", WriteMode.APPEND))
    assert bench.file.read_bytes() == b"old and more"
    run(create_file(bench.storage, "/file", b"new"))
    assert bench.file.read_bytes() == b"new"


def test_where_there_are_no_locks_files_are_written_all_the_same(bench, monkeypatch):
    real = fcntl.flock

    def refuse(opened, how):
        if os.path.samestat(os.fstat(opened), bench.file.stat()):
            raise OSError(95, "no locks")
        return real(opened, how)

    monkeypatch.setattr(fcntl, "flock", refuse)
    run(create_file(bench.storage, "/file", b"new"))
    run(upload_file(bench.storage, "/file", b" and more", WriteMode.APPEND))
    assert bench.file.read_bytes() == b"new and more"
