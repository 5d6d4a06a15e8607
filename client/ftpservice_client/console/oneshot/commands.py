"""The one-shot commands: get, put, ls, cat, hash, rm, mirror."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ftpservice.wire.entry import Entry
from ftpservice.wire.times import format_time
from ftpservice_client import TransferResult, UnparsableListing
from ftpservice_client.console.oneshot.command import OneShotResult, OneShotTable, connect_to
from ftpservice_client.console.session import options
from ftpservice_client.console.session.errors import UsageError
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.file_transfer import (
    TransferFlags,
    download_file,
    show_file,
    upload_file,
)
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.listing import fetch_listing, listing_lines
from ftpservice_client.console.session.name_expansion import (
    expand_remote_files,
    is_pattern,
    local_target,
    require_distinct,
    unparsed_text,
)
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.session.trees import mirror_tree, remove_tree
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.mirror.local_tree import remote_path
from ftpservice_client.mirror.mirror import DEFAULT_PARALLEL

__all__ = ["ONE_SHOT_COMMANDS"]

ONE_SHOT_COMMANDS = OneShotTable()

STDIO_NAME = "-"
PATTERN_HELP = "its last part may hold wildcards"


def _reject_json(arguments: Namespace) -> None:
    if arguments.json:
        raise UsageError("--json and file contents cannot both go to standard output")


def _add_urls(parser: ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help=PATTERN_HELP)


async def _matching_names(session: ConsoleSession, urls: list[str]) -> AsyncIterator[str]:
    """Yield the remote files of all URLs, connected to the server of each."""
    for url in urls:
        for name in await expand_remote_files(session, [await connect_to(session, url)]):
            yield name


def _add_get_arguments(parser: ArgumentParser) -> None:
    options.CONTINUE.add_to(parser, dest="resume")
    options.VERIFY.add_to(parser)
    parser.add_argument("url", metavar="URL", help=PATTERN_HELP)
    parser.add_argument(
        "target", metavar="FILE", nargs="?", help="a file, a directory, or - for standard output"
    )


@ONE_SHOT_COMMANDS.add("get", "URL [FILE]", _add_get_arguments)
async def get(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Download a file, or all files that match."""
    if arguments.target == STDIO_NAME:
        _reject_json(arguments)
    remote = await connect_to(session, arguments.url)
    names = await expand_remote_files(session, [remote])
    if arguments.target == STDIO_NAME:
        for name in names:
            await show_file(session, name)
        return OneShotResult()
    flags = TransferFlags(arguments.resume, arguments.verify)
    target = _get_target(arguments.target, is_directory=is_pattern(remote))
    files: list[dict[str, Any]] = []
    for name in names:
        path = await local_target(session, name, target)
        result = await download_file(session, name, path, flags)
        files.append(_transfer_json(result) | {"file": str(path)})
    return OneShotResult({"files": files})


def _get_target(text: str | None, *, is_directory: bool) -> ShellArgument | None:
    if text is None:
        return None
    return ShellArgument(f"{text}/" if is_directory and not text.endswith("/") else text)


def _add_put_arguments(parser: ArgumentParser) -> None:
    options.CONTINUE.add_to(parser, dest="resume")
    options.VERIFY.add_to(parser)
    options.APPEND.add_to(parser)
    options.PRESERVE.add_to(parser)
    parser.add_argument("url", metavar="URL", help="of a file, or of a directory if it ends with /")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file, or - for standard input")


