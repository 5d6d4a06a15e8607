"""Interrupted transfers: no bytes are sent twice, and no file is joined from wrong parts."""

import io
import os

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.protocol import Factory

from ftpservice_client import (
    Destination,
    NetworkError,
    Scheme,
    Settings,
    Timeout,
    VerificationFailed,
    connect,
)
from ftpservice_client.errors import ServerRefused
from ftpservice_client.interfaces import OVERLAP_SIZE
from ftpservice_client.local.connection_transfer import MAX_EXCESS_SIZE
from ftpservice_client.testing.service import Fault, MemoryService
from tests.support.scripted_server import ScriptedServer, outcome

PLAIN = {
    "FEAT": "211 none",
    "STOR": "150 go\r\n226 done",
    "APPE": "150 go\r\n226 done",
    "REST": "350 ok",
    "RETR": "150 here\r\n226 done",
    "ALLO": "202 no need",
}
WORK = b"12345678"
BIG = os.urandom(300_000)


def count(server, verb):
    return sum(line.partition(" ")[0] == verb for line in server.commands)


def sizes(*replies):
    """Return a reply that changes with each command; the last one repeats."""
    waiting = list(replies)

    def say(connection, line):
        connection.say(waiting.pop(0) if len(waiting) > 1 else waiting[0], line)

    return say


def late(*sizes_told, **replies):
    server = ScriptedServer(
        {**PLAIN, "STOR": "150 go", "APPE": "150 go", "SIZE": sizes(*sizes_told)}, None
    )
    server.replies.update(replies)
    return server


def sent(server, append=False, retries=1):
    client = server.client(retries=retries, timeout=5.0)
    found = outcome(client.upload(WORK, "x", append=append), server.network, 60.0)
    client.abort()
    return found


# An upload whose last reply comes later than the timeout.


def test_a_complete_upload_is_not_repeated():
    server = late("550 none", "213 8")
    assert sent(server).size == 8
    assert (count(server, "STOR"), len(server.connections)) == (1, 2)


def test_a_file_without_mlst_is_incomplete():
    server = late("550 none", "213 8", "213 8", "213 8")
    server.replies["FEAT"] = "211-can\r\n MLST size*;\r\n SIZE\r\n211 end"
    server.replies["MLST"] = "550 no such file"
    server.replies["STOR"] = sizes("150 go", "150 go\r\n226 done")
    assert sent(server).size == 8
    assert [end.received for end in server.data_connections] == [WORK, b""]
    assert "REST 8" in server.commands


def test_a_file_with_mlst_is_complete():
    server = late("550 none", "213 8")
    server.replies["FEAT"] = "211-can\r\n MLST size*;\r\n SIZE\r\n211 end"
    server.replies["MLST"] = "250-it\r\n type=file;size=8; x\r\n250 end"
    assert sent(server).size == 8
    assert count(server, "STOR") == 1


def test_missing_bytes_are_sent():
    server = late("550 none", "213 5", "213 8")
    server.replies["STOR"] = sizes("150 go", "150 go\r\n226 done")
    assert sent(server).size == 8
    assert [end.received for end in server.data_connections] == [WORK, b"678"]


def test_without_retries_the_error_names_missing_bytes():
    server = late("550 none")
    error = sent(server, retries=0)
    assert isinstance(error, Timeout)
    assert str(error) == "no reply to STOR in 5 seconds; 8 bytes sent, may be stored"
    assert count(server, "STOR") == 1


@pytest.mark.parametrize(("now", "times"), [("20260102030405", 1), ("20250102030405", 2)])
def test_files_of_equal_size_are_distinguished_by_time(now, times):
    server = late("213 8", MDTM=sizes("213 20250102030405", f"213 {now}"))
    server.replies["STOR"] = sizes("150 go", "150 go\r\n226 done")
    assert sent(server).size == 8
    assert count(server, "STOR") == times
    assert count(server, "REST") == 0


def test_a_name_busy_with_the_interrupted_upload_is_retried():
    server = late("550 none", "213 5", "213 5", "213 8")
    busy = "450 x is being uploaded by another session"
    server.replies["STOR"] = sizes("150 go", busy, "150 go\r\n226 done")
    assert sent(server, retries=2).size == 8
    assert server.data_connections[-1].received == b"678"
    assert count(server, "STOR") == 3


