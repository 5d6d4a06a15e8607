"""Uploads in parts: what another process finds after a kill, and what a graceful cut keeps."""

import time

import pytest

from ftpservice.backends.s3.api.failures import S3Failure
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call
from ftpservice.backends.s3.tree import object_copy, part_buffer
from ftpservice.backends.s3.tree.object_entries import MTIME
from ftpservice.backends.s3.tree.part_buffer import MemoryAllowance
from ftpservice.backends.s3.tree.served_bucket import BucketView, ServerTraits
from ftpservice.backends.s3.uploads.abandoned_uploads import remove_abandoned
from ftpservice.storage.errors import BadOffset, NotSupported, StorageError
from ftpservice.storage.gates import IHeldUpload
from ftpservice.storage.interfaces import IPartials, ISetTimes, WriteMode, WriteRequest
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.testing.contract.case import begin_upload, create_file, partial_size, path_at
from ftpservice.wire.paths import ROOT
from tests.support.buckets import result
from tests.support.restartable_service import noise

PART = 5 << 20
WHOLE = noise(3 * PART + 1000)


async def read_file(storage, name):
    """Read in large pieces."""
    reading = await storage.open_reading(path_at(name))
    data = b""
    while piece := await reading.read(len(data), PART):
        data += piece
    reading.close()
    return data


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts of the smallest size that servers accept."""
    monkeypatch.setattr(part_buffer, "FIRST_PART_SIZE", PART)


def test_a_large_file_is_stored_in_parts_and_appears_at_the_commit(bucket):
    storage = bucket.storage()
    writing = result(begin_upload(storage, "/large", WHOLE))
    assert (bucket.names(), len(bucket.open_uploads())) == ([], 1)
    entry = result(writing.commit())
    assert (entry.size, entry.name) == (len(WHOLE), "large")
    assert result(read_file(storage, "/large")) == WHOLE
    assert entry.unique == result(storage.stat(ROOT.child("large"))).unique
    assert bucket.open_uploads() == bucket.hidden() == []


def test_whole_parts_survive_a_kill_and_another_process_resumes_them(bucket):
    result(begin_upload(bucket.storage(), "/large", WHOLE[: 2 * PART + 7]))
    other = bucket.again()  # the first one never comes to an end
    assert result(partial_size(other.storage(), "/large")) == 2 * PART
    assert result(partial_size(other.storage("two"), "/large")) is None
    request = WriteRequest(offset=2 * PART)
    result(create_file(other.storage(), "/large", WHOLE[2 * PART :], request))
    assert result(read_file(other.storage(), "/large")) == WHOLE
    assert bucket.open_uploads() == bucket.hidden() == []


def test_a_graceful_cut_keeps_every_byte(bucket):
    for end in (PART + 4321, 2 * PART + 1, 3 * PART + 9):
        storage = bucket.again().storage()
        offset = result(partial_size(storage, "/large")) or 0
        request = WriteRequest(offset=offset)
        result(result(begin_upload(storage, "/large", WHOLE[offset:end], request)).abandon())
        assert result(partial_size(bucket.again().storage(), "/large")) == end
    result(create_file(bucket.storage(), "/large", WHOLE[end:], WriteRequest(offset=end)))
    assert result(read_file(bucket.storage(), "/large")) == WHOLE


def test_bytes_in_the_middle_of_stored_parts_cannot_be_resumed_from(bucket):
    storage = bucket.storage()
    result(result(begin_upload(storage, "/large", WHOLE[: 2 * PART + 7])).abandon())
    with pytest.raises(BadOffset, match=f"{2 * PART} to {2 * PART + 7} bytes are kept"):
        result(begin_upload(storage, "/large", b"", WriteRequest(offset=PART + 3)))
    assert result(partial_size(storage, "/large")) == 2 * PART + 7


def test_what_was_replaced_by_another_process_is_not_resumed(bucket):
    storage = bucket.storage()
    result(result(begin_upload(storage, "/file", b"half")).abandon())
    bucket.write("file", b"whole")
    with pytest.raises(BadOffset):
        result(begin_upload(storage, "/file", b"", WriteRequest(offset=4, partial_only=True)))


def test_a_file_is_resumed_by_a_copy_on_the_server(bucket):
    storage = bucket.storage()
    result(create_file(storage, "/large", WHOLE))
    offset = PART + 99
    result(create_file(storage, "/large", b"end", WriteRequest(offset=offset)))
    assert result(read_file(storage, "/large")) == WHOLE[:offset] + b"end"
    assert bucket.open_uploads() == bucket.hidden() == []


@pytest.mark.parametrize("old", [3, PART + 1])
@pytest.mark.parametrize("new", [3, 2 * PART + 5])
def test_appends_of_any_size_are_in_order(bucket, old, new):
    storage = bucket.storage()
    result(create_file(storage, "/file", WHOLE[:old]))
    request = WriteRequest(WriteMode.APPEND)
    writing = result(begin_upload(storage, "/file", WHOLE[old : old + new], request))
    assert result(read_file(storage, "/file")) == WHOLE[:old]
    assert result(writing.commit()).size == old + new
    assert result(read_file(storage, "/file")) == WHOLE[: old + new]
    assert bucket.open_uploads() == []


def test_an_abandoned_append_leaves_no_parts(bucket):
    storage = bucket.storage()
    result(create_file(storage, "/file", b"old"))
    request = WriteRequest(WriteMode.APPEND)
    result(result(begin_upload(storage, "/file", WHOLE, request)).abandon())
    assert (bucket.open_uploads(), result(read_file(storage, "/file"))) == ([], b"old")


def test_two_appends_at_the_same_time_are_both_kept(bucket):
    storage, other = bucket.storage(), bucket.again().storage()
    result(create_file(storage, "/file", b"old"))
    request = WriteRequest(WriteMode.APPEND)
    one = result(begin_upload(storage, "/file", b" one", request))
    two = result(begin_upload(other, "/file", b" two", request))
    result(two.commit())
    result(one.commit())
    assert result(read_file(storage, "/file")) == b"old two one"


def test_parts_beyond_the_allowance_go_through_files(bucket):
    bucket.served.memory = MemoryAllowance(1000)
    result(create_file(bucket.storage(), "/large", WHOLE))
    assert result(read_file(bucket.storage(), "/large")) == WHOLE
    assert bucket.served.memory.take(1000)


def test_gates_read_an_upload_that_is_held_back(bucket):
    storage = bucket.storage()
    writing = result(begin_upload(storage, "/file", WHOLE, WriteRequest(held=True)))
    assert bucket.open_uploads() == []
    held = result(IHeldUpload(writing).open_held())
    assert held.size == len(WHOLE)
    assert result(held.read(PART - 1, 4)) != b""
    result(writing.commit())
    assert result(read_file(storage, "/file")) == WHOLE
    other = result(begin_upload(storage, "/other", WHOLE))
    with pytest.raises(NotSupported):
        result(IHeldUpload(other).open_held())
    IHeldUpload(other).keep_nothing()
    result(other.abandon())
    assert bucket.open_uploads() == bucket.hidden() == []


def test_an_interrupted_upload_that_is_held_back_is_kept_and_can_be_resumed(bucket):
    held = WriteRequest(held=True)
    bucket.served.memory = MemoryAllowance(PART + 1)  # the rest is in a file
    result(bucket.storage().make_directory(path_at("/d")))
    result(result(begin_upload(bucket.storage(), "/d/file", WHOLE[: 2 * PART], held)).abandon())
    result(bucket.storage().rename(path_at("/d"), path_at("/e")))
    storage = bucket.again().storage()
    assert result(partial_size(storage, "/e/file")) == 2 * PART
    for start, end, request in (
        (2 * PART, 2 * PART + 7, WriteRequest(offset=2 * PART, held=True)),
        (PART + 3, len(WHOLE), WriteRequest(offset=PART + 3, held=True)),
    ):
        writing = result(begin_upload(storage, "/e/file", WHOLE[start:end], request))
        assert result(IHeldUpload(writing).open_held()).size == end
        if end < len(WHOLE):
            result(writing.abandon())
    result(writing.commit())
    assert result(read_file(storage, "/e/file")) == WHOLE
    result(result(begin_upload(storage, "/other", WHOLE, held)).abandon())
    end = len(WHOLE)  # without gates
    result(create_file(storage, "/other", b"end", WriteRequest(offset=end)))
    assert result(read_file(storage, "/other")) == WHOLE + b"end"
    assert bucket.open_uploads() == bucket.hidden() == []


def test_without_conditions_nothing_is_created_by_chance(bucket):
    bucket.served.traits = ServerTraits(creates=False, replaces=False)
    storage = bucket.storage()
    with pytest.raises(NotSupported, match="cannot create without replacing"):
        result(begin_upload(storage, "/file", b"", WriteRequest(WriteMode.CREATE)))
    result(create_file(storage, "/file", b"x"))


def test_a_large_file_of_that_name_created_meanwhile_is_not_replaced(bucket):
    for traits in (ServerTraits(), ServerTraits(completes_conditionally=False)):
        bucket.served.traits = traits
        storage, name = bucket.storage(), f"/new{traits.completes_conditionally}"
        writing = result(begin_upload(storage, name, WHOLE, WriteRequest(WriteMode.CREATE)))
        bucket.write(name[1:], b"theirs")
        with pytest.raises(StorageError, match="already"):
            result(writing.commit())
        assert result(read_file(storage, name)) == b"theirs"


@pytest.mark.parametrize("size", [3 * PART + 1000, 3 * PART, 2 * PART + 10, 7 << 20])
def test_what_could_not_be_published_is_resumed_with_every_byte_once(bucket, monkeypatch, size):
    whole = WHOLE[:size]
    storage = bucket.storage()
    writing = result(begin_upload(storage, "/large", whole))
    with monkeypatch.context() as away:
        away.setattr(bucket.served.multiparts, "complete", fail)
        with pytest.raises(StorageError):
            result(writing.commit())
    again = bucket.again().storage()
    assert result(partial_size(again, "/large")) == size
    request = WriteRequest(offset=size)
    result(create_file(again, "/large", b"and more", request))
    assert result(read_file(again, "/large")) == whole + b"and more"
    assert bucket.open_uploads() == bucket.hidden() == []


def fail(*_args):
    raise S3Failure(403, "AccessDenied")


def test_old_partial_uploads_and_parts_of_killed_appends_are_swept(bucket):
    storage = bucket.storage()
    result(create_file(storage, "/file", b"old"))
    result(result(begin_upload(storage, "/half", WHOLE[: PART + 7])).abandon())
    other = bucket.again().storage()
    result(begin_upload(other, "/file", WHOLE, WriteRequest(WriteMode.APPEND)))  # killed
    result(begin_upload(storage, "/running", WHOLE))
    busy = {one.record_key for one in bucket.served.running.uploads}
    view = BucketView(bucket.served, "", ROOT)
    assert remove_abandoned(view, busy) == 0
    bucket.served.seconds = lambda: 4_000_000_000.0
    assert remove_abandoned(view, busy) == 2
    assert [key.rpartition("/")[2] for key in bucket.open_uploads()] == ["running"]
    assert result(IPartials(storage).all_partials())[0].path == ROOT.child("running")


def test_the_note_of_an_interrupted_upload_is_found_by_another_process(bucket):
    """Of one of which nothing arrived, too, until the file is replaced."""
    path, storage, other = ROOT.child("file"), bucket.storage(), bucket.again().storage()
    result(create_file(storage, "/file", b"old"))
    for data in (b"", b"half"):
        result(result(begin_upload(storage, "/file", data)).abandon())
        assert result(IInterruptedUploads(storage).annotate(path, "me"))
        kept = result(IInterruptedUploads(other).interrupted(path))
        assert (kept.size, kept.note, kept.is_active) == (len(data), "me", False)
        assert result(partial_size(other, "/file")) == (len(data) or None)
    assert result(IInterruptedUploads(bucket.storage("two")).interrupted(path)) is None
    result(create_file(other, "/file", b"new"))
    assert result(IInterruptedUploads(storage).interrupted(path)) is None


def test_no_note_is_kept_without_a_file_or_with_an_empty_note(bucket):
    path, uploads = ROOT.child("file"), IInterruptedUploads(bucket.storage())
    assert not result(uploads.annotate(path, "me"))
    result(create_file(bucket.storage(), "/file", b"old"))
    assert not result(uploads.annotate(path, ""))
    assert result(uploads.annotate(path, "me"))
    assert result(uploads.annotate(path, ""))
    assert result(uploads.interrupted(path)) is None
    assert bucket.hidden() == []


def test_the_sweep_leaves_what_is_under_way_and_removes_what_killed_processes_have_left(bucket):
    storage, view = bucket.storage(), BucketView(bucket.served, "", ROOT)
    result(create_file(storage, "/file", b"old"))
    append = result(begin_upload(storage, "/file", WHOLE, WriteRequest(WriteMode.APPEND)))
    both = [result(begin_upload(storage, "/large", WHOLE)) for _ in range(2)]
    for name in ("probe/x/object", "creations/y", "renames/z"):
        bucket.write(f".ftpservice/{name}")
    assert remove_abandoned(view, set()) == 0
    assert len(bucket.hidden()) == 4
    bucket.served.seconds = lambda: time.time() + 8 * 86_400
    assert remove_abandoned(view, {one.record_key for one in both}) == 0
    assert [key.rpartition("/")[2].split(".")[0] for key in bucket.hidden()] == ["large"]
    for one in (append, *both):
        result(one.commit())
    assert result(read_file(storage, "/file")) == b"old" + WHOLE


@pytest.mark.parametrize("old", [3, PART + 1])
@pytest.mark.parametrize("new", [3, 2 * PART + 5])
def test_an_append_keeps_metadata_but_for_the_time_that_a_client_has_set(bucket, old, new):
    storage, key = bucket.storage(), f"{bucket.options.prefix}file"
    bucket.served.bucket.write(key, BytesBody(WHOLE[:old]), {"owner": "ann", MTIME: "1234.5"})
    result(create_file(storage, "/file", WHOLE[:new], WriteRequest(WriteMode.APPEND)))
    assert bucket.served.bucket.head(key).metadata.get("owner") == "ann"
    assert result(storage.stat(path_at("/file"))).modified > 1e9


@pytest.mark.parametrize("size", [3, 2 * PART + 100])
def test_a_time_that_is_set_leaves_what_tells_programs_how_to_use_a_file(bucket, monkeypatch, size):
    monkeypatch.setattr(object_copy, "MAX_COPY_SIZE", PART + 100)
    key = f"{bucket.options.prefix}file"
    told = {"content-type": "text/css", "content-encoding": "gzip", "cache-control": "no-cache"}
    bucket.requests.send(S3Call("PUT", key, {}, told, BytesBody(WHOLE[:size])))
    result(ISetTimes(bucket.storage()).set_times(path_at("/file"), modified=1234.0))
    facts = bucket.served.bucket.head(key)
    assert (facts.content_headers, facts.metadata) == (told, {MTIME: "1234.000000"})
