"""How write transactions on the disk begin: which file grows, and what of it exists already."""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.files.append import LocalAppend
from ftpservice.backends.local.files.reading import READ_FLAGS
from ftpservice.backends.local.files.unnamed import NO_PARTIAL_ERRNOS, open_unnamed_partial
from ftpservice.backends.local.files.upload import AccountUploads, LocalUpload
from ftpservice.backends.local.metadata.access import require_writable
from ftpservice.backends.local.metadata.stat import require_file
from ftpservice.backends.local.partials.partial_file import PartialFile, claim_partial
from ftpservice.backends.local.paths.names import (
    check_new_name,
    encoded,
    partial_name,
    reserved_name,
    unique_names,
)
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.storage.errors import BadOffset, BeingUploaded, Exists, IsDirectory, NotSupported
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = ["begin_upload", "begin_writing"]


def begin_writing(
    uploads: AccountUploads, path: VirtualPath, request: WriteRequest
) -> LocalUpload | LocalAppend:
    """Begin what is requested; raises `OSError` and what `IStorage.open_writing` does.

    Of an upload over a file, the partial has its note from now on.
    """
    if path.is_root:
        raise IsDirectory(path)
    check_new_name(path)
    how = request.write_mode
    if request.offset and how in (WriteMode.APPEND, WriteMode.UNIQUE):
        raise NotSupported(path, f"an offset with {how.value}")
    if how is WriteMode.UNIQUE:
        return _begin_unique(uploads, path, request)
    if how is WriteMode.APPEND:
        try:
            return LocalAppend(uploads, path, request)
        except FileNotFoundError:
            pass
    upload = begin_upload(uploads, path, request, _target(uploads, path, how))
    if upload.replaces_noted:
        upload.mark()
    return upload


def begin_upload(
    uploads: AccountUploads, path: VirtualPath, request: WriteRequest, target: DirectoryEntry
) -> LocalUpload:
    """Begin to create or replace the file ``target``, or to append to one that does not exist.

    Takes over ``target`` and closes it after an error. Raises what `begin_writing` does.
    """
    try:
        facts = target.facts()
        if facts is not None:
            if stat.S_ISLNK(facts.st_mode) and request.write_mode is WriteMode.REPLACE:
                # It has become a link since the target was found.
                target.close()
                target = _target(uploads, path, request.write_mode)
                return begin_upload(uploads, path, request, target)
            if request.write_mode is WriteMode.CREATE:
                raise Exists(path)
            require_file(facts, path)
            require_writable(target, facts, path)
        partial = _claim(uploads, target, replaces=facts is not None)
    except BaseException:
        target.close()
        raise
    upload = LocalUpload(uploads, path, request, partial, facts)
    if partial.existed or request.write_mode is not WriteMode.REPLACE or request.offset:
        try:
            _find_start(upload, path, request)
        except BaseException:
            _release(upload)
            raise
    return upload


def _release(upload: LocalUpload) -> None:
    """End an upload that has not started; a partial that was there remains as it is."""
    try:
        if not upload.partial.existed:
            upload.partial.discard()
    finally:
        upload.close()


def _claim(uploads: AccountUploads, target: DirectoryEntry, replaces: bool) -> PartialFile:
    """Return the owner's partial; one without a name if the directory takes none."""
    try:
        return claim_partial(target, partial_name(uploads.owner, target.name))
    except OSError as error:
        if not replaces or error.errno not in NO_PARTIAL_ERRNOS:
            raise
        return open_unnamed_partial(uploads.tree, target)


def _target(uploads: AccountUploads, path: VirtualPath, how: WriteMode) -> DirectoryEntry:
    """Return the place of the file: with `WriteMode.REPLACE` where links lead to."""
    if how is WriteMode.CREATE:
        return uploads.tree.parent(path)
    return uploads.tree.place(path)


def _find_start(upload: LocalUpload, path: VirtualPath, request: WriteRequest) -> None:
    """Keep the requested part of the owner's partial or, only if there is none, of the file.

    A partial that another session still writes cannot be resumed: bytes of it are missing.
    """
    partial = upload.partial
    if request.write_mode is WriteMode.REPLACE and request.offset == 0:
        upload.start(0)
        return
    if partial.is_contended:
        raise BeingUploaded(path)
    if request.write_mode is WriteMode.APPEND:
        upload.start(partial.found)
    elif partial.found or request.partial_only or not request.offset:
        if request.offset > partial.found:
            raise BadOffset(path, f"{bytes_text(partial.found)} arrived")
        upload.start(request.offset)
    else:
        upload.start(request.offset, _open_old_file(partial.target, path, request.offset))


def _open_old_file(target: DirectoryEntry, path: VirtualPath, offset: int) -> int:
    """Open the file whose first bytes are kept; raises `BadOffset` if it has too few."""
    try:
        opened = os.open(
            target.name, READ_FLAGS | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target.directory
        )
    except FileNotFoundError:
        raise BadOffset(path, "no file") from None
    facts = os.fstat(opened)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size < offset:
        os.close(opened)
        raise BadOffset(path, f"the file has {bytes_text(facts.st_size)}")
    return opened


def _begin_unique(
    uploads: AccountUploads, requested: VirtualPath, request: WriteRequest
) -> LocalUpload:
    """Begin a file under a name that is neither taken nor promised to another upload."""
    names = unique_names(requested)
    with uploads.tree.parent(requested) as parent:
        while True:
            path = next(names)
            name = encoded(path.name, path)
            if DirectoryEntry(parent.directory, name).facts() is not None:
                continue
            upload = LocalUpload(uploads, requested, request, _reserve(parent, name))
            upload.path = path
            if _has_started(upload):
                return upload
            _discard(upload)


def _reserve(parent: DirectoryEntry, name: bytes) -> PartialFile:
    """Claim the partial that promises ``name``; a spare if another upload was promised that."""
    target = DirectoryEntry(os.dup(parent.directory), name)
    try:
        return claim_partial(target, reserved_name(name))
    except BaseException:
        target.close()
        raise


def _has_started(upload: LocalUpload) -> bool:
    """Start the upload if its name is still free and promised to no other upload."""
    try:
        if upload.partial.is_spare or upload.partial.target.facts() is not None:
            return False
        upload.start(0)
    except BaseException:
        _discard(upload)
        raise
    return True


def _discard(upload: LocalUpload) -> None:
    try:
        upload.abandon()
    finally:
        upload.close()
