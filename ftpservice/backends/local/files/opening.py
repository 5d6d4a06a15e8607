"""How write transactions on the disk begin: which file grows, and what of it is there already."""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.files.append import LocalAppend
from ftpservice.backends.local.files.reading import READ_FLAGS
from ftpservice.backends.local.files.request import LocalUpload, UploadRequest
from ftpservice.backends.local.files.unnamed import NO_PARTIAL_ERRNOS, open_unnamed_partial
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
from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.paths import VirtualPath

__all__ = ["begin_upload", "begin_writing"]


def begin_writing(order: UploadRequest) -> LocalUpload | LocalAppend:
    """Begin what is ordered; raises `OSError` and what `IStorage.open_writing` does."""
    if order.path.is_root:
        raise IsDirectory(order.path)
    check_new_name(order.path)
    how = order.request.how
    if order.request.offset and how in (WriteMode.APPEND, WriteMode.UNIQUE):
        raise NotSupported(order.path, f"an offset with {how.value}")
    if how is WriteMode.UNIQUE:
        return _begin_unique(order)
    if how is WriteMode.APPEND:
        try:
            return LocalAppend(order)
        except FileNotFoundError:
            pass
    with _place(order) as place:
        return begin_upload(order, place)


def begin_upload(order: UploadRequest, place: DirectoryEntry) -> LocalUpload:
    """Begin to replace or make a file, or to append to one that there is not."""
    facts = place.facts()
    if facts is not None and stat.S_ISLNK(facts.st_mode) and order.request.how is WriteMode.REPLACE:
        with _place(order) as end:  # it has become a link since the place was found
            return begin_upload(order, end)
    if facts is not None and order.request.how is WriteMode.CREATE:
        raise Exists(order.path)
    if facts is not None:
        require_file(facts, order.path)
        require_writable(place, facts, order.path)
    name = partial_name(order.owner, place.name)
    upload = LocalUpload(order, _partial(order, place, name, facts is not None), place.name)
    try:
        _start(upload, order, place)
    except BaseException:
        _give_up(upload)
        raise
    return upload


def _partial(
    order: UploadRequest, place: DirectoryEntry, name: bytes, replaces: bool
) -> PartialFile:
    """Return the partial ``name``; one without a name if the directory can hold none."""
    try:
        return claim_partial(place, name)
    except OSError as error:
        if not replaces or error.errno not in NO_PARTIAL_ERRNOS:
            raise
        return open_unnamed_partial(order.tree, place)


def _place(order: UploadRequest) -> DirectoryEntry:
    """Return where the file will be: with `WriteMode.REPLACE` at the end of links."""
    if order.request.how is WriteMode.CREATE:
        return order.tree.parent(order.path)
    return order.tree.place(order.path)


def _start(upload: LocalUpload, order: UploadRequest, place: DirectoryEntry) -> None:
    """Find what is to be kept of the owner's partial or, only where there is none, of the file.

    A partial that another session still writes is no source: its bytes are not all there.
    """
    request, partial = order.request, upload.partial
    if request.how is WriteMode.REPLACE and request.offset == 0:
        upload.start(0)
        return
    if partial.is_contended:
        raise BeingUploaded(order.path)
    if request.how is WriteMode.APPEND:
        upload.start(partial.found)
    elif partial.found or request.partial_only or not request.offset:
        if request.offset > partial.found:
            raise BadOffset(order.path, f"{partial.found} bytes arrived")
        upload.start(request.offset)
    else:
        upload.start(request.offset, _opened_source(order, place))


def _opened_source(order: UploadRequest, place: DirectoryEntry) -> int:
    """Open the file whose beginning is to be kept; raises `BadOffset` if there is too little."""
    try:
        opened = os.open(
            place.name, READ_FLAGS | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.directory
        )
    except FileNotFoundError:
        raise BadOffset(order.path, "no file") from None
    facts = os.fstat(opened)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size < order.request.offset:
        os.close(opened)
        raise BadOffset(order.path, f"{facts.st_size} bytes are there")
    return opened


def _begin_unique(order: UploadRequest) -> LocalUpload:
    """Begin a file under a name that nobody has, and that no other upload was promised."""
    names = unique_names(order.path)
    with order.tree.parent(order.path) as place:
        while True:
            path = next(names)
            wanted = DirectoryEntry(place.directory, encoded(path.name, path))
            upload = None if wanted.facts() else _promised(order, wanted, path)
            if upload is not None:
                return upload


def _promised(
    order: UploadRequest, wanted: DirectoryEntry, path: VirtualPath
) -> LocalUpload | None:
    """Begin a file under a name that looked free; None if another upload was promised that."""
    upload = LocalUpload(order, claim_partial(wanted, reserved_name(wanted.name)), wanted.name)
    try:
        if not upload.partial.is_spare and wanted.facts() is None:
            upload.path = path
            upload.start(0)
            return upload
    except BaseException:
        _give_up(upload)
        raise
    _give_up(upload)
    return None


def _give_up(upload: LocalUpload) -> None:
    try:
        upload.abandon()
    finally:
        upload.close()
