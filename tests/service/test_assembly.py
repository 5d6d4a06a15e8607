"""The whole service, assembled from a command line and started on a reactor in memory."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python import usage

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.control.factory import FTPFactory
from ftpservice.control.implicit_tls import ImplicitTLSFactory
from ftpservice.events import Event
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.service import assembly
from ftpservice.service.assembly import assemble
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.process_memory import freeze_gc, reserve_descriptor_table, trim_malloc
from ftpservice.service.sessions import session_assembly
from ftpservice.service.sessions.session_shutdown import LAST_REPLY_SECONDS
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.signals import reload_on_sighup, reopen_on_sigusr1, stop_on_signals
from ftpservice.service.tap import makeService
from tests.support.service_process import checkout_environment

ALICE = "--auth=memory:alice:secret"
ROOT = "--root=memory:"
OTHER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "c2Fs" * 10 + "c2E"


class Started:
    """A service of these options; ``port`` is what each of its places says it is bound to."""

    def __init__(self, *words: str, host: str = "127.0.0.1") -> None:
        self.options = ServiceOptions()
        self.options.parseOptions([ROOT, *words])
        self.reactor = MemoryReactorClock()
        self.out, self.err = io.StringIO(), io.StringIO()
        console = OperatorConsole(self.out, self.err, logged=False)
        self.service = assemble(self.options, self.reactor, console)
        self.host = host

    def start(self) -> Started:
        listen = self.reactor.listenTCP

        def bound(port: int, *words: Any, **more: Any) -> Any:
            result = listen(port, *words, **more)
            result.getHost = lambda: IPv4Address("TCP", self.host, 4242)
            return result

        self.reactor.listenTCP = bound  # type: ignore[method-assign]
        self.service.privilegedStartService()
        self.service.startService()
        for hook, arguments, more in self.reactor.whenRunningHooks:
            hook(*arguments, **more)
        return self

    @property
    def said(self) -> str:
        return self.out.getvalue()

    def stop(self) -> Deferred[None]:
        stopping = self.service.stopService()
        for _ in range(10):  # turns of the reactor
            self.reactor.advance(0)
        return stopping


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def passwords(hashed: str) -> str:
    Path("passwd.db").write_text(f"demo:{hashed}:/:full\n")
    return "--auth=passwd:passwd.db"


def test_it_listens_announces_itself_and_stops() -> None:
    started = Started(ALICE).start()
    assert "ftp://127.0.0.1:4242/" in started.said
    assert "accounts of InMemory" in started.said
    assert len(started.service.ports) == 1
    stopped = started.stop()
    assert stopped.called
    assert started.service.ports == []


def test_nothing_is_announced_before_the_reactor_runs() -> None:
    started = Started(ALICE)
    started.reactor.hasRun = False
    started.service.startService()
    assert started.said == ""
    started.stop()


def test_a_session_gets_421_and_the_stop_waits_for_it() -> None:
    started = Started(ALICE).start()
    factory = started.service.parts.factory
    session = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 9))
    transport = StringTransport(
        IPv4Address("TCP", "127.0.0.1", 21), IPv4Address("TCP", "127.0.0.1", 9)
    )
    transport.setTcpNoDelay = lambda on: None  # type: ignore[attr-defined]
    session.makeConnection(transport)  # type: ignore[arg-type]
    stopped = started.stop()
    started.reactor.advance(0.1)
    assert b"421" in transport.value()
    assert not stopped.called
    for _ in range(int(LAST_REPLY_SECONDS / 0.02) + 2):
        started.reactor.advance(0.02)
    assert stopped.called


def test_anonymous_users_are_served_if_configured() -> None:
    for words in (["--anonymous"], ["--auth=anonymous"]):
        started = Started(*words).start()
        assert "anonymous users (read-only, in /)" in started.said
        assert started.service.parts.factory.allowAnonymous
        started.stop()


def test_listeners_behind_a_load_balancer_get_their_own_factory() -> None:
    started = Started(ALICE, "--listen=haproxy:tcp:21", "--listen=tcp:22").start()
    (_, proxied, *_), (_, plain, *_) = started.reactor.tcpServers
    assert isinstance(proxied, ProxiedFactory)
    assert isinstance(plain, FTPFactory)
    started.stop()


def test_the_shipped_password_is_served_on_loopback_only() -> None:
    words = passwords(SHIPPED_HASH)
    started = Started(words).start()
    assert "curl --user demo:demo " in started.said
    started.stop()
    exposed = Started(words, host="0.0.0.0")
    with pytest.raises(CannotStart, match="'demo'"):
        exposed.start()
    assert "other machines can reach tcp:2121" in exposed.err.getvalue()
    exposed.stop()


def test_beyond_loopback_a_shipped_password_that_comes_later_is_closed() -> None:
    started = Started(passwords(OTHER_HASH), host="192.0.2.1").start()
    assert started.options.checkers[0].refuse_shipped
    assert "curl --ssl-reqd --insecure --user demo ftp://192.0.2.1:4242/" in started.said
    started.stop()


def test_an_account_with_a_storage_of_its_own_gets_it() -> None:
    started = Started(ALICE)
    realm = started.service.parts.realm
    assert realm._open_source("memory:").describe().startswith("memory:")
    started.stop()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--root=bogus:x"], "--root: "),
        (["--listen=bogus"], "--listen bogus "),
        (["--root=/srv", "--data-dir=/dev/null/x"], "--data-dir"),
    ],
)
def test_what_cannot_be_assembled_is_reported(words: list[str], what: str) -> None:
    with pytest.raises(CannotStart) as caught:
        Started(ALICE, *words)
    assert what in caught.value.line


def test_an_unusable_checker_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def useless(checkers: object) -> list[Any]:
        raise session_assembly.UnusableChecker("unix: no")

    monkeypatch.setattr(session_assembly, "portal_checkers", useless)
    with pytest.raises(CannotStart, match="--auth: unix: no"):
        Started(ALICE)


def test_a_listener_that_fails_later_ends_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[object] = []
    monkeypatch.setattr(assembly, "exit_with_failure", lambda *asked: given_up.append(asked[0]))
    late: Deferred[Any] = Deferred()
    started = Started(ALICE)
    place = started.service.parts.listeners.listeners[0]
    monkeypatch.setattr(type(place.endpoint), "listen", lambda self, factory: late)
    started.start()
    late.errback(CannotListenError("", 21, OSError(98, "Taken")))
    assert given_up == [started.reactor]
    assert "cannot listen on tcp:2121" in started.err.getvalue()
    started.stop()


def test_a_subscriber_that_fails_is_logged() -> None:
    started = Started(ALICE)
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)

    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    try:
        stream = started.service.parts.factory.event_sink.events
        stream.subscribe(broken)
        stream.publish(Event(0.0, 1, "127.0.0.1", ""))
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert any("log_failure" in event for event in events)
    started.stop()


def test_twistd_gets_the_service() -> None:
    options = ServiceOptions()
    options.parseOptions([ROOT, ALICE])
    service = makeService(options)
    assert IService.providedBy(service)
    assert isinstance(service, FTPService)


def test_twistd_gets_one_line_when_there_can_be_no_service() -> None:
    options = ServiceOptions()
    options.parseOptions(["--root=bogus:x", ALICE])
    with pytest.raises(SystemExit, match=r"^ftpservice: --root: "):
        makeService(options)


def test_only_under_twistd_signals_and_collector_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from twisted.internet import reactor

    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(reactor, "callWhenRunning", lambda *words: asked.append(words))
    options = ServiceOptions()
    options.parent = {"nodaemon": True}  # type: ignore[assignment]
    options.parseOptions([ROOT, ALICE, "--allow-root"])
    service = makeService(options)
    assert isinstance(service, FTPService)
    logs, reopened, *others = asked
    assert reopened[:2] == (reopen_on_sigusr1, reactor)
    assert reopened[2] is service.reopen_steps
    assert reopened[2] == [logs[0].__self__.reopen]
    assert others == [
        (stop_on_signals, reactor, service.skip_grace, service.stop_requested),
        (reload_on_sighup, reactor, service.reload),
        (freeze_gc,),
        (reserve_descriptor_table,),
        (trim_malloc, reactor),
    ]


def test_a_port_where_tls_comes_first_gets_its_own_factory() -> None:
    started = Started(ALICE, "--implicit=tcp:990", "--implicit=haproxy:tcp:991").start()
    (_, plain, *_), (_, implicit, *_), (_, proxied, *_) = started.reactor.tcpServers
    assert isinstance(plain, FTPFactory)
    assert isinstance(implicit, ImplicitTLSFactory)
    assert isinstance(proxied, ProxiedFactory)
    assert proxied.exactly
    assert "ftps://127.0.0.1:4242/" in started.said
    started.stop()


def test_no_tls_is_no_certificate() -> None:
    started = Started(ALICE, "--tls=off").start()
    assert started.service.parts.factory.tls is None
    assert "  tls   off" in started.said
    started.service.reload()
    started.stop()


def test_certificates_of_files_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(ALICE, "--data-dir=own")
    assert "certificate.pem" in os.listdir("own")
    renewed: list[int] = []
    monkeypatch.setattr(CertificateReload, "reload", lambda self: renewed.append(1))
    started.service.reload()
    assert renewed == [1]


TABLE_SIZE = """
import os, resource
from pathlib import Path
from ftpservice.service.tap import reserve_descriptor_table

