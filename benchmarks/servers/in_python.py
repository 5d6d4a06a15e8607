"""Ours, pyftpdlib and Twisted's own server, each with the interpreter that runs this."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.jobs import Profile
from benchmarks.programs import SLOW_DISK
from benchmarks.servers.recipe import RATE, USER, WORKERS, Peer, Place, Start

__all__ = [
    "ours",
    "ours_gated",
    "ours_over",
    "ours_watched",
    "ours_workers",
    "pyftpdlib",
    "twisted_ftp",
]

HERE = Path(__file__).parent.parent
CHECKOUT = HERE.parent
TWISTD = Path(sys.executable).parent / "twistd"
SLOW_CALL_SECONDS = 0.2
PYTHON_PATH = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "client")])
SUBSCRIBER = """
[[hook]]
name = "every-event"
on = ["login", "upload", "download", "delete", "rename", "refusal", "ban"]
plugin = "benchmarks.hooks.Subscriber"
"""
GATE = """
[[hook]]
name = "every-upload"
on = ["upload", "delete", "login"]
gate = true
plugin = "benchmarks.hooks.Gate"
"""
MODELS = {"pyftpdlib-prefork": "prefork", "pyftpdlib-processes": "processes"}
"""Models of pyftpdlib by the names of the servers; the others are the asynchronous one."""
SESSIONS_OF_PROCESSES = 1008
IN_ONE_PROCESS = (Profile.MEMORY, Profile.THROTTLED)
"""Profiles that say nothing about several processes."""
UNLIMITED = ("max-sessions", "max-sessions-per-address", "max-sessions-per-user")


def ours(name: str) -> Peer:
    """Return this service, from the checkout, started as a user starts it."""
    return Peer(name, "checkout", _ours)


def ours_watched(name: str) -> Peer:
    """Return this service with all of its observation: journal, logs, metrics, page, a hook."""
    return Peer(name, "checkout", partial(_configured, _watched))


def ours_gated(name: str) -> Peer:
    """Return this service with a gate that accepts all uploads, deletions and logins."""
    return Peer(name, "checkout", partial(_configured, _gated))


def ours_workers(name: str, workers: int = WORKERS) -> Peer:
    """Return this service with so many worker processes; with one, they are the service itself."""
    return Peer(name, "checkout", partial(_divided, workers))


def ours_over(name: str, root: str) -> Peer:
    """Return this service with the storage ``root`` in the place of its directory."""
    return Peer(name, "checkout", partial(_configured, lambda _place: (f"--root={root}",)))


def pyftpdlib(name: str) -> Peer | None:
    """Return a server of pyftpdlib.

    The asynchronous one, ``-copy`` without sendfile, ``-prefork`` in several processes,
    ``-processes`` with a process for each session.
    """
    version = _version("pyftpdlib")
    without_tls = "" if _version("pyopenssl") else "pyOpenSSL is missing: pip install pyopenssl"
    copying = ("--no-sendfile",) if name.endswith("-copy") else ()

    def recipe(profile: Profile, place: Place) -> Start | None:
        if profile.metered or (name in MODELS and profile in IN_ONE_PROCESS):
            return None
        model = ("--model", MODELS[name], "--workers", str(WORKERS)) if name in MODELS else ()
        throttled = ("--rate", str(RATE)) if profile is Profile.THROTTLED else ()
        secured = ("--certificate", place.certificate) if place.certificate else ()
        program = HERE / "pyftpdlib_server.py"
        given = (str(place.port), place.root, USER, place.password_hash)
        options = (*copying, *model, *throttled, *secured)
        return Start((sys.executable, program, *given, *options))

    if copying:
        without_tls = "with TLS it is the same as pyftpdlib"
    most = SESSIONS_OF_PROCESSES if name == "pyftpdlib-processes" else Peer.most_sessions
    if not version:
        return None
    return Peer(name, version, recipe, most_sessions=most, without_tls=without_tls)


def twisted_ftp(name: str) -> Peer | None:
    """Return the server of ``twistd ftp``."""
    version = _version("twisted")

    def recipe(profile: Profile, place: Place) -> Start | None:
        if profile not in (Profile.PLAIN, Profile.FRESH, Profile.SIMPLE):
            return None
        facts = {
            "BENCHMARK_ROOT": str(place.root),
            "BENCHMARK_PORT": str(place.port),
            "BENCHMARK_HASH": place.password_hash,
        }
        return Start(_twistd(place, "-y", HERE / "twisted_ftp.tac"), facts)

    without_tls = "not supported"
    return Peer(name, version, recipe, without_tls=without_tls) if version else None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _twistd(place: Place, *words: str | Path) -> tuple[str | Path, ...]:
    return (
        TWISTD, "--nodaemon", "--pidfile=", "--logfile", place.work / "twisted.log", *words
    )  # fmt: skip


def _ours(profile: Profile, place: Place) -> Start | None:
    options = _options(profile, place)
    if not profile.metered:
        return _started(profile, place, options)
    paths = {"PYTHONPATH": PYTHON_PATH}
    meter = place.work / "meter.json"
    facts = {"BENCHMARK_OPTIONS": json.dumps(options), "BENCHMARK_METER": str(meter)}
    if profile is Profile.SLOW_DISK:
        if place.device is None:
            return None
        facts |= {
            "LD_PRELOAD": str(place.programs / SLOW_DISK),
            "SLOW_DEVICE": str(place.device),
            "SLOW_SECONDS": str(SLOW_CALL_SECONDS),
        }
    return Start(_twistd(place, "-y", HERE / "stalls.tac"), paths | facts, meter=meter)


def _started(profile: Profile, place: Place, options: Sequence[str]) -> Start:
    paths = {"PYTHONPATH": PYTHON_PATH}
    simple = profile is Profile.SIMPLE
    return Start(_twistd(place, "ftpservice", *options), paths, simple=simple)


def _configured(
    added: Callable[[Place], Sequence[str]], profile: Profile, place: Place
) -> Start | None:
    if profile.metered:
        return None
    return _started(profile, place, (*_options(profile, place), *added(place)))


def _divided(workers: int, profile: Profile, place: Place) -> Start | None:
    if profile.metered or profile in IN_ONE_PROCESS:
        return None
    return _started(profile, place, (*_options(profile, place), f"--workers={workers}"))


def _watched(place: Place) -> Sequence[str]:
    data = place.work / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    return (
        _hook(place, SUBSCRIBER),
        f"--data-dir={data}",
        f"--http=unix:{data / 'http.sock'}",
        "--metrics=on",
        "--log=all",
        f"--xferlog={place.work / 'xferlog'}",
    )


def _gated(place: Place) -> Sequence[str]:
    return (_hook(place, GATE),)


def _hook(place: Place, table: str) -> str:
    settings = place.work / "hooks.toml"
    settings.write_text(table, encoding="utf-8")
    return f"--config={settings}"


def _options(profile: Profile, place: Place) -> list[str]:
    accounts = place.work / "passwd.db"
    limits = f"rate-down={RATE},rate-up={RATE}" if profile is Profile.THROTTLED else ""
    accounts.write_text(f"{USER}:{place.password_hash}:/:full:{limits}\n", encoding="utf-8")
    accounts.chmod(0o600)
    root = "memory:" if profile is Profile.MEMORY else f"local:{place.root}"
    here = f"tcp:{place.port}:interface=127.0.0.1"
    simple = ("--listen=tcp:0:interface=127.0.0.1", f"--simple={here}")
    return [
        *(simple if profile is Profile.SIMPLE else (f"--listen={here}",)),
        "--allow-root",
        f"--auth=passwd:{accounts}",
        f"--root={root}",
        "--idle-timeout=0",
        "--log=problems",
        *(("--durable",) if profile is Profile.DURABLE else ()),
        *((f"--certificate={place.certificate}",) if place.certificate else ()),
        *(f"--{name}=100000" for name in UNLIMITED),
    ]
