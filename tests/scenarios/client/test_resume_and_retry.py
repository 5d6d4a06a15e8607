"""Retries: what is repeated, what never is, and where an upload is resumed."""

import pytest
from twisted.internet.defer import CancelledError

from ftpservice_client import NetworkError, ServerBusy, Settings, Unsupported, VerificationFailed
from ftpservice_client.testing.service import Fault, MemoryService
from tests.support.scripted_server import ScriptedServer, outcome

BIG = bytes(range(256)) * 4000
URL = "ftp://ann:secret@server/"


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    yield made
    made.pass_time(40.0)
    assert made.network.getDelayedCalls() == []


def retrying(service, retries=1, **others):
    settings = Settings(netrc=None, retries=retries, **others)
    return service.result(service.connect(URL, settings))


def test_retry_delays_grow_up_to_a_limit(service):
    client = retrying(service, 3, backoff=1.0)
    service.faults.data(*[Fault(reset_after=10)] * 10)
    service.write("/file", BIG)
    began = service.network.seconds()
    ended = []
    download = client.download("file")

    def end(result):
        ended.append(service.network.seconds() - began)
        return result

    download.addBoth(end)
    service.failure(download, NetworkError, 100.0)
    assert 3.5 <= ended[0] <= 10.5 + 5
    service.result(client.quit(), 10.0)


def test_commands_with_side_effects_are_not_retried(service):
    service.faults.control(Fault(lost_reply="250 "))
    client = retrying(service, 5, timeout=5.0)
    assert client.lost is None
    service.write("/file", BIG)
    service.failure(client.delete("file"), NetworkError, 10.0)
    assert isinstance(client.lost, NetworkError)
    assert service.result(client.list(), 10.0).entries == ()
    assert client.lost is None
    service.result(client.quit(), 10.0)


def test_an_upload_is_resumed_at_the_remote_size(service):
    client = retrying(service, 2)
    service.faults.data(Fault(reset_after=300_000))
    sent = []
    original = client.upload(BIG, "new", progress=lambda moved, total: sent.append(moved))
    service.result(original, 20.0)
    assert service.read("/new") == BIG
    assert sent == sorted(sent)
    service.result(client.quit(), 10.0)


def test_an_upload_over_a_file_starts_again(service):
    client = retrying(service, 2)
    service.write("/new", BIG[::-1][:250_000])
    service.faults.data(Fault(reset_after=300_000))
    service.result(client.upload(BIG, "new"), 20.0)
    assert service.read("/new") == BIG
    service.result(client.quit(), 10.0)


def test_an_append_is_resumed(service):
    client = retrying(service, 2)
    service.write("/log", b"begun ")
    service.faults.data(Fault(reset_after=300_000))
    service.result(client.upload(BIG, "log", append=True), 20.0)
    assert service.read("/log") == b"begun " + BIG
    service.result(client.quit(), 10.0)


def test_a_later_call_resumes_an_upload(service):
    client = retrying(service, 0)
    service.faults.data(Fault(reset_after=300_000))
    service.failure(client.upload(BIG, "new"), NetworkError, 20.0)
    transfer = service.result(client.upload(BIG, "new", resume=True, verify=True), 20.0)
    assert 0 < transfer.size < len(BIG)
    assert service.read("/new") == BIG
    service.write("/longer", BIG + b"x")
    service.failure(client.upload(BIG, "longer", resume=True), VerificationFailed)
    service.result(client.quit(), 10.0)


def test_a_resumed_upload_is_interrupted_and_resumed(service):
    client = retrying(service, 2)
    service.write("/new", BIG[:100_000])
    service.faults.data(Fault(reset_after=300_000))
    service.result(client.upload(BIG, "new", resume=True), 20.0)
    assert service.read("/new") == BIG
    service.result(client.quit(), 10.0)


STOR = {"STOR": "150 go\r\n226 done", "APPE": "150 go\r\n226 done", "REST": "350 ok"}


def test_without_resume_support_everything_is_sent():
    server = ScriptedServer({**STOR, "SIZE": "213 4", "REST": "502 no"}, None)
    client = server.client()
    server.replies["SIZE"] = "213 4"
    upload = client.upload(b"12345678", "x", resume=True)
    error = outcome(upload, server.network, 40.0)
    assert isinstance(error, VerificationFailed)
    assert server.data_connections[-1].received == b"12345678"
    outcome(client.quit(), server.network, 10.0)


