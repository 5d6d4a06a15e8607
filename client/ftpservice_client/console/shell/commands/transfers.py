"""Commands that transfer files: get, put, mget, mput, cat, less, mirror."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from ftpservice_client import NotFound
from ftpservice_client.console.session import options
from ftpservice_client.console.session.errors import ConsoleError, UsageError
from ftpservice_client.console.session.file_transfer import (
    TransferFlags,
    download_file,
    show_file,
    upload_file,
)
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.name_expansion import (
    base_name,
    expand_local_files,
    expand_remote_files,
    is_pattern,
    local_path,
    local_target,
    require_distinct,
)
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.session.trees import mirror_tree
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import (
    UNLIMITED,
    ArgumentSpec,
    CompletionSource,
    ShellCommandTable,
)
from ftpservice_client.mirror.mirror import DEFAULT_PARALLEL

__all__ = ["commands"]

commands = ShellCommandTable()

REMOTE_NAME = ArgumentSpec(
    "[<name>]", (CompletionSource.REMOTE,), max_count=1, is_rest_of_line=True
)
LOCAL_NAME = ArgumentSpec("[<file>]", (CompletionSource.LOCAL,), max_count=1, is_rest_of_line=True)
DEFAULT_PAGER = "less"
REMOTE_FILE_QUESTION = "Remote file"
LOCAL_FILE_QUESTION = "Local file"


def _transfer_flags(arguments: ParsedArguments) -> TransferFlags:
    return TransferFlags(
        arguments.has(options.CONTINUE),
        arguments.has(options.VERIFY),
        arguments.has(options.APPEND),
        arguments.has(options.PRESERVE),
    )


async def _download_to(
    session: ConsoleSession, name: str, target: ShellArgument | None, arguments: ParsedArguments
) -> None:
    path = await local_target(session, name, target)
    await download_file(session, name, path, _transfer_flags(arguments))


@commands.add(
    "get",
    "recv",
    arguments=ArgumentSpec(
        "[<name> [<file>]]", (CompletionSource.REMOTE, CompletionSource.LOCAL), max_count=2
    ),
    options=(options.CONTINUE, options.VERIFY),
)
async def get(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Download a file; without a name, ask for it."""
    name = arguments.text(0) or await session.ask(REMOTE_FILE_QUESTION)
    target = arguments.positional[1] if len(arguments.positional) > 1 else None
    try:
        await _download_to(session, name, target, arguments)
    except NotFound as error:
        if arguments.positional and is_pattern(arguments.positional[0]):
            raise NotFound(f"{name}: no such file; use mget for patterns", error.reply) from error
        raise


