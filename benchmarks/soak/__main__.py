"""The command: runs, prints the report, and exits with status 1 if something is left over."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import raise_limits
from benchmarks.soak.options import parse
from benchmarks.soak.run import SoakRun

__all__ = ["main"]


def main() -> None:
    """Run with the options of the command line."""
    choice = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_limits()
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=choice.directory))
    try:
        report = SoakRun(choice, folder).run()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    report.write(choice.output)
    print(report.text())
    print(f"written: {choice.output}/soak.json, .txt")
    if report.problems:
        print(f"kept: {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
