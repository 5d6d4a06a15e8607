"""One file moved, with a bar while it takes and a line when it is done."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ftpservice.wire.entry import Kind
from ftpservice_client import ClientError, Denied, Exists, LocalProblem, NotFound, Transfer
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.terminal.consumer import TerminalWriter
from ftpservice_client.console.terminal.format import amount, rate
from ftpservice_client.console.terminal.progress import Meter
from ftpservice_client.console.terminal.progress_rows import Count

__all__ = ["Care", "fetch", "send", "show"]


@dataclass(frozen=True)
class Care:
    """How a transfer is to be done."""

    resume: bool = False
    verify: bool = False
    append: bool = False
    keep_time: bool = False


async def fetch(session: Session, name: str, to: Path, care: Care) -> Transfer:
    """Download to a file here; a directory is refused in as many words."""
    count = Count(name)
    device = await session.aside(_opened_device, to)
    try:
        with Meter(count.rows, session.screen, session.reactor), device or nullcontext():
            done = await session.client.download(
                name, device or to, resume=care.resume, verify=care.verify, progress=count
            )
    except (NotFound, Exists, Denied) as error:
        if await _is_directory_there(session, name):
            text = f"{name} is a directory: mirror fetches those"
            raise Exists(text, error.reply) from error
        raise
    _tell(session, "Downloaded", done)
    return done


def _opened_device(path: Path) -> BinaryIO | None:
    """Open what takes bytes and keeps none, as /dev/null; None for what is to become a file."""
    with suppress(OSError):
        if path.is_char_device():
            return path.open("wb", buffering=0)
    return None


async def send(session: Session, source: Path | BinaryIO, name: str, care: Care) -> Transfer:
    """Upload under ``name``; a directory is refused in as many words."""
    if isinstance(source, Path) and await session.aside(source.is_dir):
        raise LocalProblem(f"{source} is a directory: mirror -u sends those")
    count = Count(name)
    with Meter(count.rows, session.screen, session.reactor):
        done = await session.client.upload(
            source,
            name,
            append=care.append,
            resume=care.resume,
            verify=care.verify,
            keep_time=care.keep_time,
            progress=count,
        )
    if care.keep_time and not done.keeps_time:
        session.screen.complain(f"The server does not keep the time of {name}.")
    _tell(session, "Uploaded", done)
    return done


async def show(session: Session, name: str) -> Transfer:
    """Download to the output: as it is, or, on a terminal, made visible."""
    screen = session.screen
    if not screen.terminal:
        return _noted(session, await session.client.download(name, screen.raw))
    writer = TerminalWriter(screen)
    try:
        done = await session.client.download(name, writer)
    finally:
        writer.end_line()
    return _noted(session, done)


async def _is_directory_there(session: Session, name: str) -> bool:
    try:
        return (await session.client.stat(name)).kind is Kind.DIRECTORY
    except ClientError:
        return False


def _tell(session: Session, what: str, done: Transfer) -> None:
    speed = rate(done.size, done.seconds)
    size = amount(done.size)
    session.screen.remark(f"{what} file: {done.name} ({size}){speed and f', {speed}'}")
    _noted(session, done)


def _noted(session: Session, done: Transfer) -> Transfer:
    """Tell what else there is to know, apart from what was asked for."""
    if done.note:
        session.screen.complain(f"{done.name}: {done.note}")
    return done
