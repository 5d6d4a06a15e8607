"""Servers of the simple protocol that lie, stall and cut."""

import pytest
from twisted.internet.protocol import Protocol

from ftpservice_client import (
    AccessDenied,
    AlreadyExists,
    AuthenticationFailed,
    Destination,
    InvalidArgument,
    NetworkError,
    NotFound,
    ProtocolViolation,
    Scheme,
    ServerBusy,
    ServerRefused,
    Settings,
    StorageFull,
    Timeout,
    VerificationFailed,
    connect,
)
from ftpservice_client.testing.network import MemoryNetwork
from tests.support.scripted_server import outcome

HONEST = {
    "": "OK ftpservice simple/1",
    "USER": "OK password",
    "PASS": "OK in",
    "QUIT": "OK bye",
}


class Speaker(Protocol):
    def __init__(self, liar):
        self.liar = liar
        self.text = b""

    def connectionMade(self):
        self.say(self.liar.says[""])

    def say(self, what):
        if callable(what):
            what(self)
        elif isinstance(what, bytes):
            self.transport.write(what)
        elif what:
            self.transport.write(what.encode() + b"\n")

    def dataReceived(self, data):
        *lines, self.text = (self.text + data).split(b"\n")
        for line in lines:
            verb = line.decode("latin-1").partition(" ")[0]
            self.liar.heard.append(line)
            if verb in self.liar.says:
                self.say(self.liar.says[verb])


class Liar:
    def __init__(self, **says):
        self.says = HONEST | says
        self.heard = []
        self.speakers = []
        self.network = MemoryNetwork()
        self.network.listen(self._speak, 1452)

    def _speak(self, _address):
        self.speakers.append(Speaker(self))
        return self.speakers[-1]

    def begin(self, **settings):
        place = Destination(Scheme.SIMPLE, "127.0.0.1", 1452, "ann", "secret")
        return connect(
            place, reactor=self.network, settings=Settings(**({"netrc": None} | settings))
        )

    def client(self, **settings):
        client = outcome(self.begin(**settings), self.network)
        assert not isinstance(client, BaseException), client
        return client


def fails(liar, deferred, kind, seconds=0.0):
    error = outcome(deferred, liar.network, seconds)
    assert isinstance(error, kind), error
    return error


def assert_nothing_left(liar, client):
    outcome(client.quit(), liar.network, 40.0)
    client.abort()
    liar.network.pass_time(20.0)
    assert liar.network.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("ERR BUSY too many", ServerBusy),
        ("220 ftp here", ProtocolViolation),
        ("OK something else", ProtocolViolation),
        ("GO simple/1", ProtocolViolation),
        (b"x" * 10_000, ProtocolViolation),
        ("", Timeout),
        (lambda speaker: speaker.transport.loseConnection(), NetworkError),
        (lambda speaker: speaker.transport.abortConnection(), NetworkError),
    ],
    ids=["busy", "ftp", "other", "go", "long", "silent", "fin", "rst"],
)
def test_a_greeting_that_is_none(greeting, kind):
    liar = Liar(**{"": greeting})
    fails(liar, liar.begin(), kind, 31.0)
    liar.network.pass_time(20.0)
    assert liar.network.getDelayedCalls() == []


def test_a_login_that_fails():
    liar = Liar(PASS="ERR AUTH login failed")
    assert str(fails(liar, liar.begin(), AuthenticationFailed)) == "login failed"


@pytest.mark.parametrize(("verb", "call"), [("DWLD", "download"), ("DELF", "delete")])
def test_a_refusal_says_what_it_is_about(verb, call):
    liar = Liar(**{verb: "ERR NOTFOUND no such file"})
    client = liar.client()
    error = fails(liar, getattr(client, call)("in/x"), NotFound)
    assert str(error) == "in/x: no such file"
    client.abort()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERR NOTFOUND no", NotFound),
        ("ERR DENIED no", AccessDenied),
        ("ERR ISDIR no", AlreadyExists),
        ("ERR NOTDIR no", AlreadyExists),
        ("ERR EXISTS no", AlreadyExists),
        ("ERR QUOTA no", StorageFull),
        ("ERR FULL no", StorageFull),
        ("ERR BUSY no", ServerBusy),
        ("ERR TIMEOUT no", ServerBusy),
        ("ERR INTERNAL no", ServerRefused),
        ("ERR NEW no", ServerRefused),
        ("ERR SYNTAX no", ServerRefused),
        ("ERR AUTH no", AuthenticationFailed),
    ],
)
def test_refusals_are_told_apart(text, kind):
    liar = Liar(DELF=text)
    client = liar.client()
    assert "no" in str(fails(liar, client.delete("x"), kind))
    assert_nothing_left(liar, client)


