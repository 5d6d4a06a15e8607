"""Files over the simple protocol: DWLD and UPLD."""

from __future__ import annotations

from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.pump import pump_to_connection
from ftpservice.wire.replies import escaped
from ftpservice.wire.simple import MAX_IMMEDIATE_UPLOAD_SIZE, SimpleAnswer
from ftpservice.wire.units import bytes_text
from ftpservice_client.errors import (
    NetworkError,
    ProtocolViolation,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.interfaces import (
    DownloadTarget,
    TransferObserver,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.link.connection import ClientConnection
from ftpservice_client.simple.connection import SimpleConnection, command

__all__ = ["download", "number_from_answer", "upload"]

EARLY_UPLOAD_SIZE = min(MAX_IMMEDIATE_UPLOAD_SIZE, 1024 * 1024)
"""Size in bytes up to which an upload is sent without waiting for GO."""


class FileByteCounter:
    """Counts the bytes of one file, without the lines before and after it."""

    def __init__(self, data: ClientConnection, before: int, size: int) -> None:
        self._data = data
        self._zero = data.moved + before
        self._size = size

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return max(0, min(self._data.moved - self._zero, self._size))


async def download(
    connection: SimpleConnection,
    name: str,
    offset: int,
    target: DownloadTarget,
    watch: TransferObserver,
) -> int:
    """Download a file from ``offset``; return its total size."""
    at = (f"@{offset}",) if offset else ()
    line = command("DWLD", *at, name=f"./{name}" if offset else name)
    size = number_from_answer(connection, await connection.ask(line, name))
    try:
        watch.begin(FileByteCounter(connection.data, -connection.unread_count, size), offset + size)
        await _receive_into(connection, target, size)
    except TransferAborted as error:
        raise connection.aborted(error) from error
    except BaseException:
        connection.close(NetworkError("a download was aborted"))
        raise
    return offset + size


async def _receive_into(connection: SimpleConnection, target: DownloadTarget, size: int) -> None:
    moved = 0
    pieces: list[bytes] = []
    fast = target.with_descriptor is not None and connection.data.has_plaintext_socket
    while moved < size:
        if fast and moved >= SMALL_FILE_SIZE and connection.pause_reading():
            await target.write(b"".join(pieces))
            assert target.with_descriptor is not None
            moved += await connection.data.receive_file(target.with_descriptor, size - moved)
            pieces.clear()
            if moved < size:
                raise TransferAborted("the connection ended before the file did")
            break
        pieces.append(await connection.read_some(size - moved))
        moved += len(pieces[-1])
        if moved >= SMALL_FILE_SIZE and not fast:
            await target.write(b"".join(pieces))
            pieces.clear()
    if pieces:
        await target.write(b"".join(pieces))


async def upload(
    connection: SimpleConnection,
    name: str,
    source: UploadSource,
    at: UploadPosition,
    watch: TransferObserver,
) -> None:
    """Upload a file; the server publishes it when all bytes have arrived."""
    if at.append or at.offset:
        raise Unsupported("the simple protocol cannot append or resume uploads")
    size = source.size
    if size is None:
        raise Unsupported("the simple protocol requires the size of a file in advance")
    if size <= SMALL_FILE_SIZE:
        data = await source.read(0, size) if size else b""
        _require_complete(len(data), size)
        line = command("UPLD", f"{size}+", name=name)
        watch.begin(FileByteCounter(connection.data, len(line), size), size)
        await connection.send(line + data)
    else:
        await _send_large(connection, name, source, watch)
    stored = number_from_answer(connection, await connection.read_answer(name))
    if stored != size:
        raise VerificationFailed(f"the server has {stored} of {bytes_text(size)}")


async def _send_large(
    connection: SimpleConnection, name: str, source: UploadSource, watch: TransferObserver
) -> None:
    size = source.size or 0
    answer = await connection.ask(command("UPLD", str(size), name=name), name)
    if answer.word != "GO":
        problem = ProtocolViolation("the server answered UPLD with OK instead of GO")
        connection.close(problem)
        raise problem
    data = connection.data
    try:
        watch.begin(FileByteCounter(data, 0, size), size)
        if source.file is not None and data.supports_file_transfer:
            moved = await data.send_file(source.file, (0, size))
        else:
            moved = await pump_to_connection(source.read, data, 0, size)
        _require_complete(moved, size)
    except TransferAborted as error:
        raise connection.aborted(error) from error
    except BaseException:
        connection.close(NetworkError("an upload was aborted"))
        raise


def _require_complete(moved: int, size: int) -> None:
    if moved < size:
        raise VerificationFailed("the file became shorter while it was sent")


def number_from_answer(connection: SimpleConnection, answer: SimpleAnswer) -> int:
    """Return the number at the beginning of an OK; closes the connection if there is none."""
    word = answer.text.partition(" ")[0]
    if answer.word != "OK" or not (word.isascii() and word.isdigit()) or len(word) > 18:
        problem = ProtocolViolation(f"the answer contains no size: {escaped(answer.text[:60])}")
        connection.close(problem)
        raise problem
    return int(word)
