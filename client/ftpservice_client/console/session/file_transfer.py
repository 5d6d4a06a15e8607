"""One file moved, with a bar while it takes and a line when it is done."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ftpservice.wire.entry import Kind
from ftpservice_client import (
    AccessDenied,
    AlreadyExists,
    ClientError,
    LocalFileError,
    NotFound,
    TransferResult,
)
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.terminal.consumer import TerminalConsumer
from ftpservice_client.console.terminal.format import format_size, rate
from ftpservice_client.console.terminal.progress import ProgressDisplay
from ftpservice_client.console.terminal.progress_rows import FileProgress

__all__ = ["TransferFlags", "download_file", "show_file", "upload_file"]


@dataclass(frozen=True)
class TransferFlags:
    """How a transfer is to be done."""

    resume: bool = False
    verify: bool = False
    append: bool = False
    keep_time: bool = False


async def download_file(
    session: ShellSession, name: str, to: Path, care: TransferFlags
) -> TransferResult:
    """Download to a file here; a directory is refused in as many words."""
    count = FileProgress(name)
    device = await session.in_thread(_open_device, to)
    try:
        with ProgressDisplay(count.rows, session.screen, session.reactor), device or nullcontext():
            done = await session.client.download(
                name, device or to, resume=care.resume, verify=care.verify, progress=count
            )
    except (NotFound, AlreadyExists, AccessDenied) as error:
        if await _is_directory_there(session, name):
            text = f"{name} is a directory: mirror fetches those"
            raise AlreadyExists(text, error.reply) from error
        raise
    _report(session, "Downloaded", done)
    return done


def _open_device(path: Path) -> BinaryIO | None:
    """Open what takes bytes and keeps none, as /dev/null; None for what is to become a file."""
    with suppress(OSError):
        if path.is_char_device():
            return path.open("wb", buffering=0)
    return None


async def upload_file(
    session: ShellSession, source: Path | BinaryIO, name: str, care: TransferFlags
) -> TransferResult:
    """Upload under ``name``; a directory is refused in as many words."""
    if isinstance(source, Path) and await session.in_thread(source.is_dir):
        raise LocalFileError(f"{source} is a directory: mirror -u sends those")
    count = FileProgress(name)
    with ProgressDisplay(count.rows, session.screen, session.reactor):
        done = await session.client.upload(
            source,
            name,
            append=care.append,
            resume=care.resume,
            verify=care.verify,
            keep_time=care.keep_time,
            progress=count,
        )
    if care.keep_time and not done.has_kept_time:
        session.screen.complain(f"The server does not keep the time of {name}.")
    _report(session, "Uploaded", done)
    return done


async def show_file(session: ShellSession, name: str) -> TransferResult:
    """Download to the output: as it is, or, on a terminal, made visible."""
    screen = session.screen
    if not screen.terminal:
        return _report_note(session, await session.client.download(name, screen.raw))
    writer = TerminalConsumer(screen)
    try:
        done = await session.client.download(name, writer)
    finally:
        writer.end_line()
    return _report_note(session, done)


async def _is_directory_there(session: ShellSession, name: str) -> bool:
    try:
        return (await session.client.stat(name)).kind is Kind.DIRECTORY
    except ClientError:
        return False


def _report(session: ShellSession, what: str, done: TransferResult) -> None:
    speed = rate(done.size, done.seconds)
    size = format_size(done.size)
    session.screen.remark(f"{what} file: {done.name} ({size}){speed and f', {speed}'}")
    _report_note(session, done)


def _report_note(session: ShellSession, done: TransferResult) -> TransferResult:
    """Tell what else there is to know, apart from what was asked for."""
    if done.note:
        session.screen.complain(f"{done.name}: {done.note}")
    return done
