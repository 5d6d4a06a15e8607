"""What every storage must do, as a test that anybody's storage can run.

A storage author mixes `StorageContract` into a test case and says how to get a fresh storage::

    class MyStorageTests(StorageContract, SynchronousTestCase):
        def storage(self):
            return MyStorage(...)

``SynchronousTestCase`` suits a storage that answers at once; one that answers later (threads, a
network) uses ``twisted.trial.unittest.TestCase`` under trial. Where something else runs the
reactor (pytest-twisted), override ``finish`` to wait with that: ``return blockon(test)``.

- ``storage()`` returns an empty `IStorage` (or an awaitable of one), each time a new one; use
  ``addCleanup`` to take it down.
- ``other_owner_storage()`` may return another owner's view of the files that ``storage()`` gave
  last, and ``small_storage(capacity)`` a storage that is soon full; without them what concerns
  several owners or a full disk is not tested.
- ``check_all_closed()`` may fail a test after which a descriptor, thread or port is still there.

Optional capabilities (``IHashes``, ``IPartials`` …) are tested where the storage offers them, ways
of writing where it does not raise `Unsupported`.
"""

from __future__ import annotations

from ftpservice.testing.contract.capabilities import (
    AttributeContract,
    HashContract,
    PartialContract,
)
from ftpservice.testing.contract.directories import DirectoryContract, RenameContract
from ftpservice.testing.contract.files import (
    AppendContract,
    ReadingContract,
    UniqueContract,
    WritingContract,
)
from ftpservice.testing.contract.interruptions import (
    AbortedUploadContract,
    FullContract,
    OwnerContract,
    ResumeContract,
)
from ftpservice.testing.contract.partial_uploads import (
    ActiveUploadContract,
    FullRecoveryContract,
    InterruptedUploadContract,
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
    UniqueContract,
    AbortedUploadContract,
    ResumeContract,
    OwnerContract,
    FullContract,
    HashContract,
    AttributeContract,
    PartialContract,
    InterruptedUploadContract,
    ActiveUploadContract,
    FullRecoveryContract,
):
    """The whole contract; see the module's docstring for its hooks.

    Test names must differ between the parts, or one would hide the other: a test holds that.
    """
