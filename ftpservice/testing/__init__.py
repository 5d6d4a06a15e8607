"""For tests: the contract that every storage keeps, a storage in memory, a pool without threads."""

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.testing.storage_contract import StorageContract

__all__ = [
    "InlineRunner",
    "MemoryStorage",
    "StorageContract",
]
