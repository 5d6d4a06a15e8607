"""Services with two worker processes: one for each test, and one for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service_process import Program
from tests.support.worker_service import (
    ACCOUNTS,
    LOOPBACK,
    SERVE,
    ask,
    serving,
    wait_for,
    write_accounts,
)


@pytest.fixture
def accounts(tmp_path: Path) -> None:
    """Accounts in the directory of the test."""
    write_accounts(tmp_path)


@pytest.fixture
def running(tmp_path: Path, accounts: None) -> Iterator[Program]:
    """A service that the test may stop."""
    with Program([*SERVE, LOOPBACK, ACCOUNTS, "--grace=20"], tmp_path) as program:
        program.port()
        yield program


@pytest.fixture(scope="module")
def service_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The service that the tests of a module use one after the other."""
    directory = tmp_path_factory.mktemp("service")
    write_accounts(directory)
    with serving(directory, "--http=tcp:0:interface=127.0.0.1", "--metrics=on") as running:
        yield running


@pytest.fixture
def served(service_of_module: Program) -> Program:
    """The service of the module, which has no sessions yet and must not be stopped."""
    directory = service_of_module.directory
    try:
        wait_for(lambda: ask(directory, "who") == [], "there are still sessions")
    except AssertionError:  # of one test, which must not fail all that follow
        ask(directory, "kick", network="0.0.0.0/0")
        raise
    return service_of_module
