"""Tests for trial, on several reactors: a stopped service or client leaves nothing open.

`test_resource_leaks` runs this file. Trial itself reports delayed calls, readers and writers that a
test leaves; threads and descriptors are counted here.
"""

from __future__ import annotations

import ftplib
import gc
import io
import os
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.ftp import FTPRealm
from twisted.trial.unittest import TestCase

import ftpservice.backends.local.source  # noqa: F401 - it keeps the table of mounts open
import ftpservice_client
from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.accounts.realm import Realm
from ftpservice.backends.strings import build_source
from ftpservice.control.factory import FTPFactory
from ftpservice.service.assembly import assemble
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.session.settings import SessionSettings
from tests.support.service_process import Program

LOCAL = "127.0.0.1"
KINDS = ("--listen", "--implicit", "--simple", "--simple-tls")
SCHEMES = ("ftp", "ftps", "simple", "simples")
SHARED = ("PoolThread-twisted", "ftpservice client")
"""Threads that end with the reactor."""
HALF = b"\x16\x03\x01\x02\x00\x01"
"""The beginning of a ClientHello."""
BIG = b"x" * 30_000_000


class ThreadsAndDescriptors:
    """A snapshot of threads and descriptors, without those of the reactor."""

    def __init__(self) -> None:
        self.threads = {one for one in threading.enumerate() if not one.name.startswith(SHARED)}
        self.descriptors = {name: where(name) for name in os.listdir("/proc/self/fd")}

    def beyond(self, before: ThreadsAndDescriptors) -> list[str]:
        """Return what was not in the earlier snapshot."""
        found = [one.name for one in self.threads - before.threads]
        for name, what in self.descriptors.items():
            if what not in ("", os.devnull, before.descriptors.get(name)):  # Twisted reserves one
                found.append(what)
        return found