def test_an_append_without_size_is_not_resumed():
    server = ScriptedServer({**STOR, "SIZE": "550 no", "APPE": "150 go\r\n426 cut"}, None)
    client = server.client(retries=1)
    error = outcome(client.upload(b"12345678", "x", append=True), server.network, 40.0)
    assert "it is not known" in str(error)
    outcome(client.quit(), server.network, 10.0)


def test_a_server_without_digests():
    server = ScriptedServer({**STOR, "RETR": "150 here\r\n226 done"}, b"data")
    client = server.client()
    error = outcome(client.download("x", verify=True), server.network, 40.0)
    assert isinstance(error, Unsupported)
    assert isinstance(outcome(client.hash("x"), server.network), Unsupported)
    outcome(client.quit(), server.network, 10.0)


@pytest.mark.parametrize(
    ("feature", "verb", "reply", "kind"),
    [
        ("HASH MD5;SHA-256*", "HASH", "213 SHA-256 0-4 {sha256} x", None),
        ("XSHA256", "XSHA256", "250 {sha256}", None),
        ("XCRC", "XCRC", "250 ADF3F363", None),
        ("XMD5", "XMD5", "250 " + "0" * 32, VerificationFailed),
        ("XMD5", "XMD5", "250 what", Exception),
    ],
)
def test_digest_commands(feature, verb, reply, kind):
    sha256 = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
    server = ScriptedServer(
        {
            "FEAT": f"211-can\r\n {feature}\r\n211 end",
            "RETR": "150 here\r\n226 done",
            "OPTS": "200 ok",
            verb: reply.format(sha256=sha256),
        },
        b"data",
    )
    client = server.client()
    found = outcome(client.download("x", verify=True), server.network, 1.0)
    if kind is None:
        assert found.digest is not None
    else:
        assert isinstance(found, kind)
    outcome(client.quit(), server.network, 10.0)


def test_a_busy_server_is_retried():
    server = ScriptedServer({"MLSD": "150 here\r\n226 done"}, b"type=file;size=1; x\r\n")
    client = server.client(retries=1)
    replies = ["421 busy", "150 here\r\n226 done"]
    server.replies["MLSD"] = lambda connection, line: connection.say(replies.pop(0), line)
    assert len(outcome(client.list(), server.network, 5.0).entries) == 1
    server.replies["MLSD"] = "421 busy"
    assert isinstance(outcome(client.list(), server.network, 5.0), ServerBusy)
    outcome(client.quit(), server.network, 10.0)


def test_a_retry_delay_can_be_cancelled(service):
    client = retrying(service, 5, backoff=10.0)
    service.write("/file", BIG)
    service.faults.data(Fault(reset_after=10))
    download = client.download("file")
    service.pass_time(1.0)
    download.cancel()
    service.failure(download, CancelledError)
    assert service.result(client.download("file"), 1.0).data == BIG
    service.result(client.quit(), 10.0)


def test_quit_waits_for_calls_and_abort_does_not(service):
    service.write("/file", BIG)
    client = retrying(service, 0)
    service.faults.data(Fault(rate=100_000.0))
    download = client.download("file")
    leaving = client.quit()
    assert service.result(download, 15.0).data == BIG
    service.result(leaving, 1.0)
    service.result(client.quit(), 1.0)
    client = retrying(service, 3)
    service.faults.data(Fault(rate=100_000.0))
    download = client.download("file")
    service.pass_time(1.0)
    client.abort()
    service.failure(download, NetworkError, 30.0)
    service.failure(client.list(), NetworkError)


def test_a_pool_drops_broken_connections(service):
    service.write("/file", BIG)
    pool = service.result(service.connect_pool(URL, 2))
    service.faults.data(Fault(end_after=1))
    service.failure(pool.download("file"), NetworkError, 20.0)
    assert service.result(pool.make_directory("in"), 1.0) is None
    assert service.result(pool.change_directory("in"), 1.0) == "/in" == pool.directory
    first, second = pool.upload(BIG, "a"), pool.upload(BIG, "b")
    service.result(first, 1.0)
    service.result(second, 1.0)
    assert (service.read("/in/a"), service.read("/in/b")) == (BIG, BIG)
    for session in list(service.factory.instances):
        session.disconnect("bye")
    service.pass_time(1.0)
    assert len(service.result(pool.list(), 1.0).entries) == 2
    waiting = pool.download("a")
    pool.abort()
    service.failure(waiting, NetworkError, 5.0)
    service.failure(pool.list(), NetworkError)
    service.result(pool.quit(), 10.0)


def test_a_pool_has_one_connection_at_least(service):
    with pytest.raises(ValueError, match="one"):
        service.result(service.connect_pool(URL, 0))
