"""Two processes of one bucket that upload to the same name: each file is that of one, whole."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from ftpservice.backends.s3.tree import part_buffer
from ftpservice.backends.s3.tree.served_bucket import ServerTraits
from ftpservice.backends.s3.uploads import partial_records, upload_record
from ftpservice.backends.s3.uploads.creation_lock import creation_lock
from ftpservice.storage.errors import BadOffset, Busy, Exists, HasUploads, Unavailable
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    path_at,
    read_file,
)
from tests.backends.s3.uploads.test_parted_upload import read_file as read_large
from tests.backends.s3.uploads.test_upload_process import PRINT as PRINT_MARK
from tests.support.buckets import result
from tests.support.restartable_service import noise, wait_until

PART = 5 << 20
ONE, TWO = noise(PART + 1000, 1), noise(PART + 2000, 2)
CREATE = WriteRequest(WriteMode.CREATE)
UNIQUE = WriteRequest(WriteMode.UNIQUE)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts of the smallest size that servers accept."""
    monkeypatch.setattr(part_buffer, "FIRST_PART_SIZE", PART)


@pytest.fixture
def both(bucket):
    """The storages of two processes."""
    return bucket.storage(), bucket.again().storage()


def committed(writing):
    """Return the size of what was published, or the error."""
    try:
        return result(writing.commit()).size
    except Exists as error:
        return error


@pytest.mark.parametrize("size", [0, 1000, None])
@pytest.mark.parametrize("request_", [WriteRequest(), CREATE], ids=["replace", "create"])
def test_of_two_commits_at_the_same_moment_one_file_is_left_whole(bucket, both, size, request_):
    for number in range(2 if size is None else 6):
        pair = zip(both, (ONE[:size], TWO[: None if size is None else size + 1]), strict=True)
        begun = [result(begin_upload(one, f"/{number}", data, request_)) for one, data in pair]
        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(committed, begun))
        sizes = [one for one in outcomes if isinstance(one, int)]
        assert len(sizes) == (1 if request_ is CREATE else 2)
        found = result(read_large(both[0], f"/{number}"))
        assert found in (ONE[: len(found)], TWO[: len(found)])
        assert len(found) in sizes
    if request_ is not CREATE:  # what was refused is kept
        assert bucket.open_uploads() == bucket.hidden() == []


def test_the_lock_of_a_killed_process_is_taken_over(bucket, both):
    large = result(begin_upload(both[0], "/file", ONE, CREATE))
    again = result(begin_upload(both[1], "/file", TWO, CREATE))
    killed = creation_lock(bucket.served, path_at("/file"), large.key)
    killed.__enter__()
    with pytest.raises(Exists, match="being created by another session"):
        result(again.commit())
    bucket.served.seconds = lambda: time.time() + 600
    result(large.commit())
    assert result(read_large(both[0], "/file")) == ONE


def test_of_two_that_take_over_a_lock_one_gets_it(bucket, both):
    other = both[1]._view.served
    killed = creation_lock(bucket.served, path_at("/file"), "key")
    killed.__enter__()
    for served in (bucket.served, other):
        served.seconds = lambda: time.time() + 600
    first, delete = creation_lock(bucket.served, path_at("/file"), "key"), other.bucket.delete

    def delete_late(key, etag):
        first.__enter__()
        delete(key, etag)

    with (
        mock.patch.object(other.bucket, "delete", delete_late),
        pytest.raises(Exists, match="being created by another session"),
        creation_lock(other, path_at("/file"), "key"),
    ):
        pass
    assert len(bucket.hidden()) == 1
    first.__exit__(None, None, None)
    assert bucket.hidden() == []


def test_the_age_of_a_record_is_that_of_the_clock_of_the_server(bucket, both):
    large = result(begin_upload(both[0], "/file", ONE))
    records = partial_records.PartialRecords(both[1]._view)
    found = records.read(large.record_key)
    served = both[1]._view.served
    for seconds, ahead, is_running in ((600, 0, False), (600, -600, True), (0, 600, False)):
        served.seconds = lambda seconds=seconds: time.time() + seconds
        served.requests.server_ahead = ahead
        assert records.may_be_running(found) is is_running


