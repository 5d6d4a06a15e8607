"""Digests computed during uploads, and HASH after them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from ftpservice.backends.local.storage import LocalStorage
from ftpservice.events import Event, TransferEnded
from tests.support.raw_client import RunningService, Wire, in_thread, reset, started, starting

FIXTURES = (started, starting)
CONTENT = os.urandom(700_001)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read for a digest."""
    paths: list[str] = []
    original = LocalStorage.hash

    async def watched(self, path, *rest):
        paths.append(str(path))
        return await original(self, path, *rest)

    monkeypatch.setattr(LocalStorage, "hash", watched)
    return paths


def upload_digests(served: RunningService) -> list[str]:
    """Return a list that receives the digests of transfers."""
    digests: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, TransferEnded):
            digests.append(event.digest)

    served.factory.event_sink.events.subscribe(note)
    return digests


def hashed(wire: Wire, path: str = "/a") -> str:
    """Return the digest of a file."""
    answer = wire.ask(f"HASH {path}")
    assert answer.code == 213, answer
    algorithm, span, digest, name = answer.text.split(" ", 3)
    assert (algorithm, name) == ("SHA-256", path)
    size = int(wire.ask(f"SIZE {path}").text)
    assert span == f"0-{max(size - 1, 0)}"
    return digest


def session(served: RunningService) -> Wire:
    wire = served.session()
    assert wire.code("TYPE I") == 200
    return wire


@in_thread
@pytest.mark.parametrize("size", [0, 1, 4096, 65_536, len(CONTENT)])
def test_hash_after_an_upload_does_not_read_the_file(
    server: Callable[..., RunningService], read: list[str], size: int
) -> None:
    served = server("--upload-digest", "sha-256")
    digests, wire, content = upload_digests(served), session(served), CONTENT[:size]
    assert wire.upload("STOR a", content).code == 226
    assert digests == [f"SHA-256:{sha(content)}"]
    assert hashed(wire) == sha(content)
    assert hashed(session(served)) == sha(content)
    assert read == []
    assert (served.root / "a").read_bytes() == content


@in_thread
def test_ascii_uploads_are_digested_as_stored(
    server: Callable[..., RunningService], read: list[str]
) -> None:
    served = server("--upload-digest", "SHA-256")
    digests, wire = upload_digests(served), served.session()
    text = b"one\r\ntwo\r\n" * 20_000
    assert wire.upload("STOR a", text).code == 226
    stored = text.replace(b"\r\n", b"\n")
    assert digests == [f"SHA-256:{sha(stored)}"]
    assert wire.code("TYPE I") == 200
    assert hashed(wire) == sha(stored)
    assert read == []


@in_thread
def test_other_algorithms_and_ranges_read_the_file(
    server: Callable[..., RunningService], read: list[str]
) -> None:
    served = server("--upload-digest", "MD5")
    digests, wire = upload_digests(served), session(served)
    assert wire.upload("STOR a", CONTENT).code == 226
    assert digests == [f"MD5:{hashlib.md5(CONTENT).hexdigest()}"]
    assert hashed(wire) == sha(CONTENT)
    assert wire.codes("OPTS HASH MD5", "RANG 0 9") == [200, 350]
    assert wire.ask("HASH a").text.split()[2] == hashlib.md5(CONTENT[:10]).hexdigest()
    assert read == ["/a", "/a"]
    assert wire.ask("HASH a").text.split()[2] == hashlib.md5(CONTENT).hexdigest()
    assert read == ["/a", "/a"]


@in_thread
def test_resumed_and_appended_files_are_read(
    server: Callable[..., RunningService], read: list[str]
) -> None:
    served = server("--upload-digest", "SHA-256")
    digests, wire = upload_digests(served), session(served)
    assert wire.upload("STOR a", CONTENT).code == 226
    assert wire.code("REST 100") == 350
    assert wire.upload("STOR a", b"end").code == 226
    assert hashed(wire) == sha(CONTENT[:100] + b"end")
    assert wire.upload("APPE a", b"more").code == 226
    assert hashed(wire) == sha(CONTENT[:100] + b"endmore")
    assert digests[1:] == ["", ""]
    assert read == ["/a", "/a"]


