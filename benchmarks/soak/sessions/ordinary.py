"""Sessions as most clients have them, on raw sockets and by Python's ftplib."""

from __future__ import annotations

import ftplib
import io

from benchmarks.soak.ledger import FREE_DIRECTORY
from benchmarks.soak.sessions.session_table import SessionTable
from benchmarks.soak.settings import LARGE_FILE, MANY_DIRECTORY, PASSWORD
from benchmarks.soak.slot import Slot
from benchmarks.soak.wire import HOST, PATIENCE, Refused, Wire, trusting

__all__ = ["TABLE"]

TABLE = SessionTable()


def store(slot: Slot, wire: Wire, name: str = "") -> None:
    """Upload a file."""
    name, content = name or slot.name(), slot.content()
    slot.files.attempts(name, content)
    wire.upload(f"STOR {slot.path(name)}", content.data(), active=slot.maybe(0.25))
    slot.files.uploaded(name, content)


def retrieve(slot: Slot, wire: Wire) -> None:
    """Download a file, if there is one."""
    names = slot.files.names()
    if names:
        name = slot.chance.choice(names)
        data = wire.download(f"RETR {slot.path(name)}", active=slot.maybe(0.25))
        slot.files.downloaded(name, data)


def remove(slot: Slot, wire: Wire) -> None:
    """Delete a file, if there is one."""
    names = slot.files.names()
    if names:
        name = slot.chance.choice(names)
        slot.files.attempts(name, None)
        wire.expect(f"DELE {slot.path(name)}", 250)
        slot.files.has(name, None)


def rename(slot: Slot, wire: Wire) -> None:
    """Rename a file over another one or to a new name."""
    names = slot.files.names()
    new = slot.name()
    if names and (old := slot.chance.choice(names)) != new:
        slot.files.renames(old, new)
        wire.expect(f"RNFR {slot.path(old)}", 350)
        wire.expect(f"RNTO {slot.path(new)}", 250)
        slot.files.renamed(old, new)


@TABLE.honest(24)
def quick_session(slot: Slot) -> None:
    """Some small things in plaintext."""
    with slot.wire() as wire:
        for _ in range(slot.chance.randrange(1, 5)):
            slot.chance.choice([store, store, retrieve, retrieve, remove])(slot, wire)
        wire.quit()


@TABLE.honest(9)
def secured_session(slot: Slot) -> None:
    """The same with TLS, explicit or implicit."""
    with slot.wire(secured=True, implicit=slot.maybe(0.3)) as wire:
        for _ in range(slot.chance.randrange(1, 4)):
            slot.chance.choice([store, store, retrieve, retrieve, rename])(slot, wire)
        wire.quit()


@TABLE.honest(5)
def renames(slot: Slot) -> None:
    """Renames and deletions only."""
    with slot.wire() as wire:
        for _ in range(6):
            slot.chance.choice([rename, rename, remove, store])(slot, wire)
        wire.quit()


@TABLE.honest(4)
def queries(slot: Slot) -> None:
    """Commands without files, and directories."""
    with slot.wire() as wire:
        for line, code in (("FEAT", 211), ("PWD", 257), ("NOOP", 200), ("STAT", 211)):
            wire.expect(line, code)
        path = slot.path("directory")
        wire.ask(f"MKD {path}")
        wire.download(f"MLSD {slot.path('')}")
        wire.ask(f"RMD {path}")
        for line in ("SITE QUOTA", "SITE PARTIALS", "AVBL /", f"SIZE {slot.path('f00')}"):
            wire.ask(line)
        wire.quit()


@TABLE.honest(3)
def unique_names(slot: Slot) -> None:
    """STOU and APPE in a directory of their own."""
    with slot.wire() as wire:
        wire.ask(f"MKD {slot.path(FREE_DIRECTORY)}")
        wire.expect(f"CWD {slot.path(FREE_DIRECTORY)}", 250)
        data = slot.content().data()
        wire.upload("STOU", data)
        wire.upload("APPE log", data[:2000])
        for line in wire.download("NLST").decode().split():
            wire.ask(f"DELE {line}")
        wire.quit()


@TABLE.honest(3)
def large_listing(slot: Slot) -> None:
    """List a large directory."""
    with slot.wire(secured=slot.maybe(0.3)) as wire:
        verb = slot.chance.choice(["MLSD", "LIST", "NLST"])
        lines = wire.download(f"{verb} /{MANY_DIRECTORY}").count(b"\n")
        if lines < slot.settings.entries:
            raise Refused(f"{verb}: {lines} lines instead of {slot.settings.entries}")
        wire.quit()


@TABLE.honest(2)
def large_download(slot: Slot) -> None:
    """Download a large file."""
    with slot.wire(secured=slot.maybe(0.5)) as wire:
        size = len(wire.download(f"RETR /{LARGE_FILE}", active=slot.maybe(0.3)))
        if size != slot.settings.large_size:
            raise Refused(f"{size} bytes instead of {slot.settings.large_size}")
        slot.files.transferred("download", f"/{LARGE_FILE}")
        wire.quit()


@TABLE.honest(9)
def ftplib_session(slot: Slot) -> None:
    """Python's client, in plaintext or with TLS."""
    is_secured = slot.maybe(0.4)
    settings = {"timeout": PATIENCE, "source_address": (slot.source, 0)}
    if is_secured:
        client: ftplib.FTP = ftplib.FTP_TLS(context=trusting(), **settings)  # type: ignore[arg-type]
    else:
        client = ftplib.FTP(**settings)  # type: ignore[arg-type]
    with client:
        client.connect(HOST, slot.port("listen"))
        client.login(slot.account, PASSWORD)
        slot.files.counts["logins"] += 1
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        client.set_pasv(slot.maybe(0.7))
        client.cwd(f"/{slot.directory}")
        for _ in range(slot.chance.randrange(1, 4)):
            _ftplib_transfer(slot, client)
        client.nlst()


def _ftplib_transfer(slot: Slot, client: ftplib.FTP) -> None:
    name, content = slot.name(), slot.content()
    slot.files.attempts(name, content)
    client.storbinary(f"STOR {name}", io.BytesIO(content.data()))
    slot.files.uploaded(name, content)
    received: list[bytes] = []
    client.retrbinary(f"RETR {name}", received.append)
    slot.files.downloaded(name, b"".join(received))