@pytest.mark.parametrize(
    "says",
    [
        {"LIST": "OK many"},
        {"LIST": "OK -1 0"},
        {"LIST": "GO"},
        {"LIST": b"OK 99999999999999999999 0\n"},
        {"LIST": "what"},
        {"LIST": b"OK 3 0\n" + b"x" * 10_000},
        {"LIST": b"OK 1000000 0\n" + b"file 1 20260101000000 x\n" * 1000},
    ],
)
def test_listings_that_are_none(says):
    liar = Liar(**says)
    client = liar.client(memory_limit=1000)
    fails(liar, client.list(), ProtocolViolation)
    fails(liar, client.list(), ProtocolViolation)
    assert_nothing_left(liar, client)


def test_names_that_lead_elsewhere_are_not_listed():
    names = ["../up", "/etc/passwd", "a/b", "..", ".", "fine"]
    lines = "".join(f"file 1 20260101000000 {name}\n" for name in names)
    liar = Liar(LIST=f"OK {len(names) + 2} 1\n{lines}nonsense\nfile 1 20269901000000 bad".encode())
    client = liar.client()
    liar.says["LIST"] += b"\n"
    listing = outcome(client.list(), liar.network)
    assert [entry.name for entry in listing.entries] == ["fine"]
    assert set(listing.unsafe) == {"../up", "/etc/passwd", "a/b", "..", "."}
    assert len(listing.unparsed) == 2
    assert_nothing_left(liar, client)


@pytest.mark.parametrize("name", ["", "/", "a\nDELF b", "a\rb", "a\0b", "\udcff", "x" * 9000])
def test_nothing_is_sent_of_a_name_that_no_line_can_hold(name):
    liar = Liar(DELF="OK x")
    client = liar.client()
    heard = len(liar.heard)
    fails(liar, client.delete(name), InvalidArgument)
    fails(liar, client.download(name), InvalidArgument)
    fails(liar, client.upload(b"", name), InvalidArgument)
    assert len(liar.heard) == heard
    assert_nothing_left(liar, client)


def test_a_name_that_looks_like_an_offset():
    liar = Liar(DELF="OK", DWLD=b"OK 1\nx")
    client = liar.client()
    outcome(client.delete("@5 x"), liar.network)
    outcome(client.download("@5 x"), liar.network)
    outcome(client.download("@5 x", offset=3), liar.network)
    assert liar.heard[-3:] == [b"DELF ./@5 x", b"DWLD ./@5 x", b"DWLD @3 ./@5 x"]
    assert_nothing_left(liar, client)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"OK 1000\nfew", Timeout),
        (b"OK what\n", ProtocolViolation),
        (b"OK\n", ProtocolViolation),
        (b"GO\n", ProtocolViolation),
        (
            lambda speaker: speaker.say(b"OK 9\nx") or speaker.transport.loseConnection(),
            NetworkError,
        ),
        (
            lambda speaker: speaker.say(b"OK 9\nx") or speaker.transport.abortConnection(),
            NetworkError,
        ),
    ],
    ids=["few", "no size", "nothing", "go", "fin", "rst"],
)
def test_downloads_that_are_none(tmp_path, answer, kind):
    liar = Liar(DWLD=answer)
    client = liar.client()
    fails(liar, client.download("x", tmp_path / "x"), kind, 100.0)
    assert list(tmp_path.iterdir()) == []
    assert_nothing_left(liar, client)


