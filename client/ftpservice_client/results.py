"""The results of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.errors import MirrorIncomplete

FILE_ACTIONS = frozenset({"upload", "download", "delete", "skip"})
"""Actions of mirror steps that concern files."""

__all__ = ["Digest", "Listing", "MirrorResult", "MirrorStep", "ProgressCallback", "TransferResult"]

ProgressCallback = Callable[[int, "int | None"], object]
"""Called with the bytes transferred so far and the size of the file, None if unknown."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of a file, equal on both sides."""

    algorithm: str
    """Its name, for example ``SHA-256``."""
    value: str
    """Lower-case hexadecimal."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """A complete transfer."""

    name: str
    """The file on the server."""
    size: int
    """Bytes transferred; less than the size of the file if an earlier transfer was resumed."""
    seconds: float
    """Duration of the call."""
    digest: Digest | None = None
    """Set if the transfer was verified."""
    data: bytes | None = field(default=None, repr=False)
    """The content, of a download without a target."""
    note: str = ""
    """A remark, for example that the file grew during the download; empty: none."""
    has_kept_time: bool = False
    """Whether an upload with ``keep_time`` has set the modification time on the server."""

    @property
    def rate(self) -> float:
        """Bytes per second; 0 if no time passed."""
        return self.size / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory as the server listed them, without invalid names."""

    entries: tuple[Entry, ...]
    unsafe: tuple[str, ...] = ()
    """Names in the listing that no file can have, such as ``../x``; not among the entries."""
    unparsed: tuple[str, ...] = ()
    """The first hundred lines that could not be parsed."""
    shows_hidden: bool = True
    """Whether names that begin with ``.`` are included; LIST omits them on many servers."""
    unique: str = ""
    """The ``unique`` fact of the directory itself, empty if unknown."""

    @property
    def is_complete(self) -> bool:
        """Whether all lines were parsed; otherwise an absent entry may exist nevertheless."""
        return not self.unparsed and not self.unsafe

    @property
    def total(self) -> int:
        """Bytes of all files in the directory, without subdirectories."""
        return sum(entry.size for entry in self.entries if entry.kind is Kind.FILE)


@dataclass(frozen=True, slots=True)
class MirrorStep:
    """One step of a mirror."""

    action: str
    """``make``, ``upload``, ``download``, ``delete`` or ``skip`` (the file is up to date);
    ``leave`` for a link or anything else that is neither a file nor a directory: it is not copied;
    ``keep`` for a name that is not deleted because it may exist on the other side; among the failed
    steps also ``list`` for a directory that could not be listed, or not in full.
    """
    name: str
    """Path relative to the top of the tree, with ``/`` as separator."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """The steps of a recursive transfer; of a dry run, the steps that it would have done."""

    steps: tuple[MirrorStep, ...]
    failed: tuple[tuple[MirrorStep, Exception], ...] = ()
    """The steps that failed, with their errors."""

    def raise_if_failed(self) -> None:
        """Raise `MirrorIncomplete` if any step failed."""
        if self.failed:
            step, error = self.failed[0]
            count, all_ = len(self.failed), len(self.failed) + len(self.steps)
            text = f"{count} of {all_} steps failed; the first: {step.action} {step.name}"
            raise MirrorIncomplete(f"{text.rstrip()}: {error}", self) from error

    @property
    def has_only_failures(self) -> bool:
        """Whether steps failed and none copied, deleted or skipped a file."""
        tried = {step.action for step, _ in self.failed}
        done = {step.action for step in self.steps if step.name}
        useful = FILE_ACTIONS if tried & FILE_ACTIONS else FILE_ACTIONS | {"make"}
        return bool(tried & (FILE_ACTIONS | {"make"})) and not done & useful

    @property
    def size(self) -> int:
        """Bytes of the files that were copied."""
        return sum(step.size for step in self.steps if step.action in ("upload", "download"))
