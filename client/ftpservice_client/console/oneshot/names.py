"""The single commands about names: ls, hash, rm."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from ftpservice.wire.entry import Entry
from ftpservice.wire.times import format_time
from ftpservice_client import UnreadListing
from ftpservice_client.console.oneshot.command_table import Answer, ShotTable, arrive
from ftpservice_client.console.session.listing import ALGORITHM, listed, removed, shown
from ftpservice_client.console.session.name_expansion import remote_files, unclear
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.terminal.escape import visible
from ftpservice_client.mirror.local_tree import below

__all__ = ["shots"]

shots = ShotTable()


def _list(parser: ArgumentParser) -> None:
    parser.add_argument("-1", "--names", action="store_true", help="nothing but names")
    parser.add_argument("url", metavar="URL", help="of a directory; wildcards may be at its end")


@shots.add("ls", _list)
async def list_directory(session: Session, words: Namespace) -> Answer:
    """List a directory."""
    found = await listed(session, await arrive(session, words.url))
    data: dict[str, Any] = {"entries": [_facts(entry) for entry in found.entries]}
    data["total"] = found.total
    lines = [] if words.json else list(shown(session, found, names=words.names))
    if found.is_complete:
        return Answer(data, lines)
    data["unread"] = [*found.unread, *found.unsafe]
    return Answer(data, lines, UnreadListing(unclear(found)))


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


def _remove(parser: ArgumentParser) -> None:
    parser.add_argument(
        *("-r", "--recursive"),
        action="store_true",
        help="directories too, with all that is in them; links themselves",
    )
    _many(parser)


@shots.add("rm", _remove)
async def remove(session: Session, words: Namespace) -> Answer:
    """Delete files."""
    deleted: list[str] = []
    failure: Exception | None = None
    for url in words.urls:
        for name in await remote_files(session, [await arrive(session, url)]):
            if words.recursive:
                done = await removed(session, name)
                deleted += [below(name, one.name) for one in done.steps if one.action == "delete"]
                failure = failure or next((why for _, why in done.failed), None)
                continue
            await session.client.delete(name)
            deleted.append(name)
            session.screen.remark(f"Deleted file: {name}")
    return Answer({"deleted": deleted}, failure=failure)
