"""A worker without descriptors leaves connections to the others, as long as these have some."""

from __future__ import annotations

import ftplib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.limited_process import descriptor_count, limit_descriptors, open_sockets
from tests.support.service_process import Program
from tests.support.worker_service import (
    ask,
    can_log_in,
    children,
    login,
    serving,
    wait_for,
    write_accounts,
)

SESSIONS, MORE = 20, 6


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    write_accounts(tmp_path)
    with serving(tmp_path) as program:
        yield program


def refusal(port: int, stack: ExitStack) -> str:
    """Log in; return why that was refused. With the last descriptor a session may still begin."""
    try:
        stack.enter_context(closing(login(port)))
    except ftplib.error_temp as error:
        return str(error)
    return ""


def test_sessions_are_accepted_by_the_worker_that_has_descriptors(
    running: Program, tmp_path: Path
) -> None:
    full, other = children(running.process.pid)
    limit_descriptors(full, descriptor_count(full))
    with ExitStack() as stack:

        def has_taken_none() -> bool:  # it may: what was open for a moment at the start is free
            before = open_sockets(full)
            for _ in range(MORE):
                refusal(running.port(), stack)
            return open_sockets(full) == before

        wait_for(has_taken_none)
        before = open_sockets(full)
        for _ in range(SESSIONS):
            stack.enter_context(closing(login(running.port())))
        assert open_sockets(full) <= before
        limit_descriptors(other, descriptor_count(other))
        wait_for(lambda: "421 Out of resources" in refusal(running.port(), stack))
        limit_descriptors(full, 1000)
        wait_for(lambda: not any(refusal(running.port(), stack) for _ in range(MORE)))
    wait_for(lambda: ask(tmp_path, "who") == [])
    limit_descriptors(other, 1000)
    wait_for(lambda: can_log_in(running.port()))