def where(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""


class Client:
    """A blocking client in a thread."""

    def __init__(self, ports: list[int], secure: bool, implicit: bool = False) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.ftp = ftplib.FTP_TLS(context=context) if secure else ftplib.FTP()
        self.ftp.connect(LOCAL, ports[0], timeout=20)
        self.ftp.login("demo", "demo")
        if isinstance(self.ftp, ftplib.FTP_TLS):
            self.ftp.prot_p()

    def work(self) -> Client:
        """Upload, download, list, and ask for a missing file."""
        for size in (0, 5, 100_000, 3_000_000):
            self.ftp.storbinary("STOR a", io.BytesIO(BIG[:size]))
            parts: list[bytes] = []
            self.ftp.retrbinary("RETR a", parts.append)
            assert sum(map(len, parts)) == size
        assert "a" in self.ftp.nlst()
        self.ftp.storbinary("STOR big", io.BytesIO(BIG))
        try:
            self.ftp.retrbinary("RETR missing", parts.append)
        except ftplib.error_perm:
            return self
        raise AssertionError("the file is not missing")


class LeakTestCase(TestCase):
    """Compares threads and descriptors before and after a test."""

    timeout = 60

    async def setUp(self) -> None:
        self.ends: list[Any] = []
        self.addCleanup(self.drop)
        await deferToThread(bool)  # starts the thread pool of the reactor
        self.before = ThreadsAndDescriptors()

    def drop(self) -> None:
        """Close the sockets of blocking clients."""
        for end in self.ends:
            end.close()
        self.ends.clear()

    def check_leaks(self) -> None:
        """Check threads and descriptors; trial checks the rest when the test returns."""
        self.drop()
        gc.collect()  # directories of the storage close with their last session
        self.assertEqual(ThreadsAndDescriptors().beyond(self.before), [])

    def connected(self, port: int, data: bytes = b"") -> socket.socket:
        """Return a connected socket that has sent ``data``."""
        end = socket.create_connection((LOCAL, port), 20)
        self.ends.append(end)
        end.sendall(data)
        return end

    async def library(self, url: str, pool: bool) -> None:
        """Use the client library and close it."""
        settings = ftpservice_client.Settings(trust=ftpservice_client.Trust(insecure=True))
        if pool:
            connecting = ftpservice_client.connect_pool(url, 3, reactor=reactor, settings=settings)
        else:
            connecting = ftpservice_client.connect(url, reactor=reactor, settings=settings)
        client = await connecting
        file = Path(self.mktemp())
        file.write_bytes(BIG[:3_000_000])
        for source in (b"", b"x", file):
            await client.upload(source, "name")
            await client.download("name", file)
        await client.list("/")
        with self.assertRaises(ftpservice_client.NotFound):
            await client.download("missing")
        await client.quit()

    async def blocking(self, secure: bool) -> Client:
        """Return a blocking client."""
        one = await deferToThread(Client, self.ports, secure)
        self.ends.append(one.ftp)
        return one


class ServiceTests(LeakTestCase):
    """The service that ``twistd`` and ``ftpservice serve`` run."""

    async def begin(self, *options: str) -> None:
        """Start the service."""
        here = Path(self.mktemp())
        (here / "files").mkdir(parents=True)
        (here / "passwd.db").write_text(f"demo:{SHIPPED_HASH}:/:full:\n")
        parsed = ServiceOptions()
        words = [word for kind in KINDS for word in (kind, f"tcp:0:interface={LOCAL}")]
        words += ["--auth", f"passwd:{here / 'passwd.db'}", "--root", f"local:{here / 'files'}"]
        words += ["--data-dir", str(here / "own"), "--upload-digest", "SHA-256", "--grace", "0"]
        parsed.parseOptions([*words, *options])
        self.service = assemble(parsed, reactor, OperatorConsole(None, None, logged=False))
        self.service.privilegedStartService()
        self.service.startService()
        self.addCleanup(self.stop)
        self.ports = [port.getHost().port for port in self.service.ports]

    async def stop(self) -> None:
        """Stop the service if it runs."""
        if self.service.running:
            await self.service.stopService()

    async def end(self) -> None:
        """Stop the service and check for leaks; clients stay as they are."""
        await self.stop()
        self.assertEqual(self.service.parts.factory.instances, [])
        self.check_leaks()

    async def test_without_clients(self) -> None:
        await self.begin()
        await self.end()

    async def test_when_clients_have_gone(self) -> None:
        await self.begin()
        for secure in (False, True):
            client = await self.blocking(secure)
            await deferToThread(client.work)
            await deferToThread(client.ftp.quit)
        await self.end()

    async def test_with_clients_connected(self) -> None:
        await self.begin()
        for secure in (False, True):
            await deferToThread((await self.blocking(secure)).work)
        for port in self.ports:
            self.connected(port)
        await self.end()

    async def test_in_the_middle_of_downloads(self) -> None:
        await self.begin()
        for secure in (False, True):
            client = await self.blocking(secure)
            await deferToThread(client.work)
            self.ends.append(await deferToThread(client.ftp.transfercmd, "RETR big"))
        await self.end()

    async def test_in_the_middle_of_uploads(self) -> None:
        await self.begin()
        for secure in (False, True):
            client = await self.blocking(secure)
            data = await deferToThread(client.ftp.transfercmd, f"STOR c{secure}")
            self.ends.append(data)
            await deferToThread(data.sendall, BIG[:1_000_000])
        await self.end()

    async def test_in_the_middle_of_handshakes(self) -> None:
        await self.begin()
        client = await self.blocking(True)
        for _ in range(2):
            reply = await deferToThread(client.ftp.sendcmd, "EPSV")
            self.connected(int(reply.split("|||")[1].split("|")[0]), HALF)
        for port in self.ports:
            self.connected(port, HALF)
        await deferToThread(client.ftp.sendcmd, "NOOP")
        await self.end()

    async def test_with_unused_passive_ports(self) -> None:
        await self.begin()
        for secure in (False, True):
            await deferToThread((await self.blocking(secure)).ftp.sendcmd, "EPSV")
        await self.end()

    async def test_behind_a_load_balancer(self) -> None:
        await self.begin("--listen", f"haproxy:tcp:0:interface={LOCAL}")
        for port in self.ports:
            self.connected(port, b"PROXY ")
        await self.end()

    async def test_with_a_delayed_login_failure(self) -> None:
        await self.begin()
        self.connected(self.ports[0], b"USER demo\r\nPASS wrong\r\n")
        await deferToThread((await self.blocking(False)).ftp.sendcmd, "NOOP")
        await self.end()

    async def test_the_client_library(self) -> None:
        await self.begin()
        for number, scheme in enumerate(SCHEMES):
            for pool in (False, True):
                url = f"{scheme}://demo:demo@{LOCAL}:{self.ports[number]}/"
                await self.library(url, pool)
        await self.end()


class ClientTests(LeakTestCase):
    """The client library alone: its server is another process."""

    async def test_each_protocol(self) -> None:
        here = Path(self.mktemp())
        here.mkdir()
        listen = [word for kind in KINDS for word in (kind, f"tcp:0:interface={LOCAL}")]
        command = [
            sys.executable,
            "-m",
            "twisted",
            "ftpservice",
            "--allow-root",
            "--auth",
            "memory:demo:demo",
        ]
        with Program([*command, *listen], here) as program:
            for scheme in SCHEMES:
                match = program.line(rf"{scheme}://\S+?:(\d+)")
                for pool in (False, True):
                    await self.closed(f"{scheme}://demo:demo@{LOCAL}:{match[1]}/", pool)

    async def closed(self, url: str, pool: bool) -> None:
        """Use and close the client, and check for leaks."""
        await deferLater(reactor, 0)
        before, calls = ThreadsAndDescriptors(), reactor.getDelayedCalls()
        await self.library(url, pool)
        for _ in range(2):  # as trial does
            await deferLater(reactor, 0)
        self.assertEqual(reactor.getDelayedCalls(), calls)
        self.assertEqual(ThreadsAndDescriptors().beyond(before), [])


class EmbeddedTests(LeakTestCase):
    """`FTPFactory` embedded in a program: port, portal and realm are stopped."""

    async def check(self, realm: Any, checker: Any, *, uses_disk: bool) -> None:
        factory = FTPFactory(Portal(realm, [checker]), reactor, SessionSettings())
        port = reactor.listenTCP(0, factory, interface=LOCAL)
        self.ports = [port.getHost().port]
        client = await self.blocking(False)
        await deferToThread(client.work)
        await deferToThread(client.ftp.quit)
        await port.stopListening()
        if uses_disk:
            await realm.stop()
        for _ in range(3):  # trial lets the reactor run before it checks too
            await deferLater(reactor, 0)
        self.check_leaks()

    async def test_with_the_realm_of_ftpservice(self) -> None:
        here = self.mktemp()
        os.mkdir(here)
        realm = Realm(build_source(f"local:{here}", reactor), open_source=build_source)
        checker = InMemoryUsernamePasswordDatabaseDontUse(demo=b"demo")
        await self.check(realm, checker, uses_disk=True)

    async def test_with_the_realm_of_twisted(self) -> None:
        here = self.mktemp()
        os.makedirs(f"{here}/demo")
        realm = FTPRealm(here, userHome=here)
        checker = InMemoryUsernamePasswordDatabaseDontUse(demo=b"demo")
        await self.check(realm, checker, uses_disk=False)
