"""A fast collection: without coverage, and with the work of rewriting shared by the workers.

Each worker of pytest-xdist collects all tests. Measured, that takes several times as long, and in a
fresh checkout each of them would rewrite the assertions of all test files at the same time.
"""

from __future__ import annotations

import gc
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import pytest

from tests.support.service_process import CHECKOUT

__all__ = ["fast_collection"]

TESTS = CHECKOUT / "tests"
MEASURED = "ftpservice"
NOT_LOADED = ("__main__", "migrations")
"""Parts of modules that do something when they are loaded."""


@contextmanager
def fast_collection(config: pytest.Config) -> Iterator[None]:
    """Collect within this: coverage is measured before and after only."""
    plugin = config.pluginmanager.get_plugin("_cov")
    measurement = None if plugin is None else plugin.cov_controller
    if measurement is not None:
        load_measured()
        measurement.pause()
    gc.disable()
    load_share(config)
    try:
        yield
    finally:
        gc.enable()
        if measurement is not None:
            measurement.resume()


def load_measured() -> None:
    """Load all modules of the service, whose lines are carried out only once then."""
    package = import_module(MEASURED)
    for found in pkgutil.walk_packages(package.__path__, f"{MEASURED}."):
        if not any(part in NOT_LOADED for part in found.name.split(".")):
            with suppress(ImportError):  # an extra is missing
                import_module(found.name)


def load_share(config: pytest.Config) -> None:
    """Load this worker's share of the test files first, which writes what the others read then."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None or config.args != [TESTS.name] or config.getoption("ignore"):
        return
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted(TESTS.rglob("test_*.py"))[number::count]:
        name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
        with suppress(Exception, pytest.skip.Exception):  # reported when it is collected
            import_module(name)
