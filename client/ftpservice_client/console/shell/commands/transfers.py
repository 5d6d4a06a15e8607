"""Words that move files: get, put and their elder cousins; and what goes before them of old."""

from __future__ import annotations

from ftpservice_client import NotFound
from ftpservice_client.console.session.file_transfer import Care, fetch, send
from ftpservice_client.console.session.line_parser import Argument
from ftpservice_client.console.session.name_expansion import (
    is_pattern,
    last_part,
    local_files,
    local_path,
    local_target,
    remote_files,
    require_distinct,
)
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import MANY, Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given, Option

__all__ = ["words"]

words = WordTable()

CONTINUE = Option("c", "continue", "go on with what is there of it already")
VERIFY = Option("v", "verify", "compare digests afterwards, where the server has them")
PRESERVE = Option("p", "preserve", "keep the modification time, where the server can set it")
APPEND = Option("a", "append", "add to the end of the file there")

REMOTE_NAME = Takes("[<name>]", (Side.REMOTE,), most=1, whole=True)
LOCAL_NAME = Takes("[<file>]", (Side.LOCAL,), most=1, whole=True)


@words.add(
    "get",
    "recv",
    takes=Takes("[<name> [<file>]]", (Side.REMOTE, Side.LOCAL), most=2),
    options=(CONTINUE, VERIFY),
)
async def get(session: Session, given: Given) -> None:
    """Fetch a file; without a name, ask for it."""
    name = given.text(0) or await session.ask("File there")
    to = given.arguments[1] if len(given.arguments) > 1 else None
    try:
        await fetch(session, name, await local_target(session, name, to), _care(given))
    except NotFound as error:
        if given.arguments and is_pattern(given.arguments[0]):
            raise NotFound(f"{name}: no such file; mget takes patterns", error.reply) from error
        raise


@words.add("dwld", "retr", takes=REMOTE_NAME)
async def fetch_here(session: Session, given: Given) -> None:
    """Fetch a file into this directory; its name may hold spaces."""
    name = given.text(0) or await session.ask("File there")
    await fetch(session, name, await local_target(session, name, None), _care(given))


@words.add(
    "mget",
    takes=Takes("<pattern>...", (Side.REMOTE,), least=1, most=MANY),
    options=(CONTINUE, VERIFY),
)
async def get_many(session: Session, given: Given) -> None:
    """Fetch every file whose name fits."""
    names = list(dict.fromkeys(await remote_files(session, given.arguments)))
    require_distinct(map(last_part, names))
    for name in names:
        await fetch(session, name, await local_target(session, name, None), _care(given))


@words.add(
    "put",
    "send",
    takes=Takes("[<file> [<name>]]", (Side.LOCAL, Side.REMOTE), most=2),
    options=(APPEND, CONTINUE, VERIFY, PRESERVE),
    changes=True,
)
async def put(session: Session, given: Given) -> None:
    """Send a file; without a name, ask for it."""
    first = given.arguments[0] if given.arguments else Argument(await session.ask("File here"))
    path = local_path(first)
    name = given.text(1)
    name = f"{name}{path.name}" if name.endswith("/") else name or path.name
    await send(session, path, name, _care(given))


@words.add("upld", "stor", takes=LOCAL_NAME, changes=True)
async def send_here(session: Session, given: Given) -> None:
    """Send a file into this directory; its name may hold spaces."""
    text = given.text(0) or await session.ask("File here")
    path = local_path(Argument(text))
    await send(session, path, path.name, Care())


@words.add(
    "mput",
    takes=Takes("<pattern>...", (Side.LOCAL,), least=1, most=MANY),
    options=(CONTINUE, VERIFY, PRESERVE),
    changes=True,
)
async def put_many(session: Session, given: Given) -> None:
    """Send every file here whose name fits."""
    paths = list(dict.fromkeys(await local_files(session, given.arguments)))
    require_distinct(path.name for path in paths)
    for path in paths:
        await send(session, path, path.name, _care(given))


@words.add("binary", "bin")
async def binary(_session: Session, _given: Given) -> None:
    """Do nothing: files always go as they are, byte by byte."""


@words.add("prompt")
async def prompt(_session: Session, _given: Given) -> None:
    """Do nothing: mget, mput and rm never ask."""


def _care(given: Given) -> Care:
    return Care(
        given.has(CONTINUE.name),
        given.has(VERIFY.name),
        given.has(APPEND.name),
        given.has(PRESERVE.name),
    )
