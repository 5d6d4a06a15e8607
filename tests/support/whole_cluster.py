"""What takes minutes runs by ``make cluster`` only."""

from __future__ import annotations

import os

__all__ = ["IS_WHOLE"]

IS_WHOLE = os.environ.get("FTPSERVICE_CLUSTER") == "whole"
"""Whether everything is to be tested, however long it takes."""
