"""What calls return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.errors import MirrorIncomplete

FILE_ACTIONS = frozenset({"upload", "download", "delete", "skip"})
"""Steps that do something to files, or find that there is nothing to do."""

__all__ = ["Digest", "Listing", "MirrorResult", "MirrorStep", "ProgressCallback", "TransferResult"]

ProgressCallback = Callable[[int, "int | None"], object]
"""Called with the bytes of the file that are there so far, and in all if that is known."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What both sides found a file to be."""

    algorithm: str
    """``SHA-256`` and the like."""
    value: str
    """Hexadecimal, in small letters."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """A complete transfer."""

    name: str
    """The file on the server."""
    size: int
    """Bytes that were moved; fewer than the file has if it was resumed."""
    seconds: float
    """From the call to the end, in the reactor's time."""
    digest: Digest | None = None
    """Set where it was verified."""
    data: bytes | None = field(default=None, repr=False)
    """The file, of a download to nowhere."""
    note: str = ""
    """What else there is to know: that the file grew while it was received."""
    has_kept_time: bool = False
    """Whether an upload with ``keep_time`` has the modification time of the file here."""

    @property
    def rate(self) -> float:
        """Bytes per second; 0 where no time passed."""
        return self.size / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a directory as the server listed them, without invalid names."""

    entries: tuple[Entry, ...]
    unsafe: tuple[str, ...] = ()
    """Names that the server gave and no file can have, such as ``../x``; not among the entries."""
    unparsed: tuple[str, ...] = ()
    """Lines that could not be understood, the first hundred; what they tell is not known."""
    shows_hidden: bool = True
    """Whether names that begin with ``.`` are in it too; LIST leaves them out on many servers."""
    unique: str = ""
    """The ``unique`` fact of the directory itself, empty if unknown."""

    @property
    def is_complete(self) -> bool:
        """Whether the listing was understood completely; otherwise no entry counts as missing."""
        return not self.unparsed and not self.unsafe

    @property
    def total(self) -> int:
        """Bytes of the files in it; of directories below it, none."""
        return sum(entry.size for entry in self.entries if entry.kind is Kind.FILE)


@dataclass(frozen=True, slots=True)
class MirrorStep:
    """One thing that a mirror does, or would do."""

    action: str
    """``make``, ``upload``, ``download``, ``delete`` or ``skip`` (the file is the same already);
    ``leave`` for a link and whatever else is neither file nor directory, which is not moved;
    ``keep`` for what is not deleted because it is not known to be gone from the other side; and,
    among what failed, ``list`` for a directory that could not be listed, or not in full.
    """
    name: str
    """Relative to the tree's top, ``/`` between."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """What a recursive transfer did; in a dry run, what it would have done."""

    steps: tuple[MirrorStep, ...]
    failed: tuple[tuple[MirrorStep, Exception], ...] = ()
    """What could not be done, and why; the rest was."""

    def raise_if_failed(self) -> None:
        """Raise `MirrorIncomplete` if anything could not be done."""
        if self.failed:
            step, error = self.failed[0]
            count, all_ = len(self.failed), len(self.failed) + len(self.steps)
            text = f"{count} of {all_} steps failed; the first: {step.action} {step.name}"
            raise MirrorIncomplete(f"{text.rstrip()}: {error}", self) from error

    @property
    def has_only_failures(self) -> bool:
        """Whether something failed, and nothing was moved, deleted or found to be the same."""
        tried = {step.action for step, _ in self.failed}
        done = {step.action for step in self.steps if step.name}
        useful = FILE_ACTIONS if tried & FILE_ACTIONS else FILE_ACTIONS | {"make"}
        return bool(tried & (FILE_ACTIONS | {"make"})) and not done & useful

    @property
    def size(self) -> int:
        """Bytes of the files that were moved."""
        return sum(step.size for step in self.steps if step.action in ("upload", "download"))
