"""``ftpservice trace``: writes the transcript of a running session or of an account."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import click

from ftpservice.admin.activity.event_follow import received

__all__ = ["TraceFailed", "write_trace"]

FILE_MODE = 0o600
NOTICE = "the trace has begun"


class TraceFailed(Exception):
    """The file cannot be written; ``str`` of it says why."""


def write_trace(socket_path: str, wanted: Mapping[str, Any], file: str | None) -> None:
    """Write the records that come, to ``file`` or stdout, until the trace ends.

    The trace of one session ends with it. Raises `TraceFailed` and what `received` raises.
    """
    with closing(received(socket_path, {"command": "trace", **wanted}, NOTICE)) as records:
        header = next(records)  # before the file is made: the service may refuse
        with suppress(KeyboardInterrupt, BrokenPipeError), _line_writer(file) as write:
            write(json.dumps(header))
            _write_records(records, write, follows=header["follows"])


def _write_records(
    records: Iterator[Mapping[str, Any]], write: Callable[[str], None], follows: bool
) -> None:
    """Write records, until the session ends that is not followed by others."""
    for record in records:
        write(json.dumps(record))
        if "closed" in record and not follows:
            return


@contextmanager
def _line_writer(path: str | None) -> Iterator[Callable[[str], None]]:
    """Yield what writes a line, to a new file that only this user can read, or to stdout."""
    if path is None:
        yield click.echo
        return
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise TraceFailed(f"{path}: {error.strerror}") from None

    def write(line: str) -> None:
        try:
            file.write(f"{line}\n".encode())
        except OSError as error:
            raise TraceFailed(f"{path}: {error.strerror}; the trace has ended") from None

    with open(number, "wb", buffering=0) as file:
        yield write