def size():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("FDSize"))

resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
before = size()
reserve_descriptor_table()
after = size()
many = [os.dup(0) for _ in range(900)]
print(before, after, size())
"""


def test_settings_that_contradict_each_other_are_reported() -> None:
    with pytest.raises(usage.UsageError, match="remove --tls off"):
        Started(ALICE, "--tls=off", "--implicit=tcp:990")


def test_an_endpoint_string_that_is_wrong_is_reported_with_its_option() -> None:
    with pytest.raises(CannotStart, match="--implicit nonsense:1 is not an endpoint"):
        Started(ALICE, "--implicit=nonsense:1")


def test_the_objects_of_the_start_are_excluded_from_garbage_collection() -> None:
    before = gc.get_freeze_count()
    kept: list[object] = [[] for _ in range(10_000)]
    freeze_gc()
    assert gc.get_freeze_count() >= before + len(kept)


def test_the_kernels_table_of_descriptors_is_large_from_the_start() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", TABLE_SIZE],
        env=checkout_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    before, after, many = map(int, seen.stdout.split())
    assert after >= before
    assert after >= 1024  # of 1024 that it may have
    assert many == after


ARENAS = """
import ctypes, threading
from ftpservice.service.process_memory import limit_malloc

limit_malloc()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
full = threading.Barrier(8)

def take():
    libc.malloc(2000)
    full.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
output = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, output)
libc.fclose(output)
"""


@pytest.mark.parametrize(("given", "most"), [({}, 2), ({"MALLOC_ARENA_MAX": "4"}, 4)], ids=str)
def test_threads_share_two_pools_of_memory(given: dict[str, str], most: int) -> None:
    seen = subprocess.run(
        [sys.executable, "-c", ARENAS],
        env=checkout_environment() | given,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert seen.stdout.count("<heap nr=") == most


def test_without_a_free_descriptor_the_table_stays_as_it_is() -> None:
    reserve_descriptor_table(1)  # the last one is 0, and in use: a higher one is taken
    reserve_descriptor_table(-5)  # the kernel refuses
