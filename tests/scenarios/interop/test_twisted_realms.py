"""Twisted's realms, shells and checkers with `FTPFactory`, over real sockets, verb by verb."""

from __future__ import annotations

import ftplib
import io
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.checkers import (
    AllowAnonymousAccess,
    FilePasswordDB,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.protocols.ftp import FTPRealm, FTPShell, IFTPShell, SystemFTPRealm
from twisted.python.filepath import FilePath
from zope.interface import implementer

from ftpservice.commands.table import VERB_TABLE
from ftpservice.control.factory import FTPFactory

NAME = "ann"
TEXT = b"line one\nline two\n"
Start = Callable[[Portal], int]

VERBS = [
    ("PWD", 257),
    ("CWD sub", 250),
    ("CDUP", 250),
    ("SIZE f", 213),
    ("MDTM f", 213),
    ("MLST f", 250),
    ("STAT", 211),
    ("STAT f", 213),
    ("STAT sub", 213),
    ("STAT none", 550),
    ("SIZE none", 550),
    ("MKD new", 257),
    ("RMD new", 250),
    ("RNFR g", 350),
    ("RNTO h", 250),
    ("DELE h", 250),
    ("DELE none", 550),
    ("MFMT 20200101000000 f", 504),
    ("SITE CHMOD 600 f", 504),
    ("HASH f", 504),
    ("NOOP", 200),
    ("SYST", 215),
    ("FEAT", 211),
    ("HELP", 214),
]


@implementer(IRealm)
class BytesRealm:
    """A realm that creates Twisted's shell for a root path in bytes."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def requestAvatar(self, avatarId: bytes, mind: object, *interfaces: Any) -> Any:
        shell = FTPShell(FilePath(os.fsencode(self.home)).child(avatarId))
        return IFTPShell, shell, lambda: None


@pytest.fixture
def defects() -> Iterator[list[LogEvent]]:
    """Critical log events during the test."""
    seen: list[LogEvent] = []

    def look(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.critical:
            seen.append(event)

    globalLogPublisher.addObserver(look)
    yield seen
    globalLogPublisher.removeObserver(look)


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve a portal; return the port."""
    ports: list[Any] = []

    def serve(portal: Portal) -> int:
        factory = FTPFactory(portal, reactor)
        factory.allowAnonymous = True
        ports.append(reactor.listenTCP(0, factory, interface="127.0.0.1"))  # type: ignore[attr-defined]
        return int(ports[-1].getHost().port)

    yield serve
    for port in ports:
        pytest_twisted.blockon(port.stopListening())


def homes(tmp_path: Path, name: str = NAME) -> Path:
    """Create the home of a user with some files."""
    home = tmp_path / "homes" / name
    (home / "sub").mkdir(parents=True)
    (home / "f").write_bytes(TEXT)
    (home / "g").write_bytes(b"other")
    (tmp_path / "anonymous").mkdir()
    (tmp_path / "anonymous" / "public").write_bytes(TEXT)
    return home


def password_file(tmp_path: Path) -> FilePasswordDB:
    path = tmp_path / "pw.txt"
    path.write_text(f"{NAME}:secret\n")
    return FilePasswordDB(str(path))


def in_memory(_tmp_path: Path) -> InMemoryUsernamePasswordDatabaseDontUse:
    return InMemoryUsernamePasswordDatabaseDontUse(**{NAME: b"secret"})


def realm_of_twisted(tmp_path: Path) -> IRealm:
    return FTPRealm(str(tmp_path / "anonymous"), userHome=str(tmp_path / "homes"))


def realm_in_bytes(tmp_path: Path) -> IRealm:
    return BytesRealm(tmp_path / "homes")


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("checker", [password_file, in_memory])
@pytest.mark.parametrize("realm", [realm_of_twisted, realm_in_bytes])
async def test_every_verb_works_for_a_named_user(
    tmp_path: Path, start: Start, defects: list[LogEvent], checker: Any, realm: Any
) -> None:
    home = homes(tmp_path)
    port = start(Portal(realm(tmp_path), [checker(tmp_path)]))
    await deferToThread(named_user, port, home)
    assert defects == []


def named_user(port: int, home: Path) -> None:
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", port, timeout=20)
        with pytest.raises(ftplib.error_perm, match="530"):
            client.login(NAME, "wrong")
        client.login(NAME, "secret")
        got: list[bytes] = []
        client.retrbinary("RETR f", got.append)
        assert b"".join(got) == TEXT
        client.storbinary("STOR stored", io.BytesIO(b"whole"))
        assert (home / "stored").read_bytes() == b"whole"
        client.storbinary("STOU unique", io.BytesIO(b"own"))
        assert (home / "unique").read_bytes() == b"own"
        for verb in ("LIST", "LIST f", "NLST", "NLST sub", "MLSD"):
            client.retrlines(verb, lambda _line: None)
        assert {name for name, _ in client.mlsd()} >= {"f", "g", "stored", "sub"}
        with pytest.raises(ftplib.error_perm, match="550"):
            client.retrbinary("RETR none", got.append)
        with pytest.raises(ftplib.error_perm, match=r"55[03]|504"):
            client.storbinary("APPE f", io.BytesIO(b"more"))
        assert (home / "f").read_bytes() == TEXT
        for command, code in VERBS:
            assert code == said(client, command), command
        client.retrbinary("RETR f", got.append, rest=5)
        assert b"".join(got) == TEXT + TEXT[5:]


def said(client: ftplib.FTP, command: str) -> int:
    try:
        return int(client.sendcmd(command)[:3])
    except ftplib.Error as error:
        return int(str(error)[:3])


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("command", sorted(row.name for row in VERB_TABLE))
async def test_no_verb_returns_451(
    tmp_path: Path, start: Start, defects: list[LogEvent], command: str
) -> None:
    homes(tmp_path)
    port = start(Portal(realm_of_twisted(tmp_path), [password_file(tmp_path)]))

    def talk() -> None:
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=20)
            client.login(NAME, "secret")
            for argument in ("", " f", " sub"):
                if command in ("QUIT", "EXIT") and argument:
                    continue
                assert said(client, command + argument) != 451
                if command in ("REIN", "USER", "QUIT", "EXIT", "AUTH"):
                    return

    await deferToThread(talk)
    assert defects == []


