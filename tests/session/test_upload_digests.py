import hashlib

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.session.upload_digests import MAX_REMEMBERED_DIGESTS, UploadDigests
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath
from tests.support.memory_transport import outcome, start

PATH = VirtualPath.parse("/a")
SHA = hashlib.sha256(b"hello").hexdigest()


def done(coroutine):
    return outcome(start(coroutine))


def upload(digests, storage, how=WriteMode.REPLACE, offset=0, path=PATH):
    """Upload "hello" and return its digests, and the facts."""
    inner = done(storage.open_writing(path, WriteRequest(how, offset)))
    writing = digests.hashing_writer_for(inner, how)
    done(writing.write(b"hello"))
    entry = done(writing.commit())
    return digests.upload_committed("ann", writing, entry), entry


def known(digests, storage, owner="ann", path=PATH, algorithm="SHA-256"):
    return digests.find(owner, path, done(storage.stat(path)), algorithm)


def made():
    return UploadDigests("SHA-256", InlineRunner()), MemoryStorage()


def test_the_digest_of_an_upload_is_kept():
    digests, storage = made()
    assert upload(digests, storage)[0] == f"SHA-256:{SHA}"
    assert known(digests, storage) == SHA


def test_the_digest_is_for_its_owner_path_and_algorithm():
    digests, storage = made()
    upload(digests, storage)
    assert known(digests, storage, owner="bob") is None
    assert known(digests, storage, algorithm="MD5") is None
    done(storage.rename(PATH, VirtualPath.parse("/b")))
    assert known(digests, storage, path=VirtualPath.parse("/b")) is None


def test_a_changed_file_has_no_digest():
    digests, storage = made()
    entry = upload(digests, storage)[1]
    for changed in (
        entry._replace(size=6),
        entry._replace(modified=entry.modified + 1e-6),
        entry._replace(changed=entry.changed + 1),
        entry._replace(unique="other"),
        entry._replace(unique=""),
    ):
        assert digests.find("ann", PATH, changed, "SHA-256") is None


def test_a_new_file_with_the_same_number_drops_the_digest():
    """The filesystem may have given it the number, and the clock the time, of the former one."""
    digests, storage = made()
    entry = upload(digests, storage)[1]
    done(storage.remove_file(PATH))
    inner = done(storage.open_writing(PATH, WriteRequest()))
    assert digests.upload_committed("bob", inner, entry) == ""
    assert digests.find("ann", PATH, entry, "SHA-256") is None


def test_only_complete_new_files_have_a_digest():
    digests, storage = made()
    upload(digests, storage)
    assert upload(digests, storage, WriteMode.APPEND)[0] == ""
    assert known(digests, storage) is None
    assert upload(digests, storage, offset=2)[0] == ""
    assert known(digests, storage) is None
    assert upload(digests, storage, WriteMode.UNIQUE)[0] == f"SHA-256:{SHA}"


def test_without_an_algorithm_there_is_no_digest():
    digests, storage = UploadDigests(), MemoryStorage()
    assert upload(digests, storage)[0] == ""
    assert known(digests, storage) is None
    assert done(digests.stop()) is None


def test_the_digest_of_a_file_without_a_number_is_not_kept():
    digests, storage = made()
    writing = digests.hashing_writer_for(
        done(storage.open_writing(PATH, WriteRequest())), WriteMode.REPLACE
    )
    done(writing.write(b"hello"))
    entry = done(writing.commit())._replace(unique="")
    assert digests.upload_committed("ann", writing, entry) == f"SHA-256:{SHA}"
    assert digests.find("ann", PATH, entry, "SHA-256") is None


def test_the_oldest_digests_are_dropped():
    digests, storage = made()
    for number in range(MAX_REMEMBERED_DIGESTS + 1):
        upload(digests, storage, path=VirtualPath((str(number),)))
    assert known(digests, storage, path=VirtualPath(("0",))) is None
    assert known(digests, storage, path=VirtualPath(("1",))) == SHA


def test_stopping_stops_the_pool():
    digests, _storage = made()
    assert done(digests.stop()) is None
