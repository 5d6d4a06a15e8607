"""A worker without descriptors leaves connections to the others, as long as these have some."""

from __future__ import annotations

import ftplib
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.support.limited_process import descriptor_count, limit_descriptors, socket_count
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


def test_sessions_are_accepted_by_the_worker_that_has_descriptors(
    running: Program, tmp_path: Path
) -> None:
    full, other = children(running.process.pid)
    limit_descriptors(full, descriptor_count(full))
    with ExitStack() as stack:
        for _ in range(MORE):  # what was open for a moment at the start may be free
            with suppress(ftplib.error_temp):
                stack.enter_context(closing(login(running.port())))
        before = socket_count(full)
        for _ in range(SESSIONS):
            stack.enter_context(closing(login(running.port())))
        assert socket_count(full) == before
        limit_descriptors(other, descriptor_count(other))
        with pytest.raises(ftplib.error_temp, match="421 Out of resources"):
            for _ in range(MORE):
                stack.enter_context(closing(login(running.port())))
        limit_descriptors(full, 1000)
        wait_for(lambda: can_log_in(running.port()))
        for _ in range(MORE):
            stack.enter_context(closing(login(running.port())))
    wait_for(lambda: ask(tmp_path, "who") == [])
    limit_descriptors(other, 1000)
    wait_for(lambda: can_log_in(running.port()))
