"""The single commands that move files: get, put, cat, mirror."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from ftpservice_client import Transfer
from ftpservice_client.console.oneshot.command_table import Answer, ShotTable, arrive
from ftpservice_client.console.session.errors import Usage
from ftpservice_client.console.session.exit_status import explain
from ftpservice_client.console.session.file_transfer import Care, fetch, send, show
from ftpservice_client.console.session.line_parser import Argument
from ftpservice_client.console.session.mirror import MOST_PARALLEL, mirrored
from ftpservice_client.console.session.name_expansion import (
    is_pattern,
    local_target,
    remote_files,
    require_distinct,
)
from ftpservice_client.console.session.session import Session

__all__ = ["shots"]

shots = ShotTable()

STREAM = "-"
CLASH = "--json and a file cannot both go to the output"


def _carefully(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--continue", dest="resume", action="store_true", help="go on with what is there"
    )
    parser.add_argument("--verify", action="store_true", help="compare digests afterwards")


def _get(parser: ArgumentParser) -> None:
    _carefully(parser)
    parser.add_argument("url", metavar="URL", help="its last part may hold wildcards")
    parser.add_argument("to", metavar="FILE", nargs="?", help="or a directory, or - for the output")


@shots.add("get", _get)
async def get(session: Session, words: Namespace) -> Answer:
    """Fetch a file, or all whose names fit."""
    if words.to == STREAM and words.json:
        raise Usage(CLASH)
    wanted = await arrive(session, words.url)
    names = await remote_files(session, [wanted])
    if words.to == STREAM:
        return Answer({"files": [_facts(await show(session, name)) for name in names]})
    care = Care(words.resume, words.verify)
    into = _target(words.to, several=is_pattern(wanted))
    files: list[dict[str, Any]] = []
    for name in names:
        to = await local_target(session, name, into)
        files.append(_facts(await fetch(session, name, to, care)) | {"file": str(to)})
    return Answer({"files": files})


def _target(text: str | None, *, several: bool) -> Argument | None:
    """Return where files go: ``several`` of them, into a directory."""
    if text is None:
        return None
    return Argument(f"{text}/" if several and not text.endswith("/") else text)


def _put(parser: ArgumentParser) -> None:
    _carefully(parser)
    parser.add_argument("-a", "--append", action="store_true", help="add to the file there")
    parser.add_argument("-p", "--preserve", action="store_true", help="keep the time of the file")
    parser.add_argument("url", metavar="URL", help="of a file; of a directory if it ends with /")
    parser.add_argument("files", metavar="FILE", nargs="+", help="or - for the input")


@shots.add("put", _put)
async def put(session: Session, words: Namespace) -> Answer:
    """Send files."""
    path = (await arrive(session, words.url)).text
    into = not path or path.endswith("/")
    if not into and len(words.files) > 1:
        raise Usage("several files go to a directory: a URL that ends with /")
    if into and STREAM in words.files:
        raise Usage("- has no name: the URL has to end with one")
    require_distinct(Path(text).name if into else path for text in words.files)
    care = Care(words.resume, words.verify, words.append, words.preserve)
    files: list[dict[str, Any]] = []
    for text in words.files:
        source = sys.stdin.buffer if text == STREAM else Path(text)
        name = f"{path}{Path(text).name}" if into else path
        files.append(_facts(await send(session, source, name, care)) | {"file": text})
    return Answer({"files": files})


def _facts(done: Transfer) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": done.name, "size": done.size}
    if done.digest is not None:
        facts |= {"algorithm": done.digest.algorithm, "digest": done.digest.value}
    if done.note:
        facts["note"] = done.note
    return facts


def _cat(parser: ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help="its last part may hold wildcards")


@shots.add("cat", _cat)
async def cat(session: Session, words: Namespace) -> Answer:
    """Write files to the output."""
    if words.json:
        raise Usage(CLASH)
    for url in words.urls:
        for name in await remote_files(session, [await arrive(session, url)]):
            await show(session, name)
    return Answer({})


def _mirror(parser: ArgumentParser) -> None:
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
        choices=range(1, MOST_PARALLEL + 1),
        default=1,
        help="transfers at a time",
    )


@shots.add("mirror", _mirror)
async def mirror(session: Session, words: Namespace) -> Answer:
    """Make a directory hold what another does."""
    path = (await arrive(session, words.url)).text
    names = ("up", "delete", "dry_run", "include", "exclude", "parallel")
    wishes = {name: getattr(words, name) for name in names}
    done = await mirrored(session, words.directory, path, wishes)
    steps = [{"action": one.action, "name": one.name, "size": one.size} for one in done.steps]
    failed = [
        {"action": one.action, "error": explain(why), "name": one.name} for one, why in done.failed
    ]
    failure = done.failed[0][1] if done.failed else None
    return Answer({"failed": failed, "size": done.size, "steps": steps}, failure=failure)
