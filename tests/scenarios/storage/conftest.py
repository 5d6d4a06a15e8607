"""Tests of local storage use its pool, except those marked ``AT_ONCE``."""

from tests.support.local_source import everything_in_the_pool

__all__ = ["everything_in_the_pool"]
