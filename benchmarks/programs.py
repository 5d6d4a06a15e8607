"""The parts in C, compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["KEEPER", "LOAD", "SLOW_DISK", "compiled"]

HERE = Path(__file__).parent
LOAD = "load"
KEEPER = "keeper"
SLOW_DISK = "slowdisk.so"
FLAGS = ("-O2", "-Wall", "-Wextra")


def compiled(into: Path) -> None:
    """Compile the C programs into a directory; exits if there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("benchmarks: a C compiler is missing: apt install build-essential")
    sources = sorted((HERE / "load").glob("*.c"))
    _run(compiler, *FLAGS, "-pthread", "-o", into / LOAD, *sources)
    _run(compiler, *FLAGS, "-o", into / KEEPER, HERE / "keeper.c")
    _run(compiler, *FLAGS, "-shared", "-fPIC", "-o", into / SLOW_DISK, HERE / "slowdisk.c", "-ldl")


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"benchmarks: cannot compile:\n{done.stdout.decode(errors='replace')}")