@commands.add("dwld", "retr", arguments=REMOTE_NAME)
async def get_one(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Download a file to the current directory; its name may hold spaces."""
    name = arguments.text(0) or await session.ask(REMOTE_FILE_QUESTION)
    await _download_to(session, name, None, arguments)


@commands.add(
    "mget",
    arguments=ArgumentSpec("<pattern>...", (CompletionSource.REMOTE,), 1, UNLIMITED),
    options=(options.CONTINUE, options.VERIFY),
)
async def get_many(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Download all files that match."""
    names = list(dict.fromkeys(await expand_remote_files(session, arguments.positional)))
    require_distinct(map(base_name, names))
    for name in names:
        await _download_to(session, name, None, arguments)


@commands.add(
    "put",
    "send",
    arguments=ArgumentSpec(
        "[<file> [<name>]]", (CompletionSource.LOCAL, CompletionSource.REMOTE), max_count=2
    ),
    options=(options.APPEND, options.CONTINUE, options.VERIFY, options.PRESERVE),
    invalidates_listings=True,
)
async def put(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Upload a file; without a name, ask for it."""
    if arguments.positional:
        path = local_path(arguments.positional[0])
    else:
        path = local_path(ShellArgument(await session.ask(LOCAL_FILE_QUESTION)))
    name = arguments.text(1)
    name = f"{name}{path.name}" if name.endswith("/") else name or path.name
    await upload_file(session, path, name, _transfer_flags(arguments))


@commands.add("upld", "stor", arguments=LOCAL_NAME, invalidates_listings=True)
async def put_one(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Upload a file to the remote directory; its name may hold spaces."""
    path = local_path(ShellArgument(arguments.text(0) or await session.ask(LOCAL_FILE_QUESTION)))
    await upload_file(session, path, path.name, TransferFlags())


@commands.add(
    "mput",
    arguments=ArgumentSpec("<pattern>...", (CompletionSource.LOCAL,), 1, UNLIMITED),
    options=(options.CONTINUE, options.VERIFY, options.PRESERVE),
    invalidates_listings=True,
)
async def put_many(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Upload all local files that match."""
    paths = list(dict.fromkeys(await expand_local_files(session, arguments.positional)))
    require_distinct(path.name for path in paths)
    for path in paths:
        await upload_file(session, path, path.name, _transfer_flags(arguments))


@commands.add("binary", "bin")
async def binary(_session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Do nothing: all transfers are binary."""


@commands.add("prompt")
async def prompt(_session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Do nothing: mget, mput and rm never ask for confirmation."""


@commands.add("cat", arguments=ArgumentSpec("<name>...", (CompletionSource.REMOTE,), 1, UNLIMITED))
async def cat(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Show the contents of files."""
    for name in await expand_remote_files(session, arguments.positional):
        await show_file(session, name)


@commands.add(
    "less",
    "more",
    arguments=ArgumentSpec("<name>", (CompletionSource.REMOTE,), 1, 1, is_rest_of_line=True),
)
async def less(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Show a file with $PAGER (by default less)."""
    name = arguments.text(0)
    directory = await session.in_thread(mkdtemp, "", "ftpservice-")
    try:
        path = Path(directory) / base_name(name)
        await download_file(session, name, path, TransferFlags())
        await session.lend_terminal(_run_pager, path)
    finally:
        await session.in_thread(rmtree, directory)


def _run_pager(path: Path) -> None:
    command = [*shlex.split(os.environ.get("PAGER") or DEFAULT_PAGER), str(path.absolute())]
    try:
        subprocess.run(command, check=False)
    except OSError:
        raise ConsoleError(f"Cannot run {command[0]}; set PAGER to another program.") from None


@commands.add(
    "mirror",
    arguments=ArgumentSpec(
        "<from> [<to>]",
        (CompletionSource.REMOTE_DIRECTORY, CompletionSource.LOCAL_DIRECTORY),
        1,
        2,
        reversed_by=options.UP,
    ),
    options=(
        options.UP,
        options.DELETE,
        options.DRY_RUN,
        options.INCLUDE,
        options.EXCLUDE,
        options.PARALLEL,
    ),
    invalidates_listings=True,
)
async def mirror(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Make a local directory a copy of a remote one; with -u, the other way round."""
    local, path = _mirror_directories(arguments)
    result = await mirror_tree(
        session,
        local,
        path,
        {
            "up": arguments.has(options.UP),
            "delete": arguments.has(options.DELETE),
            "dry_run": arguments.has(options.DRY_RUN),
            "include": arguments.values(options.INCLUDE),
            "exclude": arguments.values(options.EXCLUDE),
            "parallel": _parallel_count(arguments),
        },
    )
    if result.failed:
        raise ConsoleError(f"Failed steps: {len(result.failed)}")


def _mirror_directories(arguments: ParsedArguments) -> tuple[Path, str]:
    """Return the local and the remote directory."""
    first, *second = arguments.positional
    if arguments.has(options.UP):
        local = local_path(first)
        return local, second[0].text if second else base_name(first.text)
    local = local_path(second[0]) if second else Path(base_name(first.text))
    return local, first.text


def _parallel_count(arguments: ParsedArguments) -> int:
    text = (arguments.values(options.PARALLEL) or (str(DEFAULT_PARALLEL),))[-1]
    if not text.isdecimal() or not 1 <= int(text) <= options.MAX_PARALLEL:
        raise UsageError(f"Option -p requires a number from 1 to {options.MAX_PARALLEL}")
    return int(text)