@in_thread
def test_an_append_to_a_new_file_is_digested_on_demand(
    server: Callable[..., RunningService], read: list[str]
) -> None:
    served = server("--upload-digest", "SHA-256")
    digests, wire = upload_digests(served), session(served)
    assert wire.upload("APPE a", b"new").code == 226
    assert hashed(wire) == sha(b"new")
    assert (digests, read) == ([""], ["/a"])


@in_thread
def test_a_resumed_upload_is_read(server: Callable[..., RunningService], read: list[str]) -> None:
    served = server("--upload-digest", "SHA-256")
    digests, wire = upload_digests(served), session(served)
    data = wire.data()
    assert wire.code("STOR a") == 150
    data.sendall(CONTENT[:5000])
    while not any(b" 5000 bytes so far" in line for line in wire.ask("STAT").lines):
        continue
    reset(data)
    assert wire.reply().code == 426
    assert wire.ask("SIZE a").text == "5000"
    assert wire.upload("APPE a", CONTENT[5000:]).code == 226
    assert hashed(wire) == sha(CONTENT)
    assert wire.code("REST 3") == 350
    assert wire.upload("STOR a", CONTENT[3:]).code == 226
    assert hashed(wire) == sha(CONTENT)
    assert digests == ["", "", ""]
    assert read == ["/a", "/a"]


@in_thread
def test_later_changes_invalidate_the_digest(server: Callable[..., RunningService]) -> None:
    served = server("--upload-digest", "SHA-256")
    wire, other = session(served), session(served)

    def changed(*commands: str, content: bytes = CONTENT) -> None:
        assert wire.upload("STOR a", CONTENT).code == 226
        assert wire.upload("STOR b", b"b" * len(CONTENT)).code == 226
        for command in commands:
            assert other.code(command) in (213, 250, 350)
        assert hashed(wire) == sha(content)

    changed()
    changed("MFMT 20200101000000 a")
    changed("MFMT 20200101000000 a", "MFMT 20200101000000 b")
    changed("RNFR b", "RNTO a", content=b"b" * len(CONTENT))
    assert wire.upload("STOR a", CONTENT).code == 226
    assert other.upload("STOR a", CONTENT[::-1]).code == 226
    assert hashed(wire) == sha(CONTENT[::-1])
    (served.root / "a").write_bytes(CONTENT[1:] + b"x")
    assert hashed(wire) == sha(CONTENT[1:] + b"x")
    assert wire.upload("STOR a", CONTENT).code == 226
    before = (served.root / "a").stat()
    with open(served.root / "a", "r+b") as file:  # of the same size, its time of change set back
        file.write(CONTENT[::-1])
    os.utime(served.root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashed(wire) == sha(CONTENT[::-1])
    assert wire.upload("STOR a", CONTENT).code == 226
    assert other.code("DELE a") == 250
    assert wire.code("HASH a") == 550


@in_thread
def test_files_replaced_quickly_are_distinguished(
    server: Callable[..., RunningService],
) -> None:
    """A filesystem may reuse the inode number of a removed file at once."""
    served = server("--upload-digest", "SHA-256")
    ann, bob = session(served), session(served)
    for number in range(30):
        content = b"%06d" % number
        assert (ann, bob)[number % 2].upload("STOR a", content).code == 226
        assert hashed(ann) == sha(content)
        assert bob.code("DELE a") == 250


@in_thread
def test_an_interrupted_upload_has_no_digest(server: Callable[..., RunningService]) -> None:
    served = server("--upload-digest", "SHA-256")
    digests, wire = upload_digests(served), session(served)
    data = wire.accepted()
    assert wire.code("STOR a") == 150
    data.sendall(CONTENT)
    wire.send("ABOR\r\n")
    assert wire.replies(2) == [426, 226]
    assert digests == [""]
    assert wire.code("HASH a") == 550


@in_thread
def test_without_the_setting_there_is_no_digest(served: RunningService, read: list[str]) -> None:
    digests, wire = upload_digests(served), session(served)
    assert wire.upload("STOR a", CONTENT).code == 226
    assert hashed(wire) == sha(CONTENT)
    assert (digests, read) == ([""], ["/a"])
