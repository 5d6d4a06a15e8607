"""The client that callers hold: Deferreds outside, one line to one server inside.

Calls are carried out one after the other, in the order in which they are made. Each Deferred may
be cancelled: a call that has not begun is taken out of the queue; one that has ends, and leaves
the connection usable or closed. Whichever it is, the next call finds out and reconnects if
``Settings.retries`` lets it, to the same directory or not at all. A call that takes longer than its
``timeout``, in seconds from when it is made, is ended in the same way and fails with `Timeout`. All
fail with a `ClientError`, and with nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply
from ftpservice_client.api.call_timeout import with_timeout
from ftpservice_client.errors import ClientError
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.sources import Readable
from ftpservice_client.local.targets import Writable
from ftpservice_client.mirror.deletion import TreeRemoval
from ftpservice_client.mirror.local_tree import PathFilters
from ftpservice_client.mirror.mirror import Mirror, MirrorOptions
from ftpservice_client.mirror.progress import MirrorProgress
from ftpservice_client.results import Listing, MirrorResult, ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.jobs import FileTransfers, TransferOptions

__all__ = ["Client"]

T = TypeVar("T")


class Calls:
    """What all calls have in common."""

    _line: SessionQueue | SessionPool

    def _ask(
        self,
        work: Callable[[ClientSession], Awaitable[T]],
        timeout: float | None,
        *,
        again: bool = False,
    ) -> Deferred[T]:
        asked = Deferred.fromCoroutine(self._line.ask(work, again=again))
        return with_timeout(asked, timeout, self._line.reactor)


class NameCalls(Calls):
    """What is done to names."""

    @property
    def directory(self) -> str:
        """Where names are looked for that do not begin with ``/``."""
        return self._line.directory

    def list(self, path: str = "", *, timeout: float | None = None) -> Deferred[Listing]:
        """Return what a directory holds; one entry for a file. Raises `NotFound`, `Denied`."""
        return self._ask(lambda session: session.entries(path), timeout, again=True)

    def stat(self, name: str, *, timeout: float | None = None) -> Deferred[Entry]:
        """Return what is known of one name; raises `NotFound`, `Denied`.

        What the server does not tell is 0 or empty. The entry's name is the last component.
        """
        return self._ask(lambda session: session.stat(name), timeout, again=True)

    def hash(
        self, name: str, algorithm: str = "SHA-256", *, timeout: float | None = None
    ) -> Deferred[str]:
        """Return the digest of a file, in small hexadecimal; raises `Unsupported`."""
        return self._ask(lambda session: session.digest(name, algorithm), timeout, again=True)

    def delete(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Remove a file."""
        return self._ask(lambda session: session.delete(name), timeout)

    def rename(self, old: str, new: str, *, timeout: float | None = None) -> Deferred[None]:
        """Move a file or a directory; what is there under the new name may be replaced."""
        return self._ask(lambda session: session.rename(old, new), timeout)

    def make_directory(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Make a directory; raises `Exists`, where the server tells."""
        return self._ask(lambda session: session.make_directory(name), timeout)

    def remove_directory(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Remove an empty directory."""
        return self._ask(lambda session: session.remove_directory(name), timeout)

    def change_directory(self, path: str, *, timeout: float | None = None) -> Deferred[str]:
        """Go to a directory, ``..`` being the one above; returns where that is."""
        return self._ask(lambda session: session.change_directory(path), timeout)


class ServerCalls(Calls):
    """What is said to the server itself."""

    @property
    def lost(self) -> ClientError | None:
        """Why there is no connection where one was; the next call makes one, if it may."""
        return self._line.lost

    def features(self, *, timeout: float | None = None) -> Deferred[dict[str, str]]:
        """Return what the server says it can do: by word, in capitals, what stands behind it."""
        return self._ask(lambda session: session.features(), timeout, again=True)

    def send(self, line: str, *, timeout: float | None = None) -> Deferred[Reply]:
        """Send a command of your own, and return the reply, whatever it is; FTP only.

        Not for commands that transfer something, or change how things are transferred. Raises
        `Unsupported`, `InvalidArgument`.
        """
        return self._ask(lambda session: session.send(line), timeout)

    def quit(self) -> Deferred[None]:
        """Say goodbye and close, behind the calls that were made before; never fails."""
        return self._line.quit()

    def abort(self) -> None:
        """Break the connection at once: whatever is going on fails with `Cut`."""
        self._line.abort()


class Client(NameCalls, ServerCalls):
    """A session with a server, by whatever protocol; made by `connect`."""

    def __init__(self, line: SessionQueue | SessionPool, carriage: FileTransfers) -> None:
        self._line = line
        self._carriage = carriage

    def upload(  # noqa: PLR0913 - what may be wished for are keywords
        self,
        source: Readable,
        name: str,
        *,
        append: bool = False,
        resume: bool = False,
        verify: bool = False,
        keep_time: bool = False,
        progress: ProgressCallback | None = None,
        timeout: float | None = None,
    ) -> Deferred[TransferResult]:
        """Send a file: from a `Path`, bytes, a binary file (from where it stands) or a producer.

        ``append`` adds to the file that is there, ``resume`` to what an upload that was cut has
        left of it. ``verify`` compares digests afterwards, and raises `Unsupported` where the
        server has none. ``keep_time`` gives the file there the modification time of that here,
        where the server can do that: MFMT, MDTM with a time, SITE UTIME. Raises
        `VerificationFailed`, `Denied`, `NoSpace`, `LocalFileError`.
        """
        wishes = TransferOptions(append, resume, verify, progress, keep_time=keep_time)
        return with_timeout(
            self._carriage.upload(source, name, wishes), timeout, self._line.reactor
        )

    def download(  # noqa: PLR0913 - what may be wished for are keywords
        self,
        name: str,
        to: Writable = None,
        *,
        offset: int = 0,
        resume: bool = False,
        segments: int = 1,
        verify: bool = False,
        progress: ProgressCallback | None = None,
        timeout: float | None = None,
    ) -> Deferred[TransferResult]:
        """Receive a file: to a `Path`, a binary file, a consumer, else into `TransferResult.data`.

        A path is replaced when the file is whole; until then the bytes are in a hidden file
        beside it. If that is cut it goes away, unless ``resume``: then it stays, and the next
        download with ``resume`` goes on behind it. ``offset``: what comes before is left out.
        ``segments``: so many connections receive stretches of a large file to a path, where the
        server allows it; neither ``offset`` nor ``resume`` go with that.
        Raises `NotFound`, `VerificationFailed`, `LocalFileError`.
        """
        if segments > 1 and (offset or resume):
            raise ValueError("segments begin at the beginning")
        wishes = TransferOptions(False, resume, verify, progress, offset, segments)
        return with_timeout(self._carriage.download(name, to, wishes), timeout, self._line.reactor)

    def upload_tree(self, source: Path, path: str = "", **wishes: Any) -> Deferred[MirrorResult]:
        """Send a directory's files and directories into one on the server; see `mirror`."""
        return self.mirror(source, path, up=True, **wishes)

    def download_tree(self, path: str, to: Path, **wishes: Any) -> Deferred[MirrorResult]:
        """Receive all below a directory on the server into one here; see `mirror`."""
        return self.mirror(to, path, up=False, **wishes)

    def remove_tree(self, path: str, *, timeout: float | None = None) -> Deferred[MirrorResult]:
        """Remove a directory with all that is in it; a file or a link, by itself.

        Links are removed, and what they point at is not. A directory that cannot be listed in full
        stays, and so do those above it; the result tells.
        """
        return with_timeout(TreeRemoval(self._line, path).run(), timeout, self._line.reactor)

    def mirror(  # noqa: PLR0913 - what may be wished for are keywords
        self,
        local: Path,
        path: str,
        *,
        up: bool = False,
        delete: bool = False,
        dry_run: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        parallel: int = 1,
        progress: ProgressCallback | None = None,
        tally: MirrorProgress | None = None,
        timeout: float | None = None,
    ) -> Deferred[MirrorResult]:
        """Make one directory hold what another does: ``local`` what is at ``path``, or, ``up``, it.

        Files of the same size that are not older are left alone; files that are moved keep their
        modification time, where the server can set it. ``delete`` removes what is known
        to be gone from the other side: nothing in a directory that could not be listed in full,
        and nothing through a link. Patterns are those of shells, of names or, with a ``/``, of
        paths below the top; what is excluded is neither moved nor deleted. ``parallel`` is the
        number of connections. Links are not followed, and no name leads out of ``local``.
        ``progress`` is told of each file; ``tally`` knows how far all of them have come.
        """
        filters = PathFilters(tuple(include), tuple(exclude))
        wishes = MirrorOptions(up, delete, dry_run, filters, parallel, progress, tally)
        mirrored = Mirror(self._line, wishes, local, path).run()
        return with_timeout(mirrored, timeout, self._line.reactor)
