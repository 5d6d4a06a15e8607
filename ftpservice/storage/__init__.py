"""The storage contract, for authors of storages: interfaces, errors, entries, paths, thread pools.

A storage implements `IStorage` and those of the optional interfaces that it can keep; it raises the
errors below and no others. `IStorageSourceFactory` makes it known as a string for ``--root``.
`ftpservice.testing.StorageContract` tests it. Guide: ``docs/storage-authors.md``.
"""

from ftpservice.concurrency.overflow_pool import OverflowPool
from ftpservice.concurrency.thread_pool import (
    BlockingPool,
    BlockingRunner,
    PoolOverloaded,
    PoolStopped,
    run_unattended,
)
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import (
    BadOffset,
    BeingUploaded,
    Busy,
    Denied,
    Exists,
    FilesystemUnsupported,
    HasUploads,
    InvalidName,
    IsDirectory,
    IsLink,
    MountPoint,
    NoSpace,
    NotDirectory,
    NotEmpty,
    NotSupported,
    OtherFilesystem,
    PathNotFound,
    QuotaExceeded,
    StorageError,
    Unavailable,
)
from ftpservice.storage.filesystem_interfaces import IAccess, IEnter, ILinks
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IDescriptor,
    IFreeSpace,
    IHashes,
    IListing,
    IPartials,
    IReading,
    IRetractableWriting,
    ISendfileSource,
    ISetMode,
    ISetTimes,
    ISpliceTarget,
    IStorage,
    IStorageSource,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.partial_upload import PartialUpload
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.storage.source_strings import (
    IStorageSourceFactory,
    parse_options,
    parse_switch,
    split_fields,
)
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath
from ftpservice.wire.units import parse_duration, parse_size

__all__ = [
    "PRESETS",
    "ROOT",
    "BadOffset",
    "BeingUploaded",
    "BlockingPool",
    "BlockingRunner",
    "Busy",
    "Denied",
    "Entry",
    "Exists",
    "FilesystemUnsupported",
    "HasUploads",
    "IAccess",
    "IBatchCommit",
    "IDescriptor",
    "IEnter",
    "IFreeSpace",
    "IHashes",
    "ILinks",
    "IListing",
    "IPartials",
    "IReading",
    "IRetractableWriting",
    "ISendfileSource",
    "ISetMode",
    "ISetTimes",
    "ISpliceTarget",
    "IStorage",
    "IStorageSource",
    "IStorageSourceFactory",
    "IWriting",
    "InvalidName",
    "IsDirectory",
    "IsLink",
    "Kind",
    "MountPoint",
    "NoSpace",
    "NotDirectory",
    "NotEmpty",
    "NotSupported",
    "OtherFilesystem",
    "OverflowPool",
    "PartialUpload",
    "PathNotFound",
    "PoolOverloaded",
    "PoolStopped",
    "QuotaExceeded",
    "RestrictedStorage",
    "Right",
    "StorageError",
    "Unavailable",
    "VirtualPath",
    "WriteMode",
    "WriteRequest",
    "in_pool",
    "parse_duration",
    "parse_options",
    "parse_size",
    "parse_switch",
    "run_unattended",
    "split_fields",
]