def test_a_name_busy_at_first_is_refused():
    server = late("550 none")
    server.replies["STOR"] = "450 busy"
    assert isinstance(sent(server, retries=2), ServerRefused)
    assert count(server, "STOR") == 1


def test_an_append_is_not_repeated():
    server = late("213 100", "213 108")
    assert sent(server, append=True).size == 8
    assert count(server, "APPE") == 1


def test_an_append_sends_missing_bytes():
    server = late("213 100", "213 103", "213 108")
    server.replies["APPE"] = sizes("150 go", "150 go\r\n226 done")
    assert sent(server, append=True).size == 8
    assert [end.received for end in server.data_connections] == [WORK, WORK[3:]]


def test_an_append_without_size_is_not_repeated():
    server = late("213 100", "550 none")
    assert "it is not known" in str(sent(server, append=True))
    assert count(server, "APPE") == 1


@pytest.mark.parametrize("scheme", ["ftp", "simple"])
@pytest.mark.parametrize("size", [3, len(BIG)])
def test_ftpservice_gets_no_bytes_twice(scheme, size):
    service = MemoryService({"ann": "secret"})
    service.faults.control(Fault(lost_reply=r"226 |OK \d+"))
    url, settings = f"{scheme}://ann:secret@server/", Settings(netrc=None, retries=2, timeout=5.0)
    client = service.result(service.connect(url, settings))
    sent = []
    done = client.upload(BIG[:size], "new", progress=lambda moved, _: sent.append(moved))
    assert service.result(done, 60.0).size == size
    assert service.read("/new") == BIG[:size]
    client.abort()
    service.pass_time(60.0)


# A server that takes REST, and begins at the beginning.


class Forgetful(ScriptedServer):
    """A server that ignores REST: it sends ``content`` from the beginning."""

    def __init__(self, content, **replies):
        super().__init__({**PLAIN, "SIZE": f"213 {len(content)}", **replies}, content)


def resumed(server, tmp_path, have, **settings):
    path = tmp_path / "x"
    path.write_bytes(have)
    os.utime(path, (2**32, 2**32))
    client = server.client(**settings)
    found = outcome(client.download("x", path, resume=True), server.network, 60.0)
    client.abort()
    return found, path.read_bytes()


CONTENTS = {"random": BIG, "zeros": bytes(len(BIG)), "many zeros": bytes(3 * MAX_EXCESS_SIZE)}


@pytest.mark.parametrize("tells_size", [True, False])
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_download_is_not_joined_from_wrong_parts(tmp_path, kind, tells_size):
    content = CONTENTS[kind]
    server = Forgetful(content)
    if not tells_size:
        server.replies["SIZE"] = "502 no"
    if not tells_size and not any(content):
        return  # whoever has zeros only, and no size, cannot tell
    found, data = resumed(server, tmp_path, content[:100_000])
    assert data == content
    assert (found.size, count(server, "RETR")) == (len(content), 2)


def test_a_server_without_rest_is_remembered(tmp_path):
    server = Forgetful(bytes(len(BIG)))
    client = server.client()
    for name in ("x", "y"):
        path = tmp_path / name
        path.write_bytes(bytes(100_000))
        os.utime(path, (2**32, 2**32))
        done = client.download(name, path, resume=True)
        assert server.result(done, 60.0).size == len(BIG)
    assert (count(server, "RETR"), count(server, "REST")) == (3, 1)
    client.abort()


def test_a_local_file_that_is_no_prefix_is_not_resumed(tmp_path):
    class Honest(ScriptedServer):
        def open_port(self):
            self.data = BIG[100_000 - OVERLAP_SIZE :] if count(self, "REST") == 0 else BIG
            return super().open_port()

    server = Honest({**PLAIN, "SIZE": f"213 {len(BIG)}"})
    found, data = resumed(server, tmp_path, bytes(100_000))
    assert (data, found.size) == (BIG, len(BIG))


