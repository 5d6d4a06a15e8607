"""The client with third-party servers: operations that all of them support."""

import io
import os
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError

from benchmarks.ports import free_port, reserved_port
from ftpservice.wire.entry import Kind
from ftpservice_client import NotFound, ServerRefused, connect
from tests.support.peer_servers import NAMES, serving

MIB = 2**20
BIG = os.urandom(MIB) * 5 + b"and a bit"
CASES = [(name, secured) for name in NAMES for secured in (False, True)]


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=[f"{name}-{'tls' if secured else 'clear'}" for name, secured in CASES],
)
def server(request):
    name, secured = request.param
    with serving(name, secured) as running:
        yield running


def test_files_of_servers_are_outside_pytests_directories(server, tmp_path_factory):
    theirs = tmp_path_factory.getbasetemp()
    assert not server.root.is_relative_to(theirs.parent)
    for directory in server.root.parents:
        assert directory.stat().st_mode & 0o001, directory


def test_a_free_port_is_returned_once():
    assert len({free_port() for _ in range(1000)}) == 1000


def test_a_reserved_port_is_for_a_server_only():
    with reserved_port() as port, socket.socket() as other, socket.socket() as one:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        one.listen()
        with socket.create_connection(("127.0.0.1", port), 5):
            pass


@ensureDeferred
async def test_a_file_is_unchanged_after_upload_and_download(reactor, server, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(BIG)
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    for name in ("big.bin", "a b  c.bin"):
        sent = await client.upload(source, name)
        assert (sent.size, (server.root / name).read_bytes() == BIG) == (len(BIG), True)
        received = await client.download(name, copy)
        assert (received.size, copy.read_bytes() == BIG) == (len(BIG), True)
    assert (await client.download("big.bin")).data == BIG
    await client.quit()


@ensureDeferred
async def test_small_and_empty_files(reactor, server):
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    for content in (b"", b"x", b"line\r\nline\n", bytes(range(256)) * 300):
        await client.upload(content, "small")
        assert (server.root / "small").read_bytes() == content
        assert (await client.download("small")).data == content
    file = io.BytesIO(b"--from here")
    file.seek(2)
    await client.upload(file, "small")
    assert (await client.download("small", offset=5)).data == b"here"
    await client.quit()


@ensureDeferred
async def test_names_and_directories(reactor, server):
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    await client.make_directory("in side")
    assert await client.change_directory("in side") == client.directory == "/in/in side"
    await client.upload(b"12345", "five")
    await client.upload(b"7654321", "seven")
    await client.make_directory("deeper")
    listing = await client.list()
    found = {entry.name: (entry.kind, entry.size) for entry in listing.entries}
    assert found["five"] == (Kind.FILE, 5)
    assert found["seven"] == (Kind.FILE, 7)
    assert found["deeper"][0] is Kind.DIRECTORY
    assert listing.total == 12
    assert (await client.stat("five")).size == 5
    assert (await client.stat("/in/in side/deeper")).kind is Kind.DIRECTORY
    assert [entry.name for entry in (await client.list("five")).entries] == ["five"]
    await client.rename("five", "fünf")
    assert (await client.stat("fünf")).name == "fünf"
    with pytest.raises(NotFound):
        await client.stat("five")
    with pytest.raises(NotFound):
        await client.download("five")
    with pytest.raises(ServerRefused):
        await client.list("/nowhere")
    await client.delete("fünf")
    await client.delete("seven")
    await client.remove_directory("deeper")
    assert await client.change_directory("..") == "/in"
    await client.remove_directory("in side")
    assert list(server.root.glob("in*")) == []
    await client.quit()


@ensureDeferred
async def test_the_connection_works_after_cancelled_transfers(reactor, server, tmp_path):
    (server.root / "huge").write_bytes(BIG * 10)
    settings = server.settings(retries=1, backoff=0.01)  # under TLS, some close the session
    client = await connect(server.url(), reactor=reactor, settings=settings)
    target = tmp_path / "huge"
    seen = []
    download = client.download("huge", target, progress=lambda moved, total: seen.append(moved))
    reactor.callLater(0.001, download.cancel)
    with pytest.raises(CancelledError):
        await download
    assert (await client.stat("huge")).size == len(BIG) * 10
    assert not target.exists()
    upload = client.upload(BIG * 10, "other")
    reactor.callLater(0.004, upload.cancel)
    with pytest.raises(CancelledError):
        await upload
    await client.upload(b"after", "after")
    assert (await client.download("after")).data == b"after"
    await client.quit()


@ensureDeferred
async def test_resume_and_append(reactor, server, tmp_path):
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    await client.upload(b"begun ", "log")
    await client.upload(b"and went on", "log", append=True)
    assert (await client.download("log")).data == b"begun and went on"
    (server.root / "whole").write_bytes(BIG)
    target = tmp_path / "whole"
    target.write_bytes(BIG[:MIB])
    os.utime(target, (2**32, 2**32))
    transfer = await client.download("whole", target, resume=True)
    assert transfer.size == len(BIG) - MIB
    assert target.read_bytes() == BIG
    await client.quit()


@ensureDeferred
async def test_missing_directories(reactor, server, tmp_path):
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    with pytest.raises(NotFound, match="none: there is no such directory on the server"):
        await client.upload(b"text", "none/file")
    (tmp_path / "tree" / "in").mkdir(parents=True)
    (tmp_path / "tree" / "in" / "file").write_bytes(b"text")
    done = await client.upload_tree(tmp_path / "tree", "deep/er")
    done.raise_if_failed()
    assert (server.root / "deep" / "er" / "in" / "file").read_bytes() == b"text"
    await client.quit()


def kept(top):
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


@ensureDeferred
async def test_mirror_deletes_and_does_not_follow_links(reactor, server, tmp_path):
    client = await connect(server.url(), reactor=reactor, settings=server.settings())
    for name in ("site/releases/7/f", "site/.hidden", "site/a b/c", "site/gone"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (1.6e9, 1.6e9))
    site, there = tmp_path / "site", server.root / "mirrored"
    assert (await client.upload_tree(site, "mirrored")).failed == ()
    (there / "current").symlink_to("releases/7")
    (there / "self").symlink_to(".")
    (there / "empty").mkdir(mode=0o777)
    (there / "empty").chmod(0o777)
    back = tmp_path / "back"
    assert (await client.download_tree("mirrored", back)).failed == ()
    assert kept(back) >= {"releases/7/f", "a b/c", "gone"}
    assert "self/self" not in {str(path.relative_to(back)) for path in back.rglob("*")}
    again = await client.download_tree("mirrored", back)
    assert {step.action for step in again.steps if step.name} <= {"skip", "leave"}
    (site / "gone").unlink()
    done = await client.mirror(site, "mirrored", up=True, delete=True)
    assert done.failed == ()
    assert {step.action for step in done.steps if step.name} <= {"skip", "delete", "keep"}
    assert not (there / "gone").exists()
    assert (there / "releases/7/f").read_bytes() == b"12345"
    assert (there / ".hidden").exists()
    assert (await client.remove_tree("mirrored")).failed == ()
    assert not there.exists()
    await client.quit()
