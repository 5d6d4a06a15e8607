"""What all storages of one bucket share, and the part of it that one owner sees."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from time import time
from typing import Any, TypeVar, TypeVarTuple

from ftpservice.backends.s3.api.bucket import Bucket
from ftpservice.backends.s3.api.bucket_string import BucketOptions
from ftpservice.backends.s3.api.multiparts import Multiparts
from ftpservice.backends.s3.api.prompt_requests import PromptRequests
from ftpservice.backends.s3.api.signed_requests import SignedRequests
from ftpservice.backends.s3.tree.bucket_calls import in_bucket
from ftpservice.backends.s3.tree.keys import KeySpace
from ftpservice.backends.s3.tree.known_directories import KnownDirectories
from ftpservice.backends.s3.tree.part_buffer import MemoryAllowance, PartBuffer
from ftpservice.backends.s3.tree.reading_rates import ReadingRates
from ftpservice.backends.s3.tree.record_index import RecordIndex
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.trash import FreedSpace, TrashOrder, TrashRule
from ftpservice.wire.paths import VirtualPath

__all__ = ["BucketView", "RunningUploads", "ServedBucket", "ServerTraits"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class ServerTraits:
    """What a server can do, as far as servers differ; found out by trying."""

    creates: bool = True
    """Whether it creates an object only if there is none (``If-None-Match``)."""
    completes_conditionally: bool = True
    """The same at the end of a multipart upload."""
    replaces: bool = True
    """Whether it replaces only a given version of an object (``If-Match``)."""
    deletes_conditionally: bool = False
    """Whether it deletes only a given version of an object."""
    dates_directories: bool = True
    """Whether it keeps the metadata of markers of directories."""
    refused: frozenset[str] = frozenset()
    """Characters that it does not keep in names."""


class RunningUploads:
    """The uploads of this process that are under way; for the reactor thread only."""

    def __init__(self) -> None:
        self.uploads: set[Any] = set()
        """`S3Upload` objects."""
        self.appends: set[Any] = set()
        """`S3Append` objects."""

    def of(self, owner: str, key: str) -> Any:
        """Return an upload that another one would resume; None without one."""
        found = (one for one in self.uploads if one.owner == owner and one.key == key)
        return next(found, None)

    def below(self, prefix: str) -> list[Any]:
        """Return the uploads into a directory, or below it."""
        return [one for one in self.uploads if one.key.startswith(prefix)]

    def upload_ids(self) -> set[str]:
        """Return the ids of their multipart uploads; for any thread."""
        uploads = {one.parted.upload_id for one in tuple(self.uploads)}
        return (uploads | {one.upload_id for one in tuple(self.appends)}) - {""}

    def taken_keys(self) -> set[str]:
        """Return the keys that uploads will be published as."""
        return {one.key for one in self.uploads}


@dataclass
class ServedBucket:
    """One bucket, with what is known about it in this process."""

    options: BucketOptions
    requests: SignedRequests
    runner: BlockingRunner
    """For calls of the server."""
    seconds: Callable[[], float] = time
    traits: ServerTraits = ServerTraits()
    directories: KnownDirectories = field(default_factory=KnownDirectories)
    running: RunningUploads = field(default_factory=RunningUploads)
    record_index: RecordIndex = field(default_factory=RecordIndex)
    rates: ReadingRates = field(default_factory=ReadingRates)
    trash_orders: OrderedDict[tuple[str, str], TrashOrder] = field(default_factory=OrderedDict)
    """The oldest files of the trash of accounts that have needed room, by `BucketView.trash_name`;
    changed in the reactor thread only."""
    sending: BlockingRunner | None = None
    """For what is sent under TLS; None for the runner of the calls."""
    prompt: PromptRequests | None = None
    """For small requests without a thread; None if all have one."""

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.requests)
        self.multiparts = Multiparts(self.requests, self.bucket)
        self.memory = MemoryAllowance(self.options.memory)

    def server_seconds(self) -> float:
        """Return the time of the server, by which objects are dated."""
        return self.seconds() + self.requests.server_ahead

    @property
    def sending_runner(self) -> BlockingRunner:
        """For what must not wait for calls of the server."""
        return self.sending or self.runner

    def new_buffer(self) -> PartBuffer:
        """Return an empty buffer for a part."""
        return PartBuffer(self.memory, self.options.spool)


@dataclass(frozen=True)
class BucketView:
    """A bucket as ``owner`` sees it, whose root is ``top``."""

    served: ServedBucket
    owner: str
    top: VirtualPath
    rule: TrashRule | None = None
    """How long what is deleted and overwritten is kept; None if it is not."""
    freed: FreedSpace = field(default_factory=FreedSpace)
    """What was removed to make room for other versions."""

    @property
    def bucket(self) -> Bucket:
        """The objects."""
        return self.served.bucket

    @cached_property
    def keys(self) -> KeySpace:
        """The keys of paths, by what is known of the server at the first use."""
        served = self.served
        keeps = self.rule is not None
        return KeySpace(served.options.prefix, self.top, served.traits.refused, keeps)

    @property
    def trash_name(self) -> tuple[str, str]:
        """What tells the trash of this owner and root from others."""
        return self.owner, self.keys.directory(VirtualPath())

    def path_of(self, key: str) -> VirtualPath:
        """Return the path of a key below the root."""
        names = key[len(self.keys.directory(VirtualPath())) :].split("/")
        return VirtualPath(tuple(names))

    async def in_thread(self, path: VirtualPath, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call ``function`` in a thread; raises only `StorageError`."""
        return await in_bucket(self.served.runner, path, function, *args)