@pytest_twisted.ensureDeferred
async def test_anonymous_users_read_the_anonymous_root(
    tmp_path: Path, start: Start, defects: list[LogEvent]
) -> None:
    homes(tmp_path)
    port = start(Portal(realm_of_twisted(tmp_path), [AllowAnonymousAccess()]))

    def talk() -> None:
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=20)
            client.login()
            got: list[bytes] = []
            client.retrbinary("RETR public", got.append)
            assert b"".join(got) == TEXT
            assert client.nlst() == ["public"]
            with pytest.raises(ftplib.error_perm, match="550"):
                client.storbinary("STOR no", io.BytesIO(b"x"))
            with pytest.raises(ftplib.error_perm, match="550"):
                client.delete("public")

    await deferToThread(talk)
    assert defects == []


@pytest_twisted.ensureDeferred
async def test_the_realm_of_system_accounts_opens_the_users_home(
    tmp_path: Path, start: Start, defects: list[LogEvent]
) -> None:
    user = pwd.getpwuid(os.getuid())
    checker = InMemoryUsernamePasswordDatabaseDontUse(**{user.pw_name: b"secret"})
    port = start(Portal(SystemFTPRealm(str(tmp_path)), [checker]))

    def talk() -> None:
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=20)
            client.login(user.pw_name, "secret")
            assert set(client.nlst()) == set(os.listdir(user.pw_dir))

    await deferToThread(talk)
    assert defects == []
