"""The storage contract as tests that any storage can run.

A storage author mixes `StorageContract` into a test case and defines how to get a fresh storage::

    class MyStorageTests(StorageContract, SynchronousTestCase):
        def storage(self):
            return MyStorage(...)

``SynchronousTestCase`` suits a storage that answers at once. One that answers later (threads, a
network) uses ``twisted.trial.unittest.TestCase`` under trial. If something else runs the reactor
(pytest-twisted), override ``finish`` to wait with that: ``return blockon(test)``.

- ``storage()`` returns an empty `IStorage` (or an awaitable of one), a new one each time; use
  ``addCleanup`` to release it.
- ``other_owner_storage()`` may return another owner's view of the files that ``storage()`` returned
  last, and ``small_storage(capacity)`` a storage that is soon full. Without them, tests that need
  several owners or a full disk are skipped.
- ``make_link(name, target)`` may make a symbolic link, for the tests of `ILinks` and
  `IWithoutLinks`.
- ``check_all_closed()`` may fail a test after which a descriptor, thread or port is still open.

Optional interfaces (``IHashes``, ``IPartials`` …) are tested if the storage offers them, modes of
writing if it does not raise `NotSupported`.
"""

from __future__ import annotations

from ftpservice.testing.contract.capabilities import (
    AttributeContract,
    HashContract,
    PartialContract,
    RemovalContract,
)
from ftpservice.testing.contract.directories import DirectoryContract, RenameContract
from ftpservice.testing.contract.files import (
    AppendContract,
    ReadingContract,
    UniqueNameContract,
    WritingContract,
)
from ftpservice.testing.contract.interruptions import (
    AbortedUploadContract,
    FullStorageContract,
    ResumeContract,
    SeveralOwnersContract,
)
from ftpservice.testing.contract.kept_files import TrashContract
from ftpservice.testing.contract.links import LinkContract
from ftpservice.testing.contract.partial_uploads import (
    ActiveUploadContract,
    InterruptedNoteContract,
    InterruptedUploadContract,
    SpaceRecoveryContract,
)
from ftpservice.testing.contract.stat_and_list import ListingContract, StatContract

__all__ = ["StorageContract"]


class StorageContract(
    StatContract,
    ListingContract,
    DirectoryContract,
    RenameContract,
    ReadingContract,
    WritingContract,
    AppendContract,
    UniqueNameContract,
    AbortedUploadContract,
    ResumeContract,
    SeveralOwnersContract,
    FullStorageContract,
    HashContract,
    AttributeContract,
    LinkContract,
    PartialContract,
    RemovalContract,
    TrashContract,
    InterruptedUploadContract,
    InterruptedNoteContract,
    ActiveUploadContract,
    SpaceRecoveryContract,
):
    """The whole contract, as tests to mix into a test case of trial.

    ``storage()`` has to be defined: it returns a fresh, empty `IStorage`. These may be defined, and
    their docstrings say what they return: ``other_owner_storage()``, ``small_storage(capacity)``
    (in bytes), ``make_link(name, target)``, ``check_all_closed()`` and ``finish(test)``.
    """