def test_both_uploads_in_parts_are_complete_and_the_later_end_counts(bucket, both):
    """Whether they are in one process or in two, and however each of them ends."""
    for other in (both[1], both[0]):
        first = result(begin_upload(both[0], "/file", ONE))
        second = result(begin_upload(other, "/file", TWO))
        assert len(bucket.open_uploads()) == 2
        result(second.commit())
        assert result(read_large(both[1], "/file")) == TWO
        result(first.commit())
        assert result(read_large(both[1], "/file")) == ONE
        assert bucket.open_uploads() == bucket.hidden() == []


def test_small_and_interrupted_uploads_leave_one_in_parts_alone(bucket, both):
    for other in (both[1], both[0]):
        large = result(begin_upload(both[0], "/file", ONE))
        result(create_file(other, "/file", b"small"))
        result(result(begin_upload(other, "/file", b"half")).abandon())
        result(result(begin_upload(other, "/file", TWO)).abandon())
        result(large.commit())
        assert result(read_large(other, "/file")) == ONE
        assert bucket.open_uploads() == bucket.hidden() == []


def test_a_directory_with_an_upload_of_another_process_stays(bucket, both):
    result(both[0].make_directory(path_at("/d")))
    bucket.write("d/file", b"old")
    large = result(begin_upload(both[0], "/d/file", ONE))
    result(both[1].remove_file(path_at("/d/file")))
    with pytest.raises(HasUploads):
        result(both[1].remove_directory(path_at("/d")))
    result(both[1].rename(path_at("/d"), path_at("/e")))
    result(large.commit())
    assert bucket.names() == ["d/file", "e/"]


def test_an_upload_whose_parts_another_process_has_removed_fails_and_can_be_repeated(bucket, both):
    large = result(begin_upload(both[0], "/file", ONE))
    bucket.served.multiparts.abort(large.key, large.parted.upload_id)
    with pytest.raises(Busy, match="by another session"):
        result(large.commit())
    assert bucket.hidden() == []
    result(create_file(both[0], "/file", TWO))


def test_a_long_upload_tells_others_that_it_is_under_way(bucket, both, monkeypatch):
    monkeypatch.setattr(upload_record, "REFRESH_SECONDS", 0.0)
    large = result(begin_upload(both[0], "/file", ONE))
    key = large.record_key
    records = partial_records.PartialRecords(both[1]._view)
    assert records.may_be_running(records.read(key))
    bucket.served.bucket.write(key, partial_records.BytesBody(b"{}\n"))
    result(large.write(ONE))  # does not take the record of another one
    assert records.read(key) is None
    result(large.abandon())
    kept = records.read(key)
    assert kept is not None
    assert not records.may_be_running(kept)


def test_unique_names_are_unique_for_two_processes(bucket, both):
    begun = [result(begin_upload(one, "/file", b"x", UNIQUE)) for one in both]
    assert [str(one.path) for one in begun] == ["/file", "/file"]
    for one in begun:
        result(one.commit())
    names = {one.path.name for one in begun}
    assert set(bucket.names()) == names
    assert len(names) == 2
    bucket.served.traits = ServerTraits(creates=False)
    writing = result(begin_upload(bucket.storage(), "/other", b"x", UNIQUE))
    assert str(writing.path).startswith("/other.")
    result(writing.commit())


def test_a_reader_gets_one_version_or_an_error(bucket, both):
    result(create_file(both[0], "/small", ONE[:1000]))
    result(create_file(both[0], "/large", ONE))
    small, large = (result(both[0].open_reading(path_at(name))) for name in ("/small", "/large"))
    result(create_file(both[1], "/small", TWO[:2000]))
    result(create_file(both[1], "/large", TWO))
    assert result(small.read(500, 1000)) == ONE[500:1000]
    assert result(large.read(0, 1000)) == ONE[:1000]
    with pytest.raises(Unavailable, match="replaced"):
        result(large.read(PART, 1000))
    assert result(read_file(both[0], "/small")) == TWO[:2000]


