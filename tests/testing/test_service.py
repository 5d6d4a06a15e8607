"""The service for other people's tests: on a real port, in a thread or in their reactor."""

import subprocess
import sys

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from ftpservice.events import LoggedIn, TransferEnded
from ftpservice.storage import Exists, PathNotFound
from ftpservice.testing import LoopbackService
from ftpservice_client import AccessDenied, AuthenticationFailed, Settings, connect
from tests.support.service_process import PATIENCE, checkout_environment

SETTINGS = Settings(netrc=None)


@ensureDeferred
async def test_a_client_uses_it():
    service = LoopbackService({"ann": "sec/ret", "ben": "other"})
    service.write("/report.csv", b"1,2")
    service.make_directory("/sub")
    await service.start(reactor)
    client = await connect(service.url(), reactor=reactor, settings=SETTINGS)
    assert (await client.download("report.csv")).data == b"1,2"
    await client.upload(b"x" * 100_000, "sub/new")
    await client.quit()
    assert service.read("/sub/new") == b"x" * 100_000
    assert [event.path for event in service.events_of(TransferEnded)] == ["/report.csv", "/sub/new"]
    other = await connect(service.url("ben"), reactor=reactor, settings=SETTINGS)
    assert [event.user for event in service.events_of(LoggedIn)] == ["ann", "ben"]
    assert (await other.list()).total == 3
    wrong = service.url("ben").replace("other", "wrong")
    with pytest.raises(AuthenticationFailed):
        await connect(wrong, reactor=reactor, settings=SETTINGS)
    await service.stop()  # with a session open
    await service.stop()
    assert service.factory.instances == []


@ensureDeferred
async def test_it_can_be_started_again_at_another_port():
    service = LoopbackService({"ann": "secret"}, rights="read")
    for _ in range(2):
        await service.start(reactor)
        client = await connect(service.url(), reactor=reactor, settings=SETTINGS)
        with pytest.raises(AccessDenied):
            await client.upload(b"x", "x")
        await client.quit()
        with pytest.raises(RuntimeError, match="started already"):
            await service.start(reactor)
        await service.stop()
        with pytest.raises(RuntimeError, match="not been started"):
            service.url()


@ensureDeferred
async def test_without_accounts_logins_are_anonymous():
    service = LoopbackService()
    service.write("/x", b"x")
    await service.start(reactor)
    client = await connect(service.url(), reactor=reactor, settings=SETTINGS)
    assert (await client.download("x")).data == b"x"
    await client.quit()
    await service.stop()


def test_files_are_there_without_a_reactor():
    service = LoopbackService()
    service.write("/x", b"x")
    service.make_directory("/sub")
    assert service.read("x") == b"x"
    with pytest.raises(PathNotFound):
        service.read("/none")
    with pytest.raises(Exists):
        service.make_directory("/sub")


def test_unknown_rights_are_refused():
    with pytest.raises(ValueError, match="known: read, full"):
        LoopbackService(rights="none")


def test_a_with_block_runs_it_in_a_thread():
    text = """
import ftplib
from ftpservice.events import SessionClosed, TransferEnded
from ftpservice.testing import LoopbackService
from ftpservice_client import blocking
for _ in range(2):
    with LoopbackService({"ann": "secret"}) as service:
        service.write("/x", b"content")
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", service.port)
            client.login("ann", "secret")
            client.retrlines("RETR x", print)
        with blocking.connect(service.url()) as client:
            client.upload(b"12", "y")
        print(service.read("/y"), len(service.events_of(TransferEnded)))
    print(len(service.events_of(SessionClosed)))
"""
    ended = subprocess.run(
        [sys.executable, "-Werror", "-c", text],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=checkout_environment(),
    )
    assert ended.stdout.splitlines() == 2 * ["content", "b'12' 2", "2"], ended.stderr
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"accounts": ["ann"]}, r"accounts is a mapping of passwords .* not \['ann'\]"),
        (
            {"accounts": {"ann": b"secret"}},
            "accounts has names .* as str, not b'secret'",
        ),
        ({"settings": {"max_sessions": 1}}, "settings is a SessionSettings, not {"),
        ({"tls": "ftp.pem"}, r"tls is a ServerTLS .*, not 'ftp\.pem'"),
    ],
)
def test_malformed_arguments_are_refused_by_name(given, shown):
    with pytest.raises(TypeError, match=shown):
        LoopbackService(**given)
