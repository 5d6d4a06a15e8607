"""For tests: the contract that every storage keeps, and an FTP service with files in memory.

`StorageContract` is described in ``docs/storage-authors.md``, `LoopbackService` in
``docs/developers.md``. This door imports Twisted's FTP module, and so the reactor: a program that
uses another reactor than the default one installs it first.
"""

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.testing.service import LoopbackService
from ftpservice.testing.storage_contract import StorageContract

__all__ = [
    "InlineRunner",
    "LoopbackService",
    "MemoryStorage",
    "MemoryTree",
    "StorageContract",
]
