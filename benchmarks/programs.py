"""Compiles the programs in C."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FAST_CLOCK", "KEEPER", "LOAD", "PEERS", "SLOW_DISK", "compile_fast_clock", "compiled"]

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
"""The directory of ``install-peers``."""
LOAD = "load"
KEEPER = "keeper"
SLOW_DISK = "slowdisk.so"
FAST_CLOCK = "fastclock.so"
FLAGS = ("-O2", "-Wall", "-Wextra")
WITH_TLS, WITHOUT_TLS = "tls.c", "without_tls.c"


def compiled(into: Path) -> bool:
    """Compile the C programs into a directory; exits if that fails.

    Returns whether the load client has TLS, for which the headers of OpenSSL are needed.
    """
    compiler = _compiler()
    openssl = _openssl(compiler)
    left_out = WITH_TLS if openssl is None else WITHOUT_TLS
    sources = [path for path in sorted((HERE / "load").glob("*.c")) if path.name != left_out]
    _run(compiler, *FLAGS, "-pthread", "-o", into / LOAD, *sources, *(openssl or ()))
    _run(compiler, *FLAGS, "-o", into / KEEPER, HERE / "keeper.c")
    _compile_library(compiler, HERE / "slowdisk.c", into / SLOW_DISK)
    return openssl is not None


def compile_fast_clock(into: Path) -> Path:
    """Compile the fast clock into a directory, and return its path; exits if that fails."""
    _compile_library(_compiler(), HERE / "fastclock.c", into / FAST_CLOCK)
    return into / FAST_CLOCK


def _compiler() -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("benchmarks: a C compiler is missing: apt install build-essential")
    return compiler


def _compile_library(compiler: str, source: Path, target: Path) -> None:
    _run(compiler, *FLAGS, "-shared", "-fPIC", "-o", target, source, "-ldl")


def _openssl(compiler: str) -> tuple[str, ...] | None:
    """Return the compiler options for OpenSSL: the system's or that of ``install-peers``."""
    for words in (("-lssl", "-lcrypto"), *_unpacked()):
        probe = (compiler, "-x", "c", "-", "-x", "none", "-o", "/dev/null", *words)
        program = b"#include <openssl/ssl.h>\nint main(void) { return !TLS_client_method(); }\n"
        if not subprocess.run(probe, input=program, capture_output=True, check=False).returncode:
            return words
    return None


def _unpacked() -> Iterator[tuple[str, ...]]:
    for library in PEERS.glob("usr/lib/*/libssl.a"):
        headers = PEERS / "usr/include"
        folders = (f"-I{headers}", f"-I{headers / library.parent.name}")
        yield (*folders, str(library), str(library.with_name("libcrypto.a")), "-ldl", "-pthread")


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"benchmarks: cannot compile:\n{done.stdout.decode(errors='replace')}")
