"""Words that move files: get, put and their elder cousins; and what goes before them of old."""

from __future__ import annotations

from ftpservice_client import NotFound
from ftpservice_client.console.session.file_transfer import (
    TransferFlags,
    download_file,
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
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    UNLIMITED,
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import Option, ParsedArguments

__all__ = ["commands"]

commands = CommandTable()

CONTINUE = Option("c", "continue", "go on with what is there of it already")
VERIFY = Option("v", "verify", "compare digests afterwards, where the server has them")
PRESERVE = Option("p", "preserve", "keep the modification time, where the server can set it")
APPEND = Option("a", "append", "add to the end of the file there")

REMOTE_NAME = ArgumentSpec("[<name>]", (CompletionSource.REMOTE,), most=1, whole=True)
LOCAL_NAME = ArgumentSpec("[<file>]", (CompletionSource.LOCAL,), most=1, whole=True)


@commands.add(
    "get",
    "recv",
    takes=ArgumentSpec(
        "[<name> [<file>]]", (CompletionSource.REMOTE, CompletionSource.LOCAL), most=2
    ),
    options=(CONTINUE, VERIFY),
)
async def get(session: ShellSession, given: ParsedArguments) -> None:
    """Fetch a file; without a name, ask for it."""
    name = given.text(0) or await session.ask("File there")
    to = given.arguments[1] if len(given.arguments) > 1 else None
    try:
        await download_file(
            session, name, await local_target(session, name, to), _transfer_flags(given)
        )
    except NotFound as error:
        if given.arguments and is_pattern(given.arguments[0]):
            raise NotFound(f"{name}: no such file; mget takes patterns", error.reply) from error
        raise


@commands.add("dwld", "retr", takes=REMOTE_NAME)
async def fetch_here(session: ShellSession, given: ParsedArguments) -> None:
    """Fetch a file into this directory; its name may hold spaces."""
    name = given.text(0) or await session.ask("File there")
    await download_file(
        session, name, await local_target(session, name, None), _transfer_flags(given)
    )


@commands.add(
    "mget",
    takes=ArgumentSpec("<pattern>...", (CompletionSource.REMOTE,), least=1, most=UNLIMITED),
    options=(CONTINUE, VERIFY),
)
async def get_many(session: ShellSession, given: ParsedArguments) -> None:
    """Fetch every file whose name fits."""
    names = list(dict.fromkeys(await expand_remote_files(session, given.arguments)))
    require_distinct(map(base_name, names))
    for name in names:
        await download_file(
            session, name, await local_target(session, name, None), _transfer_flags(given)
        )


@commands.add(
    "put",
    "send",
    takes=ArgumentSpec(
        "[<file> [<name>]]", (CompletionSource.LOCAL, CompletionSource.REMOTE), most=2
    ),
    options=(APPEND, CONTINUE, VERIFY, PRESERVE),
    changes=True,
)
async def put(session: ShellSession, given: ParsedArguments) -> None:
    """Send a file; without a name, ask for it."""
    first = given.arguments[0] if given.arguments else ShellArgument(await session.ask("File here"))
    path = local_path(first)
    name = given.text(1)
    name = f"{name}{path.name}" if name.endswith("/") else name or path.name
    await upload_file(session, path, name, _transfer_flags(given))


@commands.add("upld", "stor", takes=LOCAL_NAME, changes=True)
async def send_here(session: ShellSession, given: ParsedArguments) -> None:
    """Send a file into this directory; its name may hold spaces."""
    text = given.text(0) or await session.ask("File here")
    path = local_path(ShellArgument(text))
    await upload_file(session, path, path.name, TransferFlags())


@commands.add(
    "mput",
    takes=ArgumentSpec("<pattern>...", (CompletionSource.LOCAL,), least=1, most=UNLIMITED),
    options=(CONTINUE, VERIFY, PRESERVE),
    changes=True,
)
async def put_many(session: ShellSession, given: ParsedArguments) -> None:
    """Send every file here whose name fits."""
    paths = list(dict.fromkeys(await expand_local_files(session, given.arguments)))
    require_distinct(path.name for path in paths)
    for path in paths:
        await upload_file(session, path, path.name, _transfer_flags(given))


@commands.add("binary", "bin")
async def binary(_session: ShellSession, _given: ParsedArguments) -> None:
    """Do nothing: files always go as they are, byte by byte."""


@commands.add("prompt")
async def prompt(_session: ShellSession, _given: ParsedArguments) -> None:
    """Do nothing: mget, mput and rm never ask."""


def _transfer_flags(given: ParsedArguments) -> TransferFlags:
    return TransferFlags(
        given.has(CONTINUE.name),
        given.has(VERIFY.name),
        given.has(APPEND.name),
        given.has(PRESERVE.name),
    )