@ONE_SHOT_COMMANDS.add("put", "URL FILE...", _add_put_arguments)
async def put(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Upload files."""
    path = (await connect_to(session, arguments.url)).text
    is_directory = not path or path.endswith("/")
    if not is_directory and len(arguments.files) > 1:
        raise UsageError("Several files need a directory: end the URL with /")
    if is_directory and STDIO_NAME in arguments.files:
        raise UsageError("Standard input has no name: end the URL with a file name")
    require_distinct(Path(file).name if is_directory else path for file in arguments.files)
    flags = TransferFlags(arguments.resume, arguments.verify, arguments.append, arguments.preserve)
    files: list[dict[str, Any]] = []
    for file in arguments.files:
        source = sys.stdin.buffer if file == STDIO_NAME else Path(file)
        name = f"{path}{Path(file).name}" if is_directory else path
        result = await upload_file(session, source, name, flags)
        files.append(_transfer_json(result) | {"file": file})
    return OneShotResult({"files": files})


def _transfer_json(result: TransferResult) -> dict[str, Any]:
    data: dict[str, Any] = {"name": result.name, "size": result.size}
    if result.digest is not None:
        data |= {"algorithm": result.digest.algorithm, "digest": result.digest.value}
    if result.note:
        data["note"] = result.note
    return data


def _add_list_arguments(parser: ArgumentParser) -> None:
    options.NAMES.add_to(parser)
    parser.add_argument("url", metavar="URL", help=f"of a directory; {PATTERN_HELP}")


@ONE_SHOT_COMMANDS.add("ls", "URL", _add_list_arguments)
async def list_directory(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """List a directory."""
    listing = await fetch_listing(session, await connect_to(session, arguments.url))
    data: dict[str, Any] = {"entries": [_entry_json(entry) for entry in listing.entries]}
    data["total"] = listing.total
    lines = [] if arguments.json else list(listing_lines(session, listing, names=arguments.names))
    if listing.is_complete:
        return OneShotResult(data, lines)
    data["unread"] = [*listing.unparsed, *listing.unsafe]
    return OneShotResult(data, lines, UnparsableListing(unparsed_text(listing)))


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


@ONE_SHOT_COMMANDS.add("cat", "URL...", _add_urls)
async def cat(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Write files to standard output."""
    _reject_json(arguments)
    async for name in _matching_names(session, arguments.urls):
        await show_file(session, name)
    return OneShotResult()


def _add_hash_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-a",
        "--algorithm",
        default=options.DEFAULT_HASH_ALGORITHM,
        help="hash algorithm (default: %(default)s)",
    )
    _add_urls(parser)


@ONE_SHOT_COMMANDS.add("hash", "URL...", _add_hash_arguments)
async def digests(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Print digests that the server computes."""
    algorithm = arguments.algorithm.upper()
    files: list[dict[str, str]] = []
    async for name in _matching_names(session, arguments.urls):
        value = await session.client.hash(name, algorithm)
        files.append({"algorithm": algorithm, "digest": value, "name": name})
    lines = [
        f"{escape_unprintable(file['digest'])}  {escape_unprintable(file['name'])}"
        for file in files
    ]
    return OneShotResult({"files": files}, lines)


def _add_remove_arguments(parser: ArgumentParser) -> None:
    options.RECURSIVE.add_to(parser)
    _add_urls(parser)


@ONE_SHOT_COMMANDS.add("rm", "URL...", _add_remove_arguments)
async def remove(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Delete files."""
    deleted: list[str] = []
    failure: Exception | None = None
    async for name in _matching_names(session, arguments.urls):
        if arguments.recursive:
            result = await remove_tree(session, name)
            deleted += [
                remote_path(name, step.name) for step in result.steps if step.action == "delete"
            ]
            failure = failure or next((error for _, error in result.failed), None)
            continue
        await session.client.delete(name)
        deleted.append(name)
        session.screen.print_status(f"Deleted file: {name}")
    return OneShotResult({"deleted": deleted}, failure=failure)


def _add_mirror_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the remote directory")
    parser.add_argument("directory", metavar="DIR", type=Path, help="the local directory")
    for flag in (options.UP, options.DELETE, options.DRY_RUN):
        flag.add_to(parser)
    options.INCLUDE.add_to(parser, action="append", default=[])
    options.EXCLUDE.add_to(parser, action="append", default=[])
    counts = range(1, options.MAX_PARALLEL + 1)
    options.PARALLEL.add_to(parser, metavar="N", type=int, choices=counts, default=DEFAULT_PARALLEL)


@ONE_SHOT_COMMANDS.add("mirror", "URL DIR", _add_mirror_arguments)
async def mirror(session: ConsoleSession, arguments: Namespace) -> OneShotResult:
    """Make DIR a copy of the remote directory; with --up, the other way round."""
    path = (await connect_to(session, arguments.url)).text
    names = ("up", "delete", "dry_run", "include", "exclude", "parallel")
    result = await mirror_tree(
        session, arguments.directory, path, {name: getattr(arguments, name) for name in names}
    )
    steps = [{"action": one.action, "name": one.name, "size": one.size} for one in result.steps]
    failed = [
        {"action": step.action, "error": error_text(error), "name": step.name}
        for step, error in result.failed
    ]
    failure = result.failed[0][1] if result.failed else None
    return OneShotResult({"failed": failed, "size": result.size, "steps": steps}, failure=failure)
