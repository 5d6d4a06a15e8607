"""A test with a third-party client leaves no open resources and no logged errors."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.support.open_resources import LoggedErrors, OpenResources, until


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Compare open resources before the service starts and after it has stopped."""
    pytest_twisted.blockon(deferToThread(lambda: None))  # what the reactor opens once, is open
    before = OpenResources()
    with LoggedErrors() as complaints:
        yield
    gc.collect()
    pytest_twisted.blockon(Deferred.fromCoroutine(until(lambda: not before.leaks(), before.leaks)))
    assert complaints.lines == []
