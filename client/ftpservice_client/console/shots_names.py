"""The single commands about names: ls, hash, rm."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from ftpservice.wire.entry import Entry
from ftpservice.wire.times import format_time
from ftpservice_client.console.actions_files import ALGORITHM
from ftpservice_client.console.actions_listings import listed, shown
from ftpservice_client.console.names import remote_files
from ftpservice_client.console.session import Session
from ftpservice_client.console.shots import Answer, ShotTable, arrive
from ftpservice_client.console.visible import visible

__all__ = ["shots"]

shots = ShotTable()


def _list(parser: ArgumentParser) -> None:
    parser.add_argument("-1", "--names", action="store_true", help="nothing but names")
    parser.add_argument("url", metavar="URL", help="of a directory; wildcards may be at its end")


@shots.add("ls", _list)
async def list_directory(session: Session, words: Namespace) -> Answer:
    """List a directory."""
    found = await listed(session, await arrive(session, words.url))
    data = {"entries": [_facts(entry) for entry in found.entries], "total": found.total}
    return Answer(data, [] if words.json else list(shown(session, found, names=words.names)))


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "modified": _moment(entry.modified),
        "name": entry.name,
        "size": entry.size,
        "type": entry.kind.value,
    }


def _moment(seconds: float) -> str:
    digits = format_time(seconds)
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}Z"


def _many(parser: ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help="its last part may hold wildcards")


def _hash(parser: ArgumentParser) -> None:
    parser.add_argument("-a", "--algorithm", default=ALGORITHM, help="%(default)s if not given")
    _many(parser)


@shots.add("hash", _hash)
async def digests(session: Session, words: Namespace) -> Answer:
    """Have the server compute digests of files."""
    algorithm = words.algorithm.upper()
    files: list[dict[str, str]] = []
    for url in words.urls:
        for name in await remote_files(session, [await arrive(session, url)]):
            value = await session.client.hash(name, algorithm)
            files.append({"algorithm": algorithm, "digest": value, "name": name})
    lines = [f"{visible(file['digest'])}  {visible(file['name'])}" for file in files]
    return Answer({"files": files}, lines)


@shots.add("rm", _many)
async def remove(session: Session, words: Namespace) -> Answer:
    """Delete files."""
    deleted: list[str] = []
    for url in words.urls:
        for name in await remote_files(session, [await arrive(session, url)]):
            await session.client.delete(name)
            deleted.append(name)
            session.screen.remark(f"Deleted file: {name}")
    return Answer({"deleted": deleted})
