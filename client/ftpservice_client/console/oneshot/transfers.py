"""The single commands that move files: get, put, cat, mirror."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from ftpservice_client import TransferResult
from ftpservice_client.console.oneshot.command_table import OneShotResult, OneShotTable, connect_to
from ftpservice_client.console.session.errors import ShellUsageError
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.file_transfer import (
    TransferFlags,
    download_file,
    show_file,
    upload_file,
)
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.mirror import MAX_PARALLEL, run_mirror
from ftpservice_client.console.session.name_expansion import (
    expand_remote_files,
    is_pattern,
    local_target,
    require_distinct,
)
from ftpservice_client.console.session.session import ShellSession

__all__ = ["commands"]

commands = OneShotTable()

STDIO_NAME = "-"
OUTPUT_CLASH_TEXT = "--json and a file cannot both go to the output"


def _add_transfer_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--continue", dest="resume", action="store_true", help="go on with what is there"
    )
    parser.add_argument("--verify", action="store_true", help="compare digests afterwards")


def _add_get_arguments(parser: ArgumentParser) -> None:
    _add_transfer_flags(parser)
    parser.add_argument("url", metavar="URL", help="its last part may hold wildcards")
    parser.add_argument("to", metavar="FILE", nargs="?", help="or a directory, or - for the output")


@commands.add("get", _add_get_arguments)
async def get(session: ShellSession, words: Namespace) -> OneShotResult:
    """Fetch a file, or all whose names fit."""
    if words.to == STDIO_NAME and words.json:
        raise ShellUsageError(OUTPUT_CLASH_TEXT)
    wanted = await connect_to(session, words.url)
    names = await expand_remote_files(session, [wanted])
    if words.to == STDIO_NAME:
        return OneShotResult(
            {"files": [_transfer_json(await show_file(session, name)) for name in names]}
        )
    care = TransferFlags(words.resume, words.verify)
    into = _local_directory_or_file(words.to, several=is_pattern(wanted))
    files: list[dict[str, Any]] = []
    for name in names:
        to = await local_target(session, name, into)
        files.append(
            _transfer_json(await download_file(session, name, to, care)) | {"file": str(to)}
        )
    return OneShotResult({"files": files})


def _local_directory_or_file(text: str | None, *, several: bool) -> ShellArgument | None:
    """Return where files go: ``several`` of them, into a directory."""
    if text is None:
        return None
    return ShellArgument(f"{text}/" if several and not text.endswith("/") else text)


def _add_put_arguments(parser: ArgumentParser) -> None:
    _add_transfer_flags(parser)
    parser.add_argument("-a", "--append", action="store_true", help="add to the file there")
    parser.add_argument("-p", "--preserve", action="store_true", help="keep the time of the file")
    parser.add_argument("url", metavar="URL", help="of a file; of a directory if it ends with /")
    parser.add_argument("files", metavar="FILE", nargs="+", help="or - for the input")


@commands.add("put", _add_put_arguments)
async def put(session: ShellSession, words: Namespace) -> OneShotResult:
    """Send files."""
    path = (await connect_to(session, words.url)).text
    into = not path or path.endswith("/")
    if not into and len(words.files) > 1:
        raise ShellUsageError("several files go to a directory: a URL that ends with /")
    if into and STDIO_NAME in words.files:
        raise ShellUsageError("- has no name: the URL has to end with one")
    require_distinct(Path(text).name if into else path for text in words.files)
    care = TransferFlags(words.resume, words.verify, words.append, words.preserve)
    files: list[dict[str, Any]] = []
    for text in words.files:
        source = sys.stdin.buffer if text == STDIO_NAME else Path(text)
        name = f"{path}{Path(text).name}" if into else path
        files.append(
            _transfer_json(await upload_file(session, source, name, care)) | {"file": text}
        )
    return OneShotResult({"files": files})


def _transfer_json(done: TransferResult) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": done.name, "size": done.size}
    if done.digest is not None:
        facts |= {"algorithm": done.digest.algorithm, "digest": done.digest.value}
    if done.note:
        facts["note"] = done.note
    return facts


def _add_cat_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help="its last part may hold wildcards")


@commands.add("cat", _add_cat_arguments)
async def cat(session: ShellSession, words: Namespace) -> OneShotResult:
    """Write files to the output."""
    if words.json:
        raise ShellUsageError(OUTPUT_CLASH_TEXT)
    for url in words.urls:
        for name in await expand_remote_files(session, [await connect_to(session, url)]):
            await show_file(session, name)
    return OneShotResult({})


def _add_mirror_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="of a directory")
    parser.add_argument("directory", metavar="DIR", type=Path, help="here")
    parser.add_argument("-u", "--up", action="store_true", help="from here to the server")
    parser.add_argument("-d", "--delete", action="store_true", help="what the other side has not")
    parser.add_argument("-n", "--dry-run", action="store_true", help="tell, and do nothing")
    for letter, name, text in (("i", "include", "only"), ("x", "exclude", "nothing")):
        parser.add_argument(
            *(f"-{letter}", f"--{name}"),
            metavar="PATTERN",
            action="append",
            default=[],
            help=f"{text} that fits; may be given again",
        )
    parser.add_argument(
        *("-p", "--parallel"),
        metavar="N",
        type=int,
        choices=range(1, MAX_PARALLEL + 1),
        default=1,
        help="transfers at a time",
    )


@commands.add("mirror", _add_mirror_arguments)
async def mirror(session: ShellSession, words: Namespace) -> OneShotResult:
    """Make a directory hold what another does."""
    path = (await connect_to(session, words.url)).text
    names = ("up", "delete", "dry_run", "include", "exclude", "parallel")
    wishes = {name: getattr(words, name) for name in names}
    done = await run_mirror(session, words.directory, path, wishes)
    steps = [{"action": one.action, "name": one.name, "size": one.size} for one in done.steps]
    failed = [
        {"action": one.action, "error": error_text(why), "name": one.name}
        for one, why in done.failed
    ]
    failure = done.failed[0][1] if done.failed else None
    return OneShotResult({"failed": failed, "size": done.size, "steps": steps}, failure=failure)
