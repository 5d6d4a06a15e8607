"""What a whole service offers, for accounts whose files are in a bucket: quotas, mounts, gates."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.backends.s3.api import signed_requests
from ftpservice.backends.s3.tree import part_buffer
from ftpservice.events import TransferEnded, UploadRefused
from tests.support.buckets import BUCKET, InlineBucket
from tests.support.raw_client import RunningService, Wire, in_thread, starting
from tests.support.restartable_service import noise
from tests.support.s3_servers import SETTINGS, make_bucket, moto_server
from tests.support.simple_client import SimpleWire
from tests.support.tus_client import BrowserClient

FIXTURES = (starting,)
SIMPLE = ("--simple", "tcp:0:interface=127.0.0.1")
PART = 5 << 20
LATE = 10.0
"""Seconds that nothing here takes, however busy the machine is."""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with mock.patch.dict(os.environ, SETTINGS), moto_server() as url:
        make_bucket(url, BUCKET)
        yield url


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of the smallest size that servers accept."""
    monkeypatch.setattr(part_buffer, "FIRST_PART_SIZE", PART)


class BucketService:
    """A service whose files are in a part of a bucket, and that part."""

    def __init__(self, url: str, server: Callable[..., RunningService], place: Path) -> None:
        self.bucket = InlineBucket(url)
        self.place = place
        self._server = server
        self.events: list = []
        self.served: RunningService

    def storage(self, below: str = "") -> str:
        """Return the storage string, or that of a directory."""
        prefix = self.bucket.options.prefix + below
        endpoint = self.bucket.options.endpoint.replace(":", "\\:")
        return f"s3:{BUCKET}:prefix={prefix}:endpoint={endpoint}"

    def account(self, name: str, options: str) -> None:
        with (self.place / "passwd.db").open("a") as accounts:
            accounts.write(f"{name}:{SHIPPED_HASH}:/:full:{options}\n")

    def start(self, *options: str, hooks: str = "", root: str | None = None) -> RunningService:
        settings = self.place / "ftp.toml"
        settings.write_text(hooks)
        self.served = self._server(
            "--config", str(settings), *options, root=root or self.storage("files")
        )
        self.served.factory.event_sink.events.subscribe(self.events.append)
        return self.served

    def simple(self, name: str = "demo") -> SimpleWire:
        wire = SimpleWire(self.served, self.served.connected(("127.0.0.1", self.served.ports[-1])))
        wire.line()
        return wire.login(name)

    def files(self) -> list[str]:
        """Return the names of all objects but those of the service, and the directories."""
        names = [name.removeprefix("files/") for name in self.bucket.names()]
        return [name for name in names if name and "/.ftpservice/" not in f"/{name}"]

    def is_clean(self) -> bool:
        """Return whether no interrupted upload is left."""
        left = [name for name in self.bucket.names() if "/.ftpservice/" in f"/{name}"]
        return left == self.bucket.open_uploads() == []


@pytest.fixture
def service(moto, server, tmp_path) -> Iterator[BucketService]:
    made = BucketService(moto, server, tmp_path)
    yield made
    made.bucket.requests.stop()


def binary(wire: Wire) -> Wire:
    assert wire.code("TYPE I") == 200
    return wire


@in_thread
def test_a_quota_is_counted_enforced_given_back_and_counted_again_after_a_restart(service) -> None:
    service.account("ann", "quota=100K,quota-files=5")
    service.bucket.write("files/there", b"x" * 20_000)
    wire = binary(service.start().session("ann"))
    assert "20000/102400" in "".join(str(one) for one in wire.ask("SITE QUOTA").lines)
    assert wire.upload("STOR a", b"x" * 60_000).code == 226
    assert wire.upload("STOR b", b"x" * 60_000).code == 552
    assert wire.upload("APPE a", b"x" * 60_000).code == 552
    assert wire.upload("STOR a", b"x" * 80_000).code == 226  # over the old one
    assert wire.upload("APPE a", b"x" * 2_000).code == 226
    assert wire.code("DELE a") == 250
    assert wire.upload("STOR b", b"x" * 60_000).code == 226
    assert wire.codes("MKD d", "MKD e", "MKD f") == [257, 257, 257]
    assert wire.ask("EPSV").code == 229
    assert wire.code("STOR c") == 552  # files
    assert wire.codes("RNFR b", "RNTO d/b") == [350, 250]
    again = binary(service.start().session("ann"))
    assert "80000/102400" in "".join(str(one) for one in again.ask("SITE QUOTA").lines)
    assert again.code("RMD e") == 250
    assert again.upload("STOR a", b"x" * 60_000).code == 552
    assert again.code("DELE d/b") == 250
    assert again.upload("STOR a", b"x" * 60_000).code == 226
    assert service.files() == ["a", "d/", "f/", "there"]
    assert service.is_clean()


