"""Tests of storage on the disk are about its pool, except those marked ``AT_ONCE``."""

from tests.support.local_source import everything_in_the_pool

__all__ = ["everything_in_the_pool"]
