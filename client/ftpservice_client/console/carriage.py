"""One file moved, with a bar while it takes and a line when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ftpservice_client import Transfer
from ftpservice_client.console.progress import Meter
from ftpservice_client.console.render import amount, rate
from ftpservice_client.console.session import Session
from ftpservice_client.console.writer import TerminalWriter

__all__ = ["Care", "fetch", "send", "show"]


@dataclass(frozen=True)
class Care:
    """How a transfer is to be done."""

    resume: bool = False
    verify: bool = False
    append: bool = False


async def fetch(session: Session, name: str, to: Path, care: Care) -> Transfer:
    """Download to a file here."""
    with Meter(name, session.screen, session.reactor) as meter:
        done = await session.client.download(
            name, to, resume=care.resume, verify=care.verify, progress=meter
        )
    _tell(session, done)
    return done


async def send(session: Session, source: Path | BinaryIO, name: str, care: Care) -> Transfer:
    """Upload under ``name``."""
    with Meter(name, session.screen, session.reactor) as meter:
        done = await session.client.upload(
            source,
            name,
            append=care.append,
            resume=care.resume,
            verify=care.verify,
            progress=meter,
        )
    _tell(session, done)
    return done


async def show(session: Session, name: str) -> Transfer:
    """Download to the output: as it is, or, on a terminal, made visible."""
    screen = session.screen
    if screen.terminal:
        return await session.client.download(name, TerminalWriter(screen))
    return await session.client.download(name, screen.raw)


def _tell(session: Session, done: Transfer) -> None:
    speed = rate(done.size, done.seconds)
    session.screen.remark(f"{done.name}: {amount(done.size)}{speed and f', {speed}'}")