@in_thread
def test_an_interrupted_upload_counts_until_it_is_deleted(service) -> None:
    service.account("ann", "quota=100K")
    wire = binary(service.start().session("ann"))
    assert wire.code("ALLO 70000") == 200
    assert wire.upload("STOR a", b"x" * 60_000).code == 426
    assert wire.upload("STOR b", b"x" * 60_000).code == 552
    again = binary(service.start().session("ann"))
    assert again.upload("STOR b", b"x" * 60_000).code == 552
    assert again.codes("SIZE a", "REST 60000") == [213, 350]
    assert again.upload("STOR a", b"y" * 10_000).code == 226
    assert again.code("DELE a") == 250
    assert again.upload("STOR b", b"x" * 60_000).code == 226
    assert service.is_clean()


@in_thread
def test_a_bucket_below_a_disk_and_a_disk_below_a_bucket(service, tmp_path, monkeypatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = service.storage("mounted").replace("\\", "\\\\").replace(":", "\\:")
    monkeypatch.setattr(signed_requests, "FIRST_PAUSE_SECONDS", 0.001)
    away = "s3\\:files\\:endpoint=http\\\\\\://127.0.0.1\\\\\\:1"
    service.account("ann", f"mount=/in=local\\:{disk}")
    wire = binary(service.start("--rename-across-mounts", "copy").session("ann"))
    assert wire.upload("STOR own", b"own").code == 226
    assert wire.upload("STOR in/a", b"on the disk").code == 226
    assert (disk / "a").read_bytes() == b"on the disk"
    assert wire.codes("RNFR own", "RNTO in/own", "RNFR in/a", "RNTO a") == [350, 250] * 2
    assert sorted(wire.download("NLST").split()) == [b"a", b"in"]
    assert (service.files(), os.listdir(disk)) == (["a"], ["own"])

    service.account("bob", f"mount=/in={mount},mount=/away={away}")
    served = service.start(root=f"local:{disk}")
    wire = binary(served.session("bob"))
    assert wire.upload("STOR in/b", b"in the bucket").code == 226
    assert wire.download("RETR in/b") == b"in the bucket"
    assert sorted(wire.download("NLST").split()) == [b"away", b"in", b"own"]
    assert wire.codes("RNFR own", "RNTO in/own") == [350, 550]  # another storage
    assert wire.codes("DELE in", "RMD in", "CWD away", "SIZE in/b") == [550, 550, 451, 213]
    assert service.files() == ["a", "mounted/b"]


NO_BAD = "grep -q bad $FTPSERVICE_FILE && { echo it has a bad word; exit 1; }; exit 0"


def guarded(told: Path) -> str:
    """Return settings: a gate that refuses, one that renames, and a hook that is told."""
    hooks = {
        "words": ("in/**", True, ["/bin/sh", "-c", NO_BAD]),
        "folders": ("*.r", True, ["/usr/bin/printf", '{"name": "2026/a", "unique": true}']),
        "tell": ("**", False, ["/bin/sh", "-c", f"cat >> {told}"]),
    }
    return "".join(
        f"[[hook]]\nname = {json.dumps(name)}\non = ['upload']\ngate = {str(gate).lower()}\n"
        f"paths = {json.dumps([f'/{paths}' if '/' in paths or paths == '**' else paths])}\n"
        f"command = {json.dumps(command)}\n"
        for name, (paths, gate, command) in hooks.items()
    )


@in_thread
def test_gates_refuse_and_rename_and_hooks_get_the_address_of_the_object(service, tmp_path) -> None:
    told = tmp_path / "told"
    wire = binary(service.start(hooks=guarded(told)).session())
    assert wire.code("MKD in") == 257
    refused = [
        wire.upload("STOR in/a", b"a bad one"),
        wire.upload("STOR in/large", b"bad" * (PART // 3 + 1)),
        wire.upload("STOU in/b", b"bad"),
    ]
    assert [(one.code, one.text) for one in refused] == [(550, "it has a bad word")] * 3
    assert [event.refused_by for event in service.events if type(event) is UploadRefused] == (
        ["words"] * 3
    )
    assert (service.files(), service.is_clean()) == (["in/"], True)
    assert wire.upload("STOR in/a", b"good").code == 226
    assert wire.upload("APPE in/a", b"bad").code == 550
    assert wire.upload("APPE in/a", b" and more").code == 226
    large = noise(PART + 1000)
    assert wire.upload("STOR in/large", large).code == 226
    assert wire.download("RETR in/large") == large
    for name in ("a", "a.1"):
        assert f"/2026/{name}" in wire.upload("STOR x.r", b"1").text
    assert service.files() == ["2026/", "2026/a", "2026/a.1", "in/", "in/a", "in/large"]
    paths = [event.path for event in service.events if type(event) is TransferEnded]
    assert paths[-2:] == ["/2026/a", "/2026/a.1"]
    place = f"s3://{BUCKET}/{service.bucket.options.prefix}files/in/a"
    service.served.wait_for(lambda: told.exists() and told.read_text().count("\n") == 5)
    documents = [json.loads(line) for line in told.read_text().splitlines()]
    assert {one["path"]: one["storage_name"] for one in documents}["/in/a"] == place
    assert service.is_clean()


@in_thread
def test_the_simple_protocol_has_the_same_files(service) -> None:
    service.start(*SIMPLE)
    wire = service.simple()
    service.bucket.write("files/d/")
    wire.send("".join(f"UPLD 3+ d/{number}\nabc" for number in range(3)))
    assert {wire.line().split()[0] for _ in range(3)} == {"OK"}
    large = noise(PART + 1000)
    assert wire.upload("large", large).startswith("OK")
    assert wire.download("large") == large
    assert wire.ask("HASH large").startswith("OK SHA-256")
    assert wire.asks("DELF d/0", "DELF none") == ["OK d/0", "ERR NOTFOUND"]
    assert sorted(line.split()[-1] for line in wire.listing("d")[1:]) == ["1", "2"]
    wire.close()
    assert service.files() == ["d/", "d/1", "d/2", "large"]
    assert service.is_clean()


@in_thread
def test_the_page_lists_shares_and_packs_files(service) -> None:
    service.start("--http", "tcp:0:interface=127.0.0.1", "--data-dir", str(service.place / "var"))
    for name in ("d/a.txt", "d/sub/b.txt"):
        service.bucket.write(f"files/{name}", name.encode())
    client = BrowserClient(service.served.ports[-1], "demo", "demo")
    found = json.loads(client.ask("GET", "/api/v1/files/list?path=/d").body)
    assert {one["name"] for one in found["entries"]} == {"a.txt", "sub"}
    packed = client.ask("GET", "/api/v1/files/zip?path=/d")
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.read("d/sub/b.txt") == b"d/sub/b.txt"
        assert archive.testzip() is None
    made = client.ask(
        "POST",
        "/api/v1/shares",
        json.dumps({"path": "/d", "expires": 3600}).encode(),
        {"Content-Type": "application/json"},
    )
    url = str(json.loads(made.body)["url"])
    assert client.ask("GET", f"{url}/a.txt").body == b"d/a.txt"
    part = client.ask("GET", f"{url}/sub/b.txt", b"", {"Range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"sub")
    large = noise(PART + 1000)
    place = client.create("/d/large", len(large)).headers["Location"]
    assert client.patch(place, 0, large[:PART]).status == 204
    assert client.head(place).offset == PART
    assert client.patch(place, PART, large[PART:]).status == 204
    assert client.ask("GET", "/api/v1/files/content?path=/d/large").body == large
    assert service.is_clean()


@in_thread
def test_rates_hold(service) -> None:
    rate = 400_000
    service.account("ann", f"rate-up={rate},rate-down={rate}")
    wire = binary(service.start().session("ann"))
    content = noise(rate // 2)
    begin = time.monotonic()
    assert wire.upload("STOR a", content).code == 226
    between = time.monotonic()
    assert wire.download("RETR a") == content
    assert 0.45 <= between - begin <= LATE
    assert 0.45 <= time.monotonic() - between <= LATE


@in_thread
def test_what_is_deleted_and_overwritten_is_kept_counts_and_is_restored(service) -> None:
    service.account("ann", "trash=30d,quota=100K")
    served = service.start("--http", "tcp:0:interface=127.0.0.1")
    wire = binary(served.session("ann"))
    assert wire.code("MKD in") == 257
    for content in (b"1" * 10_000, b"2" * 20_000):
        assert wire.upload("STOR in/a", content).code == 226
    assert wire.codes("DELE in/a", "RMD in") == [250, 250]
    assert wire.download("NLST") == b""
    assert "30000/102400" in "".join(str(one) for one in wire.ask("SITE QUOTA").lines)
    assert wire.ask("SITE UNDELETE").text.endswith("2 files, 30000 bytes.")
    assert wire.code("CWD .ftpservice") == 550
    again = binary(service.start().session("ann"))
    assert "Restored /in/a" in again.ask("SITE UNDELETE FILE in/a").text
    assert again.download("RETR in/a") == b"2" * 20_000
    assert again.codes("SITE UNDELETE FILE in/a", "SITE UNDELETE REPLACE FILE in/a") == [550, 250]
    assert again.download("RETR in/a") == b"1" * 10_000
    assert "30000/102400" in "".join(str(one) for one in again.ask("SITE QUOTA").lines)
    assert again.upload("STOR large", b"x" * 95_000).code == 552
    assert again.upload("STOR large", b"x" * 85_000).code == 226  # the trash makes room
    assert again.ask("SITE UNDELETE").text.endswith("0 files, 0 bytes.")
    client = BrowserClient(served.ports[-1], "ann", "demo")
    body, kind = json.dumps({"path": "/in/a"}).encode(), {"Content-Type": "application/json"}
    assert client.ask("POST", "/api/v1/files/delete", body, kind).status in (200, 204)
    found = json.loads(client.ask("GET", "/api/v1/files/trash").body)
    assert [one["path"] for one in found["files"]] == ["/in/a"]
    assert service.files() == ["in/", "large"]
    other = binary(served.session())
    assert other.ask("SITE UNDELETE").text.endswith("0 files, 0 bytes.")
    assert other.upload("STOR large", b"theirs").code == 226
    assert other.ask("SITE UNDELETE").text.endswith("0 files, 0 bytes.")


@in_thread
def test_two_nodes_that_upload_to_one_name_publish_whole_files(service) -> None:
    nodes = [service.start(), service.start()]
    for name, size, codes in (("demo", PART + 1000, [226, 226]), ("dropbox", 10, [226, 550])):
        contents = [noise(size, 1), noise(size, 2)]
        wires = [binary(node.session(name)) for node in nodes]
        ends = [wire.data() for wire in wires]
        for wire, end, content in zip(wires, ends, contents, strict=True):
            assert wire.code(f"STOR {name}") == 150
            end.sendall(content[: len(content) // 2])
        for wire, end, content, code in zip(wires, ends, contents, codes, strict=True):
            end.sendall(content[len(content) // 2 :])
            end.close()
            assert wire.reply().code == code
        published = contents[1 if codes == [226, 226] else 0]
        assert binary(nodes[0].session()).download(f"RETR {name}") == published
    unique = [binary(node.session()).upload("STOU u", b"x") for node in nodes]
    assert [one.code for one in unique] == [226, 226]
    assert len([name for name in service.files() if name.startswith("u")]) == 2
