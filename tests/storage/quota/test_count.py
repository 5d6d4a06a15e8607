"""Counting a tree by its listings, for storages that do not count by themselves."""

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.storage.quota.count import count_tree
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.testing.contract.case import begin_upload, create_file, path_at
from tests.support.random_changes import run


class Plain:
    """A storage in memory that does not count."""

    def __init__(self, inner):
        self.inner = inner
        self.open_listing = inner.open_listing

    def __conform__(self, interface):
        return None if interface is ITreeUsage else interface(self.inner, None)


def test_listings_and_partial_uploads_are_counted():
    storage = MemoryStorage()
    run(storage.make_directory(path_at("/d")))
    run(create_file(storage, "/a", b"12345"))
    run(create_file(storage, "/d/b", b"123"))
    run(run(begin_upload(storage, "/d/c", b"12")).abandon())
    writing = run(begin_upload(storage, "/e", b"1"))
    for one in (storage, Plain(storage)):
        assert run(count_tree(one, path_at("/"))) == TreeUsage(10, 4, 1)
        assert run(count_tree(one, path_at("/d"))) == TreeUsage(5, 2, 1)
    run(writing.abandon())
