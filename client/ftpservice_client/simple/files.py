"""Files over the simple protocol: DWLD and UPLD."""

from __future__ import annotations

from ftpservice.stream.errors import Cut as FlowCut
from ftpservice.stream.pump import pump_out
from ftpservice.wire.replies import escaped
from ftpservice.wire.simple import MOST_AT_ONCE, Answer
from ftpservice_client.errors import Cut, Garbled, Mismatch, Unsupported
from ftpservice_client.interfaces import Place, Source, Target, Watch
from ftpservice_client.link.connection import ClientConnection
from ftpservice_client.simple.connection import SimpleLine, command

__all__ = ["download", "number_in", "upload"]

SMALL = 64 * 1024
"""Bytes that are moved in one piece."""
AT_ONCE = min(MOST_AT_ONCE, 1024 * 1024)
"""Bytes of an upload that does not wait for GO."""


class Passing:
    """Counts the bytes of one file, and not the lines around it."""

    def __init__(self, data: ClientConnection, before: int, size: int) -> None:
        self._data = data
        self._zero = data.moved + before
        self._size = size

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return max(0, min(self._data.moved - self._zero, self._size))


async def download(line: SimpleLine, name: str, offset: int, target: Target, watch: Watch) -> int:
    """Receive a file from ``offset``; returns its whole size."""
    at = (f"@{offset}",) if offset else ()
    asked = command("DWLD", *at, name=f"./{name}" if offset else name)
    size = number_in(line, await line.ask(asked, name))
    try:
        watch.begin(Passing(line.data, -line.waiting, size), offset + size)
        await _fill(line, target, size)
    except FlowCut as error:
        raise line.broken(error) from error
    except BaseException:
        line.close(Cut("a download was broken off"))
        raise
    return offset + size


async def _fill(line: SimpleLine, target: Target, size: int) -> None:
    moved = 0
    pieces: list[bytes] = []
    fast = target.exclusively is not None and line.data.can_receive_part
    while moved < size:
        if fast and moved >= SMALL and line.hold():
            await target.write(b"".join(pieces))
            assert target.exclusively is not None
            moved += await line.data.receive_part(target.exclusively, size - moved)
            pieces.clear()
            if moved < size:
                raise FlowCut("the server ended before the file did")
            break
        pieces.append(await line.some(size - moved))
        moved += len(pieces[-1])
        if moved >= SMALL and not fast:
            await target.write(b"".join(pieces))
            pieces.clear()
    if pieces:
        await target.write(b"".join(pieces))


async def upload(line: SimpleLine, name: str, source: Source, at: Place, watch: Watch) -> None:
    """Send a file, the whole of it: the server swaps it in when all is there."""
    if at.append or at.offset:
        raise Unsupported("the simple protocol knows whole files only")
    size = source.size
    if size is None:
        raise Unsupported("the simple protocol has to be told the size of a file before")
    if size <= SMALL:
        data = await source.read(0, size) if size else b""
        _require(len(data), size)
        asked = command("UPLD", f"{size}+", name=name)
        watch.begin(Passing(line.data, len(asked), size), size)
        await line.send(asked + data)
    else:
        await _send_large(line, name, source, watch)
    stored = number_in(line, await line.answer(name))
    if stored != size:
        raise Mismatch(f"the server has {stored} bytes of {size}")


async def _send_large(line: SimpleLine, name: str, source: Source, watch: Watch) -> None:
    size = source.size or 0
    answer = await line.ask(command("UPLD", str(size), name=name), name)
    if answer.word != "GO":
        problem = Garbled("the server does not want what it said it wants")
        line.close(problem)
        raise problem
    data = line.data
    try:
        watch.begin(Passing(data, 0, size), size)
        if source.file is not None and data.moves_files:
            moved = await data.send_file(source.file, (0, size))
        else:
            moved = await pump_out(source.read, data, 0, size)
        _require(moved, size)
    except FlowCut as error:
        raise line.broken(error) from error
    except BaseException:
        line.close(Cut("an upload was broken off"))
        raise


def _require(moved: int, size: int) -> None:
    if moved < size:
        raise Mismatch("the file became shorter while it was sent")


def number_in(line: SimpleLine, answer: Answer) -> int:
    """Return the number that an OK begins with; without one, the connection is of no use."""
    word = answer.text.partition(" ")[0]
    if answer.word != "OK" or not (word.isascii() and word.isdigit()) or len(word) > 18:
        problem = Garbled(f"the server tells no size: {escaped(answer.text[:60])}")
        line.close(problem)
        raise problem
    return int(word)