NOTED = WriteRequest(note="me")


def seen(storage):
    """Return what another process finds of an upload to ``/file``."""
    found = result(IInterruptedUploads(storage).interrupted(path_at("/file")))
    return None if found is None else (found.size, found.note, found.is_active)


def begun_long_ago(storage, data, request=NOTED):
    writing = result(begin_upload(storage, "/file", data, request))
    for _ in range(2):
        writing.progress.tick()
    return writing


def test_an_upload_over_a_file_keeps_its_note_before_anything_is_stored(bucket, both):
    bucket.write("file", b"old")
    short = result(begin_upload(both[0], "/file", b"new", NOTED))
    short.progress.tick()
    assert bucket.hidden() == []
    short.progress.tick()
    assert seen(both[1]) == (0, "me", True)
    result(short.commit())
    assert (seen(both[1]), bucket.hidden()) == (None, [])
    for kept in (b"", b"half"):
        result(begun_long_ago(both[0], kept).abandon())
        assert seen(both[1]) == (len(kept), "me", False)
    result(create_file(both[0], "/file", b"new"))
    assert bucket.hidden() == []


@pytest.mark.parametrize("request_", [WriteRequest(), CREATE, NOTED], ids=["none", "create", "new"])
def test_without_a_note_or_a_file_there_is_no_record(bucket, both, request_):
    if not request_.note and request_ is not CREATE:
        bucket.write("file", b"old")
    writing = begun_long_ago(both[0], b"new", request_)
    assert bucket.hidden() == []
    result(writing.commit())


@pytest.mark.parametrize("size", [1000, PART + 1000])
def test_the_upload_of_a_killed_process_is_known_to_have_ended(bucket, both, monkeypatch, size):
    killed = subprocess.check_output([sys.executable, "-c", PRINT_MARK], text=True).strip()
    monkeypatch.setattr(upload_record, "process_mark", lambda: killed)
    bucket.write("file", b"old")
    begun_long_ago(both[0], ONE[:size])
    assert seen(both[1]) == (PART if size > PART else 0, "me", False)
    result(create_file(both[1], "/file", b"new"))
    assert bucket.open_uploads() == bucket.hidden() == []


def test_a_slow_upload_tells_others_that_it_is_under_way(bucket, both, monkeypatch):
    large = result(begin_upload(both[0], "/file", ONE, NOTED))
    records = partial_records.PartialRecords(both[1]._view)
    written = records.read(large.record_key).modified
    for _ in range(3):
        large.progress.tick()
    monkeypatch.setattr(upload_record, "REFRESH_SECONDS", 0.0)
    wait_until(lambda: time.time() > written + 1)  # times of objects are whole seconds
    large.progress.tick()
    assert records.read(large.record_key).modified > written
    result(large.commit())
    assert result(read_large(both[0], "/file")) == ONE


def test_what_is_kept_in_a_record_stays_there_until_it_is_in_a_part(bucket, both, monkeypatch):
    monkeypatch.setattr(upload_record, "REFRESH_SECONDS", 0.0)
    result(result(begin_upload(both[0], "/file", ONE, NOTED)).abandon())
    again = result(begin_upload(both[0], "/file", b"", WriteRequest(offset=len(ONE), note="me")))
    for _ in range(3):
        again.progress.tick()
    assert seen(both[1])[:2] == (len(ONE), "me")


@pytest.mark.parametrize("then", [b"theirs", None], ids=["replaced", "removed"])
def test_what_cannot_be_resumed_any_more_is_not_offered(bucket, both, then):
    bucket.write("file", b"old")
    result(result(begin_upload(both[0], "/file", b"half", NOTED)).abandon())
    assert seen(both[1]) == (4, "me", False)
    if then is None:
        bucket.served.bucket.delete(f"{bucket.options.prefix}file")
    else:
        bucket.write("file", then)
    assert seen(both[1]) is None
    with pytest.raises(BadOffset):
        result(begin_upload(both[1], "/file", b"", WriteRequest(offset=4, partial_only=True)))
