"""What takes minutes runs by ``make cluster`` only."""

from __future__ import annotations

import os

import pytest

__all__ = ["IS_WHOLE", "needs_everything"]

IS_WHOLE = os.environ.get("FTPSERVICE_CLUSTER") == "whole"
"""Whether everything is to be tested, however long it takes."""

needs_everything = pytest.mark.skipif(not IS_WHOLE, reason="runs by make cluster")
