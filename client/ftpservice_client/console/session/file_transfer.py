"""Transfer of one file, with a progress bar and a status line."""

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
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.terminal.consumer import TerminalConsumer
from ftpservice_client.console.terminal.format import format_rate, format_size
from ftpservice_client.console.terminal.progress import ProgressDisplay
from ftpservice_client.console.terminal.progress_rows import FileProgress

__all__ = ["TransferFlags", "download_file", "show_file", "upload_file"]


@dataclass(frozen=True)
class TransferFlags:
    """Options of a transfer; ``append`` and ``keep_time`` are for uploads."""

    resume: bool = False
    verify: bool = False
    append: bool = False
    keep_time: bool = False


async def download_file(
    session: ConsoleSession, name: str, target: Path, flags: TransferFlags
) -> TransferResult:
    """Download to a local file or character device; the error for a directory names ``mirror``."""
    progress = FileProgress(name)
    device = await session.in_thread(_open_device, target)
    display = ProgressDisplay(progress.rows, session.screen, session.reactor)
    try:
        with display, device or nullcontext():
            result = await session.client.download(
                name,
                device or target,
                resume=flags.resume,
                verify=flags.verify,
                progress=progress,
            )
    except (NotFound, AlreadyExists, AccessDenied) as error:
        if await _is_remote_directory(session, name):
            text = f"{name} is a directory: use mirror to download it"
            raise AlreadyExists(text, error.reply) from error
        raise
    _print_result(session, "Downloaded", result)
    return result


def _open_device(path: Path) -> BinaryIO | None:
    """Open a character device such as ``/dev/null``; return ``None`` for any other path."""
    with suppress(OSError):
        if path.is_char_device():
            return path.open("wb", buffering=0)
    return None


async def upload_file(
    session: ConsoleSession, source: Path | BinaryIO, name: str, flags: TransferFlags
) -> TransferResult:
    """Upload as ``name``; the error for a directory names ``mirror -u``."""
    if isinstance(source, Path) and await session.in_thread(source.is_dir):
        raise LocalFileError(f"{source} is a directory: use mirror -u to upload it")
    progress = FileProgress(name)
    with ProgressDisplay(progress.rows, session.screen, session.reactor):
        result = await session.client.upload(
            source,
            name,
            append=flags.append,
            resume=flags.resume,
            verify=flags.verify,
            keep_time=flags.keep_time,
            progress=progress,
        )
    if flags.keep_time and not result.has_kept_time:
        session.screen.print_error(f"The server did not set the modification time of {name}.")
    _print_result(session, "Uploaded", result)
    return result


async def show_file(session: ConsoleSession, name: str) -> TransferResult:
    """Download to standard output; on a terminal, control characters are escaped."""
    screen = session.screen
    if not screen.is_terminal:
        return _print_note(session, await session.client.download(name, screen.binary_out))
    consumer = TerminalConsumer(screen)
    try:
        result = await session.client.download(name, consumer)
    finally:
        consumer.end_line()
    return _print_note(session, result)


async def _is_remote_directory(session: ConsoleSession, name: str) -> bool:
    try:
        return (await session.client.stat(name)).kind is Kind.DIRECTORY
    except ClientError:
        return False


def _print_result(session: ConsoleSession, verb: str, result: TransferResult) -> None:
    rate = format_rate(result.size, result.seconds)
    size = format_size(result.size)
    session.screen.print_status(f"{verb} file: {result.name} ({size}){rate and f', {rate}'}")
    _print_note(session, result)


def _print_note(session: ConsoleSession, result: TransferResult) -> TransferResult:
    """Print the note of a transfer to standard error; return the result."""
    if result.note:
        session.screen.print_error(f"{result.name}: {result.note}")
    return result
