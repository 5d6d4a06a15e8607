"""``python -m tests.support.shifted_clock DAYS FAULT ...``: ftpservice, whose clock is set ahead.

Files get their times from the kernel, so for the service they are that much older. The faults are
those of `tests.support.injected_faults`.
"""

from __future__ import annotations

import sys
import time

from tests.support.injected_faults import inject

__all__: list[str] = []


def shift(seconds: float) -> None:
    """Set the clock of this process ahead."""
    real = time.time
    time.time = lambda: real() + seconds


if __name__ == "__main__":
    shift(float(sys.argv.pop(1)) * 86_400)
    fault = sys.argv.pop(1)
    from ftpservice.admin.cli import main

    inject(fault)
    main()
