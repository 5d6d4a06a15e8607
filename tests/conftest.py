"""What all tests share: the real reactor, and the option that makes a skipped test fail the run."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.collection import fast_collection
from tests.support.postgresql import PASSWORD, PostgreSQL, postgresql_directory
from tests.support.run_watcher import watch_run
from tests.support.store_cases import StoreCase

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so, and the programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-skips``."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect without coverage; what imports need is shared by the workers."""
    with fast_collection(session.config):
        return (yield)


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection, which hundreds of tests ask for."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped tests, if that was asked for; the summary names them."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if session.config.getoption("--no-skips") and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True, scope="session")
def watched() -> None:
    """Have what the tests start end with them; begun early, as some tests count descriptors."""
    watch_run()


@pytest.fixture
def reactor():
    """The real reactor."""
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can enter and list (those of pytest are private)."""
    with tempfile.TemporaryDirectory(prefix="ftpservice-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for all tests, which create databases of their own."""
    if postgresql_directory() is None:
        pytest.skip("postgresql is not installed")
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["passwd", "sqlite", "postgresql"])
def store_case(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StoreCase:
    """Each kind of account store that can be changed, empty and ready for use."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return StoreCase(request.param, tmp_path, server)
