"""A login to the page in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.page_in_memory import PageInMemory


@pytest.fixture
def page() -> Iterator[PageInMemory]:
    """A page whose account ``ann`` is logged in."""
    made = PageInMemory()
    made.log_in()
    made.events.clear()
    yield made
    made.stop()