def test_a_file_of_equal_size_is_compared_at_its_end(tmp_path):
    class Honest(ScriptedServer):
        def open_port(self):
            self.data = BIG[-OVERLAP_SIZE:] if count(self, "RETR") == 0 else BIG
            return super().open_port()

    server = Honest({**PLAIN, "SIZE": f"213 {len(BIG)}"})
    assert resumed(server, tmp_path, bytes(len(BIG)))[1] == BIG
    assert count(server, "RETR") == 2
    server = Honest({**PLAIN, "SIZE": f"213 {len(BIG)}"})
    found, data = resumed(server, tmp_path, BIG)
    assert (data, found.size, count(server, "RETR")) == (BIG, 0, 1)


class Restarting(ScriptedServer):
    """A server that interrupts transfers after ``cuts`` bytes and ignores REST."""

    def __init__(self, *cuts, **replies):
        super().__init__({**PLAIN, "SIZE": f"213 {len(BIG)}", "MDTM": "502 no", **replies}, BIG)
        self.network.faults.data(*[Fault(reset_after=bytes_) for bytes_ in cuts])


@pytest.mark.parametrize("cuts", [[100_000], [100_000, 50_000], [100_000, 200_000]])
def test_retries_do_not_join_wrong_parts(tmp_path, cuts):
    for target in (None, tmp_path / "x", io.BytesIO()):
        server = Restarting(*cuts, RETR="150 here\r\n426 cut")
        server.replies["RETR"] = sizes(*["150 here"] * len(cuts), "150 here\r\n226 done")
        client = server.client(retries=5, timeout=5.0)
        done = client.download("x", target)
        transfer = server.result(done, 200.0)
        whole = transfer.data if target is None else None
        if isinstance(target, io.BytesIO):
            whole = target.getvalue()
        elif target is not None:
            whole = target.read_bytes()
        assert whole == BIG
        client.abort()


@pytest.mark.parametrize("target", [None, io.BytesIO])
def test_the_callers_bytes_are_not_downloaded_again(target):
    server = Forgetful(BIG)
    client = server.client()
    to = None if target is None else target()
    if to is None:
        assert server.result(client.download("x", offset=100_000), 20.0).data == BIG[100_000:]
    else:
        error = outcome(client.download("x", to, offset=100_000), server.network, 20.0)
        assert isinstance(error, VerificationFailed)
    client.abort()


class Keeping(ScriptedServer):
    """A server that ignores the offset of uploads; it ``truncates`` the file or not."""

    def __init__(self, content, truncates):
        answers = {"STOR": self._store, "SIZE": self._size, "RETR": "550 not to be read"}
        super().__init__(PLAIN | answers, None)
        self._content = content
        self._truncates = truncates
        self._stored = 0

    def _store(self, connection, line):
        connection.say("150 go\r\n226 done", line)

    def content(self):
        for end in self.data_connections[self._stored :]:
            kept = b"" if self._truncates else self._content[len(end.received) :]
            self._content = end.received + kept
        self._stored = len(self.data_connections)
        return self._content

    def _size(self, connection, line):
        connection.say(f"213 {len(self.content())}", line)


@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize("have", [100_000, 250_000])
def test_an_upload_is_not_joined_from_wrong_parts(truncates, have):
    server = Keeping(BIG[:have], truncates)
    client = server.client()
    transfer = server.result(client.upload(BIG, "x", resume=True), 20.0)
    assert (server.content(), transfer.size) == (BIG, len(BIG))
    assert count(server, "STOR") == 2
    client.abort()


def test_a_complete_remote_file_is_not_resumed():
    server = ScriptedServer({**PLAIN, "SIZE": "213 8"}, WORK)
    client = server.client()
    assert server.result(client.upload(WORK, "x", resume=True)).size == 0
    assert count(server, "STOR") == 0
    client.abort()


def uploaded(content, **replies):
    """Resume an upload of BIG over other content; return what was sent last."""
    size = len(content)
    server = ScriptedServer(
        {**PLAIN, "SIZE": sizes(*[f"213 {size}"] * 2, f"213 {len(BIG)}")} | replies, None
    )
    client = server.client()

    opening = server.open_port
    verbs = iter(["RETR", "STOR"])

    def open_port():
        server.data = content[-OVERLAP_SIZE:] if next(verbs) == "RETR" else None
        return opening()

    server.open_port = open_port
    outcome(client.upload(BIG, "x", resume=True), server.network, 20.0)
    client.abort()
    return server.data_connections[-1].received


