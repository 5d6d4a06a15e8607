"""The client: each call returns a Deferred.

Calls are carried out one after the other, in the order in which they are made. Each Deferred may be
cancelled. A call that has not started is then removed from the queue; a call that has started
ends, and the connection stays usable or is closed. In either case the next call reconnects if
necessary and if `Settings.retries` allows it, and returns to the same directory. A call that takes
longer than its ``timeout`` (in seconds, from when it is made) ends in the same way and fails with
`Timeout`. Every failure is a `ClientError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail

from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply
from ftpservice_client.api.call_timeout import with_timeout
from ftpservice_client.errors import ClientError
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.sources import Readable
from ftpservice_client.local.targets import Writable, target_for
from ftpservice_client.mirror.deletion import TreeRemoval
from ftpservice_client.mirror.local_tree import PathFilters
from ftpservice_client.mirror.mirror import DEFAULT_PARALLEL, Mirror, MirrorOptions
from ftpservice_client.mirror.progress import MirrorProgress
from ftpservice_client.results import Listing, MirrorResult, ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.download import ResumableDownload
from ftpservice_client.transfers.segments import SegmentedDownload
from ftpservice_client.transfers.upload import ResumableUpload

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """A session with a server, or a pool of sessions, over any of the protocols; see `connect`."""

    def __init__(self, sessions: SessionQueue | SessionPool) -> None:
        self._sessions = sessions

    def _call(
        self,
        work: Callable[[ClientSession], Awaitable[T]],
        timeout: float | None,
        *,
        repeatable: bool = False,
    ) -> Deferred[T]:
        """Run ``work`` with a session; ``repeatable``: again after a lost connection."""
        called = Deferred.fromCoroutine(self._sessions.run(work, repeatable=repeatable))
        return with_timeout(called, timeout, self._sessions.reactor)

    # Files and directories on the server

    @property
    def directory(self) -> str:
        """The current directory: names without a leading ``/`` are relative to it."""
        return self._sessions.directory

    def list(self, path: str = "", *, timeout: float | None = None) -> Deferred[Listing]:
        """Return the entries of a directory, or one entry for a file.

        Raises `NotFound`, `AccessDenied`.
        """
        return self._call(lambda session: session.entries(path), timeout, repeatable=True)

    def stat(self, name: str, *, timeout: float | None = None) -> Deferred[Entry]:
        """Return the facts of one name; raises `NotFound`, `AccessDenied`.

        Facts that the server does not send are 0 or empty. `Entry.name` is the last component.
        """
        return self._call(lambda session: session.stat(name), timeout, repeatable=True)

    def hash(
        self, name: str, algorithm: str = "SHA-256", *, timeout: float | None = None
    ) -> Deferred[str]:
        """Return the digest of a file in lower-case hexadecimal; raises `Unsupported`."""
        return self._call(lambda session: session.digest(name, algorithm), timeout, repeatable=True)

    def delete(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Delete a file."""
        return self._call(lambda session: session.delete(name), timeout)

    def rename(self, old: str, new: str, *, timeout: float | None = None) -> Deferred[None]:
        """Rename a file or a directory; the server may replace a file of the new name."""
        return self._call(lambda session: session.rename(old, new), timeout)

    def make_directory(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Create a directory; raises `AlreadyExists` if the server reports it."""
        return self._call(lambda session: session.make_directory(name), timeout)

    def remove_directory(self, name: str, *, timeout: float | None = None) -> Deferred[None]:
        """Remove an empty directory."""
        return self._call(lambda session: session.remove_directory(name), timeout)

    def change_directory(self, path: str, *, timeout: float | None = None) -> Deferred[str]:
        """Change the current directory, ``..`` to its parent; return the new one."""
        return self._call(lambda session: session.change_directory(path), timeout)

    # The connection

    @property
    def lost(self) -> ClientError | None:
        """Why the connection was lost, if it was; the next call reconnects if that is allowed."""
        return self._sessions.lost

    def features(self, *, timeout: float | None = None) -> Deferred[dict[str, str]]:
        """Return the server's reply to FEAT: the parameters of each feature, by its name."""
        return self._call(lambda session: session.features(), timeout, repeatable=True)

    def send(self, line: str, *, timeout: float | None = None) -> Deferred[Reply]:
        """Send a command of your own and return its reply, also a refusal; FTP only.

        Not for commands that transfer data or change how data is transferred. Raises
        `Unsupported`, `InvalidArgument`.
        """
        return self._call(lambda session: session.send(line), timeout)

    def quit(self) -> Deferred[None]:
        """Send QUIT and close the connection, after all earlier calls; never fails."""
        return self._sessions.quit()

    def abort(self) -> None:
        """Close the connection at once; the calls under way fail with `NetworkError`."""
        self._sessions.abort()

    # Transfers

    def upload(  # noqa: PLR0913 - options are keywords
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
        """Upload a file.

        ``source`` is a `Path`, bytes, a binary file (from its position) or a producer. ``append``
        adds to an existing file, ``resume`` continues an interrupted upload. ``verify`` compares
        digests afterwards, and raises `Unsupported` if the server computes none. ``keep_time`` sets
        the modification time of the local file on the server, if it can: MFMT, MDTM with a time,
        SITE UTIME. Raises `VerificationFailed`, `AccessDenied`, `StorageFull`, `LocalFileError`.
        """
        upload = ResumableUpload(
            self._sessions,
            source,
            name,
            append=append,
            resume=resume,
            verify=verify,
            keep_time=keep_time,
            progress=progress,
        )
        uploaded = Deferred.fromCoroutine(upload.run())
        return with_timeout(uploaded, timeout, self._sessions.reactor)

    def download(  # noqa: PLR0913 - options are keywords
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
        """Download a file to a `Path`, a binary file or a consumer, else to `TransferResult.data`.

        A path is replaced when the file is complete; until then the bytes are in a hidden file next
        to it. An interrupted download removes that file, unless ``resume`` is set: then the next
        download with ``resume`` continues it. ``offset`` skips the bytes before it. ``segments``
        is the number of connections that download parts of a large file to a path in parallel, if
        the server allows it; it cannot be combined with ``offset`` or ``resume``.
        Raises `NotFound`, `VerificationFailed`, `LocalFileError`.
        """
        if segments > 1 and (offset or resume):
            raise ValueError("segments cannot be combined with offset or resume")
        sessions = self._sessions
        if segments > 1 and isinstance(to, Path):
            large = SegmentedDownload(sessions, name, to, verify=verify, progress=progress)
            downloaded = Deferred.fromCoroutine(large.run(segments))
        else:
            try:
                limit = sessions.settings.memory_limit
                target = target_for(sessions.pool, to, resume=resume, limit=limit)
            except TypeError:
                return fail()
            download = ResumableDownload(
                sessions, name, target, offset=offset, verify=verify, progress=progress
            )
            downloaded = Deferred.fromCoroutine(download.run())
        if timeout is None:
            return downloaded
        return with_timeout(downloaded, timeout, sessions.reactor)

    # Directory trees

    def upload_tree(self, source: Path, path: str = "", **options: Any) -> Deferred[MirrorResult]:
        """Upload the content of a local directory; for the options see `mirror`."""
        return self.mirror(source, path, up=True, **options)

    def download_tree(self, path: str, to: Path, **options: Any) -> Deferred[MirrorResult]:
        """Download the content of a directory to a local one; for the options see `mirror`."""
        return self.mirror(to, path, up=False, **options)

    def remove_tree(self, path: str, *, timeout: float | None = None) -> Deferred[MirrorResult]:
        """Remove a directory with its content; a file or a link is removed by itself.

        Links are removed and never followed. A directory that cannot be listed in full stays, and
        so do the directories above it; the result names them.
        """
        removed = TreeRemoval(self._sessions, path).run()
        return with_timeout(removed, timeout, self._sessions.reactor)

    def mirror(  # noqa: PLR0913 - options are keywords
        self,
        local: Path,
        path: str,
        *,
        up: bool = False,
        delete: bool = False,
        dry_run: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        parallel: int = DEFAULT_PARALLEL,
        progress: ProgressCallback | None = None,
        mirror_progress: MirrorProgress | None = None,
        timeout: float | None = None,
    ) -> Deferred[MirrorResult]:
        """Copy the content of ``path`` to ``local``, or, with ``up``, of ``local`` to ``path``.

        Files of equal size that are not older are skipped. Copied files keep their modification
        time if the server can set it. ``delete`` removes what does not exist on the other side, but
        nothing in a directory that could not be listed in full, and nothing through a link.
        Patterns are shell patterns for names or, with a ``/``, for paths below the top; excluded
        files are neither copied nor deleted. ``parallel`` is the number of connections; if the
        server refuses some of them, fewer are used. Links are not followed, and no name leads out
        of ``local``. ``progress`` is called for each file; ``mirror_progress`` counts all of them.
        """
        filters = PathFilters(tuple(include), tuple(exclude))
        options = MirrorOptions(up, delete, dry_run, filters, parallel, progress, mirror_progress)
        mirrored = Mirror(self._sessions, options, local, path).run()
        return with_timeout(mirrored, timeout, self._sessions.reactor)
