"""The single commands about names: ls, hash, rm."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from ftpservice.wire.entry import Entry
from ftpservice.wire.times import format_time
from ftpservice_client import UnparsableListing
from ftpservice_client.console.oneshot.command_table import OneShotResult, OneShotTable, connect_to
from ftpservice_client.console.session.listing import (
    DEFAULT_ALGORITHM,
    fetch_listing,
    listing_lines,
    remove_tree,
)
from ftpservice_client.console.session.name_expansion import expand_remote_files, unparsed_text
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.mirror.local_tree import remote_path

__all__ = ["commands"]

commands = OneShotTable()


def _add_list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-1", "--names", action="store_true", help="nothing but names")
    parser.add_argument("url", metavar="URL", help="of a directory; wildcards may be at its end")


@commands.add("ls", _add_list_arguments)
async def list_directory(session: ShellSession, words: Namespace) -> OneShotResult:
    """List a directory."""
    found = await fetch_listing(session, await connect_to(session, words.url))
    data: dict[str, Any] = {"entries": [_entry_json(entry) for entry in found.entries]}
    data["total"] = found.total
    lines = [] if words.json else list(listing_lines(session, found, names=words.names))
    if found.is_complete:
        return OneShotResult(data, lines)
    data["unread"] = [*found.unparsed, *found.unsafe]
    return OneShotResult(data, lines, UnparsableListing(unparsed_text(found)))


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "modified": _iso_time(entry.modified),
        "name": entry.name,
        "size": entry.size,
        "type": entry.kind.value,
    }


def _iso_time(seconds: float) -> str:
    digits = format_time(seconds)
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}Z"


def _add_names_argument(parser: ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help="its last part may hold wildcards")


def _add_hash_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-a", "--algorithm", default=DEFAULT_ALGORITHM, help="%(default)s if not given"
    )
    _add_names_argument(parser)


@commands.add("hash", _add_hash_arguments)
async def digests(session: ShellSession, words: Namespace) -> OneShotResult:
    """Have the server compute digests of files."""
    algorithm = words.algorithm.upper()
    files: list[dict[str, str]] = []
    for url in words.urls:
        for name in await expand_remote_files(session, [await connect_to(session, url)]):
            value = await session.client.hash(name, algorithm)
            files.append({"algorithm": algorithm, "digest": value, "name": name})
    lines = [
        f"{escape_unprintable(file['digest'])}  {escape_unprintable(file['name'])}"
        for file in files
    ]
    return OneShotResult({"files": files}, lines)


def _add_remove_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        *("-r", "--recursive"),
        action="store_true",
        help="directories too, with all that is in them; links themselves",
    )
    _add_names_argument(parser)


@commands.add("rm", _add_remove_arguments)
async def remove(session: ShellSession, words: Namespace) -> OneShotResult:
    """Delete files."""
    deleted: list[str] = []
    failure: Exception | None = None
    for url in words.urls:
        for name in await expand_remote_files(session, [await connect_to(session, url)]):
            if words.recursive:
                done = await remove_tree(session, name)
                deleted += [
                    remote_path(name, one.name) for one in done.steps if one.action == "delete"
                ]
                failure = failure or next((why for _, why in done.failed), None)
                continue
            await session.client.delete(name)
            deleted.append(name)
            session.screen.remark(f"Deleted file: {name}")
    return OneShotResult({"deleted": deleted}, failure=failure)
