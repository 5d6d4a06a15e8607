"""Sources of uploads and targets of downloads: files, memory, producers, consumers."""

import io
import itertools
import os
import time

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPullProducer, IPushProducer
from zope.interface import implementer

from ftpservice.events import TransferEnded
from ftpservice_client import (
    LocalFileError,
    NetworkError,
    Settings,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.local.files import OpenFile, PartFile
from ftpservice_client.testing.service import Fault, MemoryService

BIG = bytes(range(256)) * 4000


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    made.write("/file", BIG)
    yield made
    made.pass_time(30.0)
    assert made.network.getDelayedCalls() == []


@pytest.fixture
def client(service):
    made = service.result(service.connect("ftp://ann:secret@server/"))
    yield made
    service.result(made.quit(), 10.0)


class Half(io.BytesIO):
    """A file that reads and writes a part at a time."""

    def read(self, size=-1):
        return super().read(min(size, 1000))

    def write(self, data):
        return super().write(bytes(data[:10_000]))


class Unseekable(io.BytesIO):
    def seekable(self):
        return False


@implementer(IPushProducer)
class Pusher:
    """A push producer."""

    def __init__(self, pieces):
        self.pieces = list(pieces)
        self.paused, self.stopped = True, False
        self.consumer = None

    def beginProducing(self, consumer):
        self.consumer = consumer
        consumer.registerProducer(self, True)

    def resumeProducing(self):
        self.paused = False
        while self.pieces and not self.paused:
            self.consumer.write(self.pieces.pop(0))
        if not self.pieces:
            self.consumer.unregisterProducer()

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        self.stopped = True


@implementer(IPullProducer)
class Puller:
    """A pull producer."""

    def __init__(self, pieces):
        self.pieces = list(pieces)
        self.stopped = False

    def startProducing(self, consumer):
        self.consumer = consumer
        self.ended = Deferred()
        return self.ended

    def resumeProducing(self):
        if self.pieces:
            self.consumer.write(self.pieces.pop(0))
        else:
            self.ended.callback(None)

    def stopProducing(self):
        self.stopped = True


@implementer(IConsumer)
class Consumer:
    """A slow consumer: pauses after each chunk until it is resumed."""

    def __init__(self, clock=None):
        self.pieces = []
        self.producer = None
        self.clock = clock

    def registerProducer(self, producer, streaming):
        assert streaming
        self.producer = producer

    def unregisterProducer(self):
        self.producer = None

    def write(self, data):
        self.pieces.append(data)
        if self.clock is not None:
            self.producer.pauseProducing()
            self.clock.callLater(0.001, self.producer.resumeProducing)


@pytest.mark.parametrize(
    "source",
    [
        lambda: io.BytesIO(BIG),
        lambda: Half(BIG),
        lambda: Unseekable(BIG),
        lambda: BIG,
        lambda: bytearray(BIG),
        lambda: memoryview(BIG),
        lambda: Pusher([BIG[:10], BIG[10:600_000], BIG[600_000:]]),
        lambda: Puller([BIG[:10], BIG[10:600_000], BIG[600_000:]]),
    ],
    ids=["file", "half", "unseekable", "bytes", "array", "view", "pusher", "puller"],
)
def test_upload_sources(service, client, source):
    assert service.result(client.upload(source(), "new"), 1.0).size == len(BIG)
    assert service.read("/new") == BIG


def test_invalid_sources_and_targets(service, client):
    service.failure(client.upload(7, "new"), TypeError)
    service.failure(client.download("file", 7), TypeError)


def test_a_producer_is_stopped_when_the_upload_fails(service, client):
    for producer in (Pusher([b"x" * 100_000] * 100), Puller([b"x" * 100_000] * 100)):
        service.faults.data(Fault(reset_after=100_000))
        service.failure(client.upload(producer, "new"), NetworkError, 20.0)
        assert producer.stopped


def test_the_simple_protocol_needs_the_size(service):
    client = service.result(service.connect("simple://ann:secret@server/"))
    for source in (Pusher([b"x"]), Unseekable(b"x")):
        service.failure(client.upload(source, "new"), Unsupported)
    service.result(client.quit(), 1.0)


def test_unseekable_sources_are_sent_from_the_beginning(service, client):
    service.write("/half", BIG[:1000])
    service.failure(client.upload(Unseekable(BIG), "half", resume=True), Unsupported)
    service.failure(client.upload(Unseekable(BIG), "new", verify=True), Unsupported)
    service.failure(client.upload(b"x", "new", verify=True, append=True), Unsupported)
    service.failure(client.download("file", offset=1, verify=True), Unsupported)


def test_the_time_of_day_does_not_slow_a_transfer_down(monkeypatch):
    hours = itertools.count(1_000_000_000, 3600)
    monkeypatch.setattr(time, "time", lambda: float(next(hours)))
    service = MemoryService({"ann": "secret"})
    ended = []
    service.factory.event_sink.events.subscribe(ended.append, TransferEnded)
    for url in ("ftp://ann:secret@server/", "simple://ann:secret@server/"):
        client = service.result(service.connect(url))
        service.result(client.upload(BIG, "new"))
        service.result(client.download("new"))
        service.result(client.quit(), 10.0)
    assert [one.seconds for one in ended] == [0.0] * 4


def test_digests_of_files_that_are_open(service, client):
    file = io.BytesIO(b"--" + BIG)
    file.seek(2)
    assert service.result(client.upload(file, "new", verify=True)).digest is not None
    assert service.result(client.download("new", verify=True)).data == BIG
    service.failure(client.download("new", io.BytesIO(), verify=True), Unsupported)


@pytest.mark.parametrize("kind", [io.BytesIO, Half])
def test_downloads_to_open_files(service, client, kind):
    file = kind()
    service.result(client.download("file", file))
    assert file.getvalue() == BIG
    assert not file.closed


def test_a_consumer_applies_back_pressure(service, client):
    for consumer in (Consumer(), Consumer(service.network)):
        service.result(client.download("file", consumer), 10.0)
        assert b"".join(consumer.pieces) == BIG
        assert consumer.producer is None


def test_a_consumer_can_stop_the_download(service, client):
    consumer = Consumer()
    service.faults.data(Fault(rate=100_000.0))
    download = client.download("file", consumer)
    service.pass_time(1.0)
    consumer.producer.stopProducing()
    service.failure(download, NetworkError, 20.0)
    assert consumer.producer is None
    consumer = Consumer(service.network)
    download = client.download("file", consumer)
    service.settle()
    consumer.producer.stopProducing()
    service.failure(download, NetworkError, 20.0)


def test_local_paths_that_are_no_files(service, client, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        error = service.failure(client.upload(path, "new"), LocalFileError)
        assert str(path) in str(error)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "no" / "where"):
        service.failure(client.download("file", path), LocalFileError)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_downloads_replace_links_and_keep_modes(service, client, tmp_path):
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    service.result(client.download("file", tmp_path / "link"))
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"precious"
    (tmp_path / "target").chmod(0o600)
    service.result(client.download("file", tmp_path / "target"))
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o600


def test_the_old_file_stays_until_the_download_is_complete(service, client, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"former")
    service.faults.data(Fault(reset_after=200_000))
    service.failure(client.download("file", target), NetworkError, 20.0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"former"


def test_an_interrupted_download_is_resumed(service, client, tmp_path):
    target = tmp_path / "file"
    service.faults.data(Fault(reset_after=200_000))
    service.failure(client.download("file", target, resume=True), NetworkError, 20.0)
    (part,) = tmp_path.iterdir()
    had = part.stat().st_size
    assert 0 < had <= 200_000
    os.utime(part, (2**32, 2**32))
    service.failure(client.download("none", tmp_path / "none", resume=True), Exception)
    assert list(tmp_path.iterdir()) == [part]
    transfer = service.result(client.download("file", target, resume=True, verify=True))
    assert transfer.size == len(BIG) - had
    assert target.read_bytes() == BIG
    os.utime(target, (2**32, 2**32))
    assert service.result(client.download("file", target, resume=True)).size == 0
    assert target.read_bytes() == BIG


@pytest.mark.parametrize("former", [b"x" * (len(BIG) + 1), b"older"])
def test_a_part_file_that_is_no_prefix_is_not_resumed(service, client, tmp_path, former):
    target = tmp_path / "file"
    target.write_bytes(former)
    if former == b"older":
        os.utime(target, (1.0, 1.0))
    assert service.result(client.download("file", target, resume=True)).size == len(BIG)
    assert target.read_bytes() == BIG


def test_two_downloads_do_not_share_a_part_file(tmp_path):
    one = PartFile.resume(tmp_path / "file")
    with pytest.raises(LocalFileError, match="another"):
        PartFile.resume(tmp_path / "file")
    one.keep_for_resume()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(LocalFileError, match="closed"):
        one.write(b"x")


def test_part_files_of_long_names(tmp_path):
    path = tmp_path / ("ü" * 120)
    part = PartFile.create(path)
    part.write(b"x")
    part.commit()
    part.discard()
    assert path.read_bytes() == b"x"


def test_a_file_changed_between_attempts_is_uploaded_again(service, tmp_path):
    settings = Settings(netrc=None, retries=2)
    client = service.result(service.connect("ftp://ann:secret@server/", settings))
    service.faults.data(Fault(reset_after=200_000))
    download = client.download("file", tmp_path / "file")
    service.pass_time(0.4)
    service.write("/file", BIG[::-1] + b"more")
    service.result(download, 20.0)
    assert (tmp_path / "file").read_bytes() == BIG[::-1] + b"more"
    service.faults.data(Fault(reset_after=200_000))
    download = client.download("file", io.BytesIO())
    service.pass_time(0.4)
    service.write("/file", BIG)
    service.failure(download, VerificationFailed, 20.0)
    service.result(client.quit(), 10.0)


def test_a_source_that_shrinks_during_the_upload(service, client, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BIG)
    service.faults.data(Fault(rate=100_000.0))
    upload = client.upload(path, "new")
    service.pass_time(1.0)
    os.truncate(path, 300_000)
    service.failure(upload, VerificationFailed, 30.0)


def test_reading_stops_at_the_end_of_the_upload(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    file = OpenFile.reading(path)
    file.cache(0, 10)
    assert (file.read(3, 10), file.digest("CRC32")) == (b"45", "cbf53a1c")
    file.close()
    file.close()


def test_errors_of_progress_callbacks_are_ignored(service, client, caplog):
    seen = []
    service.faults.data(Fault(rate=500_000.0))
    download = client.download("file", progress=lambda moved, total: seen.append((moved, total)))
    service.result(download, 10.0)
    assert seen[0][0] < len(BIG) / 2
    assert seen[-1] == (len(BIG), len(BIG))
    assert len(seen) > 10

    def failing(moved, total):
        raise ZeroDivisionError

    service.faults.data(Fault(rate=500_000.0))
    assert service.result(client.download("file", progress=failing), 10.0).data == BIG
    assert service.result(client.upload(b"x", "new", progress=failing), 10.0).size == 1


def plant_hard_link(part, tmp_path):
    os.link(precious(tmp_path), part)


def plant_link(part, tmp_path):
    os.symlink(precious(tmp_path), part)


def plant_foreign_file(part, tmp_path):
    part.write_bytes(b"planted")
    os.chown(part, 12345, 12345)


def plant_directory(part, tmp_path):
    part.mkdir()


def plant_fifo(part, tmp_path):
    os.mkfifo(part)


def precious(tmp_path):
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    return path


@pytest.mark.parametrize(
    "plant", [plant_hard_link, plant_link, plant_foreign_file, plant_directory, plant_fifo]
)
def test_a_foreign_part_file_is_not_used(tmp_path, plant):
    here = tmp_path / "here"
    here.mkdir()
    part = here / ".file.part"
    plant(part, tmp_path)
    content = part.read_bytes() if part.is_file() else None
    before = part.lstat()  # after reading, which sets the time of the last access
    opened = PartFile.resume(here / "file")
    assert opened.size == 0
    opened.write(b"whole")
    opened.commit()
    assert (here / "file").read_bytes() == b"whole"
    assert part.lstat() == before
    assert content is None or part.read_bytes() == content
    given_up = PartFile.resume(here / "file")
    assert given_up.size == 5  # what the file has is gone on with all the same
    given_up.keep_for_resume()
    assert sorted(path.name for path in here.iterdir()) == [".file.part", "file"]


def test_a_part_file_with_other_content_fails_verification(tmp_path):
    service = MemoryService({"ann": "secret"})
    content = bytes(range(256)) * 4000
    service.write("/file", content)
    client = service.result(service.connect("ftp://ann:secret@server/", Settings(netrc=None)))
    for planted in (b"x" * 1000 + content[1000:500_000], b"x" + content[1:]):
        part = tmp_path / ".file.part"
        part.write_bytes(planted)
        os.utime(part, (2**32, 2**32))
        done = service.result(client.download("file", tmp_path / "file", resume=True), 10.0)
        assert (tmp_path / "file").read_bytes() == content
        assert done.size == len(content)
        (tmp_path / "file").unlink()
    part.write_bytes(content[:500_000])
    os.utime(part, (2**32, 2**32))
    done = service.result(client.download("file", tmp_path / "file", resume=True), 10.0)
    assert (tmp_path / "file").read_bytes() == content
    assert done.size == len(content) - 500_000
    service.result(client.quit(), 10.0)