def test_an_upload_is_not_resumed_after_other_content():
    assert uploaded(bytes(100_000)) == BIG
    assert uploaded(b"older") == BIG
    assert uploaded(BIG[:100_000]) == BIG[100_000:]
    assert uploaded(BIG[:100]) == BIG[100:]


def test_an_upload_is_resumed_after_unreadable_content():
    service = MemoryService({"ann": "secret"})
    settings = Settings(netrc=None)
    client = service.result(service.connect("ftp://ann:secret@server/", settings))
    service.write("/new", bytes(200_000))
    assert service.result(client.upload(BIG, "new", resume=True), 20.0).size == len(BIG)
    assert service.read("/new") == BIG
    service.faults.data(Fault(reset_after=100_000))
    service.failure(client.upload(BIG, "other"), NetworkError, 20.0)
    assert service.result(client.upload(BIG, "other", resume=True), 20.0).size < len(BIG)
    assert service.read("/other") == BIG
    client.abort()
    service.pass_time(60.0)


# A file that changes while it is received.


@pytest.mark.parametrize("kind", ["memory", "path", "file"])
@pytest.mark.parametrize("more", [1, 100_000, 3 * MAX_EXCESS_SIZE])
def test_a_growing_file_is_downloaded_with_its_first_size(tmp_path, kind, more):
    server = ScriptedServer(
        {**PLAIN, "SIZE": sizes(f"213 {len(BIG)}", f"213 {len(BIG) + more}")}, b""
    )
    server.data = BIG + bytes(more)
    client = server.client()
    to = {"memory": None, "path": tmp_path / "x", "file": io.BytesIO()}[kind]
    transfer = server.result(client.download("x", to), 20.0)
    assert (transfer.size, "grew" in transfer.note) == (len(BIG), True)
    if kind == "memory":
        assert transfer.data == BIG
    else:
        assert (to.read_bytes() if kind == "path" else to.getvalue()) == BIG
    client.abort()


def test_a_growing_file_is_resumed(tmp_path):
    server = ScriptedServer({**PLAIN, "SIZE": sizes(*[f"213 {len(BIG)}"] * 2, "213 400000")}, b"")
    server.data = BIG[100_000 - OVERLAP_SIZE :] + b"more"
    found, data = resumed(server, tmp_path, BIG[:100_000])
    assert (data, found.size) == (BIG, len(BIG) - 100_000)
    assert "grew" in found.note


def test_a_shrinking_file_is_an_error():
    server = ScriptedServer({**PLAIN, "SIZE": sizes("213 10", "213 4")}, b"four")
    client = server.client()
    assert isinstance(outcome(client.download("x"), server.network, 20.0), NetworkError)
    client.abort()


@ensureDeferred
@pytest.mark.parametrize("more", [100_000, 40 * MAX_EXCESS_SIZE])
async def test_a_growing_file_with_zero_copy(reactor, tmp_path, more):
    size = 3_000_000
    content = os.urandom(size)
    server = ScriptedServer({**PLAIN, "SIZE": sizes(f"213 {size}", f"213 {size + more}")}, b"")
    server.data = content + bytes(more)
    ports = []

    def listening(make):
        ports.append(reactor.listenTCP(0, Factory.forProtocol(make), interface="127.0.0.1"))
        return ports[-1].getHost().port

    server.network.listen = lambda accept: listening(lambda: accept(None))
    port = listening(lambda: server._accept(None))
    place = Destination(Scheme.FTP, "127.0.0.1", port, "ann", "secret")
    client = await connect(place, reactor=reactor, settings=Settings(netrc=None))
    try:
        transfer = await client.download("x", tmp_path / "x")
        assert (transfer.size, "grew" in transfer.note) == (size, True)
        assert (tmp_path / "x").read_bytes() == content
    finally:
        await client.quit()
        for one in ports:
            await one.stopListening()


# A server that replies once that SIZE was that of another file.


def test_a_busy_download_is_retried():
    server = ScriptedServer({**PLAIN, "SIZE": sizes("213 2", "213 4")}, b"four")
    server.replies["RETR"] = sizes("450 SIZE was of a partial upload", "150 here\r\n226 done")
    client = server.client()
    assert server.result(client.download("x")).data == b"four"
    server.replies["RETR"] = "450 busy"
    assert isinstance(outcome(client.download("x"), server.network), ServerRefused)
    assert count(server, "RETR") == 4
    client.abort()
