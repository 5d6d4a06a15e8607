"""How write transactions on the disk begin: which file grows, and what of it is there already."""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.files.append import Append
from ftpservice.backends.local.files.reading import READ
from ftpservice.backends.local.files.request import Order, Upload
from ftpservice.backends.local.files.unnamed import NO_PARTIAL_HERE, unnamed
from ftpservice.backends.local.metadata.access import require_writable
from ftpservice.backends.local.metadata.stat import require_file
from ftpservice.backends.local.partials.partial_file import Partial, claim
from ftpservice.backends.local.paths.names import (
    encoded,
    new_name,
    partial_name,
    reserved_name,
    unique_names,
)
from ftpservice.backends.local.paths.tree import Place
from ftpservice.storage.errors import BadOffset, BeingUploaded, Exists, IsDirectory, Unsupported
from ftpservice.storage.interfaces import How
from ftpservice.wire.paths import VirtualPath

__all__ = ["begin_upload", "begin_writing"]


def begin_writing(order: Order) -> Upload | Append:
    """Begin what is ordered; raises `OSError` and what `IStorage.open_writing` does."""
    if order.path.is_root:
        raise IsDirectory(order.path)
    new_name(order.path)
    how = order.request.how
    if order.request.offset and how in (How.APPEND, How.UNIQUE):
        raise Unsupported(order.path, f"an offset with {how.value}")
    if how is How.UNIQUE:
        return _begin_unique(order)
    if how is How.APPEND:
        try:
            return Append(order)
        except FileNotFoundError:
            pass
    with _place(order) as place:
        return begin_upload(order, place)


def begin_upload(order: Order, place: Place) -> Upload:
    """Begin to replace or make a file, or to append to one that there is not."""
    facts = place.facts()
    if facts is not None and stat.S_ISLNK(facts.st_mode) and order.request.how is How.REPLACE:
        with _place(order) as end:  # it has become a link since the place was found
            return begin_upload(order, end)
    if facts is not None and order.request.how is How.CREATE:
        raise Exists(order.path)
    if facts is not None:
        require_file(facts, order.path)
        require_writable(place, facts, order.path)
    name = partial_name(order.owner, place.name)
    upload = Upload(order, _partial(order, place, name, facts is not None), place.name)
    try:
        _start(upload, order, place)
    except BaseException:
        _give_up(upload)
        raise
    return upload


def _partial(order: Order, place: Place, name: bytes, replaces: bool) -> Partial:
    """Return the partial ``name``; one without a name if the directory can hold none."""
    try:
        return claim(place, name)
    except OSError as error:
        if not replaces or error.errno not in NO_PARTIAL_HERE:
            raise
        return unnamed(order.tree, place)


def _place(order: Order) -> Place:
    """Return where the file will be: with `How.REPLACE` at the end of links."""
    if order.request.how is How.CREATE:
        return order.tree.parent(order.path)
    return order.tree.place(order.path)


def _start(upload: Upload, order: Order, place: Place) -> None:
    """Find what is to be kept of the owner's partial or, only where there is none, of the file.

    A partial that another session still writes is no source: its bytes are not all there.
    """
    request, partial = order.request, upload.partial
    if request.how is How.REPLACE and request.offset == 0:
        upload.start(0)
        return
    if partial.is_contended:
        raise BeingUploaded(order.path)
    if request.how is How.APPEND:
        upload.start(partial.found)
    elif partial.found or request.partial_only or not request.offset:
        if request.offset > partial.found:
            raise BadOffset(order.path, f"{partial.found} bytes arrived")
        upload.start(request.offset)
    else:
        upload.start(request.offset, _opened_source(order, place))


def _opened_source(order: Order, place: Place) -> int:
    """Open the file whose beginning is to be kept; raises `BadOffset` if there is too little."""
    try:
        opened = os.open(place.name, READ | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.directory)
    except FileNotFoundError:
        raise BadOffset(order.path, "no file") from None
    facts = os.fstat(opened)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size < order.request.offset:
        os.close(opened)
        raise BadOffset(order.path, f"{facts.st_size} bytes are there")
    return opened


def _begin_unique(order: Order) -> Upload:
    """Begin a file under a name that nobody has, and that no other upload was promised."""
    names = unique_names(order.path)
    with order.tree.parent(order.path) as place:
        while True:
            path = next(names)
            wanted = Place(place.directory, encoded(path.name, path))
            upload = None if wanted.facts() else _promised(order, wanted, path)
            if upload is not None:
                return upload


def _promised(order: Order, wanted: Place, path: VirtualPath) -> Upload | None:
    """Begin a file under a name that looked free; None if another upload was promised that."""
    upload = Upload(order, claim(wanted, reserved_name(wanted.name)), wanted.name)
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


def _give_up(upload: Upload) -> None:
    try:
        upload.abandon()
    finally:
        upload.close()