def test_bytes_behind_a_file_are_not_taken_for_an_answer():
    liar = Liar(DWLD=b"OK 3\nabcdef\n", DELF="OK")
    client = liar.client()
    assert outcome(client.download("x"), liar.network).data == b"abc"
    fails(liar, client.delete("x"), ProtocolViolation)
    assert_nothing_left(liar, client)


def test_uploads_that_are_not_taken():
    liar = Liar(UPLD="ERR QUOTA full")
    client = liar.client()
    fails(liar, client.upload(b"x" * 100, "x"), StorageFull)
    liar.speakers[0].text = b""
    fails(liar, client.upload(b"x" * 100_000, "x"), StorageFull)
    liar.says["UPLD"] = "OK 7 x"
    fails(liar, client.upload(b"x" * 100, "x"), VerificationFailed)
    liar.speakers[0].text = b""
    fails(liar, client.upload(b"x" * 100_000, "x"), ProtocolViolation)
    assert_nothing_left(liar, client)


def test_last_words_between_two_calls():
    liar = Liar(DELF="OK")
    client = liar.client()
    liar.speakers[0].say("ERR TIMEOUT idle too long")
    liar.speakers[0].transport.loseConnection()
    liar.network.settle()
    assert "idle" in str(fails(liar, client.delete("x"), ServerBusy))
    assert_nothing_left(liar, client)


@pytest.mark.parametrize("words", [b"what is this\n", b"OK unasked\n", b"half"])
def test_other_words_between_two_calls(words):
    liar = Liar(DELF="OK")
    client = liar.client()
    liar.speakers[0].say(words)
    liar.network.settle()
    fails(liar, client.delete("x"), ProtocolViolation)
    assert_nothing_left(liar, client)


@pytest.mark.parametrize("words", [b"what is this\n", b"OK unasked\n", b"half", b""])
def test_other_words_before_the_end(words):
    liar = Liar(DELF="OK")
    client = liar.client()
    liar.speakers[0].say(words)
    liar.speakers[0].transport.loseConnection()
    liar.network.settle()
    fails(liar, client.delete("x"), NetworkError)
    assert_nothing_left(liar, client)


def test_digests_that_are_none():
    liar = Liar(HASH="OK MD5 x y")
    client = liar.client()
    fails(liar, client.hash("x"), ProtocolViolation)
    liar.says["HASH"] = f"OK SHA-256 {'AB' * 32} x"
    assert outcome(client.hash("x"), liar.network) == "ab" * 32
    assert_nothing_left(liar, client)


def test_directories_are_kept_here():
    listing = b"OK 2 1\ndir 0 20260101000000 in\nfile 1 20260101000000 file\n"
    liar = Liar(LIST=listing, DELF="OK x")
    client = liar.client()
    assert outcome(client.change_directory("in"), liar.network) == "/in"
    outcome(client.delete("x"), liar.network)
    outcome(client.delete("../y"), liar.network)
    outcome(client.delete("/../z"), liar.network)
    assert liar.heard[-3:] == [b"DELF in/x", b"DELF y", b"DELF z"]
    fails(liar, client.change_directory("/file"), AlreadyExists)
    fails(liar, client.change_directory("/none"), NotFound)
    fails(liar, client.change_directory("a\0"), InvalidArgument)
    assert outcome(client.change_directory(".."), liar.network) == "/" == client.directory
    assert outcome(client.stat("/"), liar.network).name == ""
    assert set(outcome(client.features(), liar.network)) >= {"UPLD", "DWLD"}
    assert_nothing_left(liar, client)


def test_cancelling_closes_and_the_next_call_has_a_new_connection():
    liar = Liar(DELF="", LIST="", DWLD="", UPLD="")
    client = liar.client(retries=1)
    for count, call in enumerate(
        (
            lambda: client.delete("x"),
            client.list,
            lambda: client.download("x", offset=1),
            lambda: client.upload(b"x", "x"),
            lambda: client.upload(b"x" * 100_000, "x"),
        )
    ):
        liar.says["LIST"] = "" if count == 1 else b"OK 0 0\n"
        waiting = call()
        liar.network.settle()
        waiting.cancel()
        outcome(waiting, liar.network)
        assert len(liar.speakers) == count + 1
    assert_nothing_left(liar, client)
