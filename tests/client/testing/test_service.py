"""The service in memory that others test their programs with."""

import pytest

from ftpservice.wire.entry import Kind
from ftpservice_client import AuthenticationFailed, NetworkError, NotFound, Settings, Unsupported
from ftpservice_client.testing.service import Fault, MemoryService

MIB = 2**20
BIG = bytes(range(256)) * 4096 * 3


@pytest.fixture(params=["ftp", "simple"])
def scheme(request):
    return request.param


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    made.write("/report.pdf", BIG)
    yield made
    made.pass_time(30.0)
    assert made.network.getDelayedCalls() == []


@pytest.fixture
def client(service, scheme):
    made = service.result(service.connect(f"{scheme}://ann:secret@server/"))
    yield made
    service.result(made.quit(), 10.0)


def broken(service, scheme, *faults):
    (service.faults.data if scheme == "ftp" else service.faults.control)(*faults)


def test_what_it_is_for(service, client):
    assert service.result(client.download("report.pdf")).data == BIG
    service.result(client.upload(BIG[:MIB], "new"))
    assert service.read("/new") == BIG[:MIB]
    listing = service.result(client.list())
    assert [(entry.name, entry.kind) for entry in listing.entries] == [
        ("new", Kind.FILE),
        ("report.pdf", Kind.FILE),
    ]
    assert listing.total == MIB + len(BIG)
    service.result(client.delete("new"))
    service.failure(client.stat("new"), NotFound)
    service.failure(client.download("new"), NotFound)


def test_a_wrong_password(service, scheme):
    service.failure(service.connect(f"{scheme}://ann:wrong@server/"), AuthenticationFailed, 10.0)


def test_anonymous_users_come_in_where_nobody_has_an_account(scheme):
    service = MemoryService()
    service.write("/x", b"x")
    client = service.result(service.connect(f"{scheme}://server/"))
    assert service.result(client.download("x")).data == b"x"
    service.result(client.quit(), 10.0)


def test_a_cut_is_a_cut(service, scheme):
    if scheme == "ftp":
        service.faults.data(Fault(reset_after=100_000))
    else:
        service.faults.control(Fault(reset_after=100_000))
    client = service.result(service.connect(f"{scheme}://ann:secret@server/"))
    service.failure(client.download("report.pdf"), NetworkError, 20.0)
    client.abort()


def test_a_cut_is_mended(service, scheme, tmp_path):
    faults = [Fault(reset_after=100_000), Fault(end_after=500_000), Fault(stall_after=1_000_000)]
    if scheme == "ftp":
        service.faults.data(*faults)
    else:
        service.faults.control(*faults)
    settings = Settings(netrc=None, retries=3, verify=True)
    connecting = service.connect(f"{scheme}://ann:secret@server/", settings)
    client = service.result(connecting)
    seen = []
    download = client.download(
        "report.pdf", tmp_path / "report.pdf", progress=lambda moved, _: seen.append(moved)
    )
    transfer = service.result(download, 500.0)
    assert (tmp_path / "report.pdf").read_bytes() == BIG
    assert transfer.size == len(BIG)
    assert transfer.digest is not None
    assert seen == sorted(seen)
    assert seen[-1] == len(BIG)
    service.result(client.quit(), 10.0)


def test_uploads_go_on_too(service, scheme):
    faults = [Fault(reset_after=100_000), Fault(reset_after=1_500_000), Fault()]
    if scheme == "ftp":
        service.faults.data(*faults)
    else:
        service.faults.control(*faults)
    settings = Settings(netrc=None, retries=3)
    client = service.result(service.connect(f"{scheme}://ann:secret@server/", settings))
    service.result(client.upload(BIG, "new"), 500.0)
    assert service.read("/new") == BIG
    service.result(client.upload(BIG[::-1], "report.pdf"), 500.0)
    assert service.read("/report.pdf") == BIG[::-1]
    service.result(client.quit(), 10.0)


def test_a_reply_that_is_lost(service):
    service.faults.control(Fault(lost_reply="226 "))
    client = service.result(service.connect("ftp://ann:secret@server/"))
    error = service.failure(client.download("report.pdf"), NetworkError, 31.0)
    assert "no reply" in str(error)


def test_a_slow_connection_takes_its_time(service, client, scheme):
    service.faults.data(Fault(rate=100_000.0))
    if scheme == "ftp":
        assert service.result(client.download("report.pdf"), 60.0).seconds > 20


def test_what_the_simple_protocol_has_no_verb_for(service):
    client = service.result(service.connect("simple://ann:secret@server/"))
    for call in (
        client.rename("a", "b"),
        client.make_directory("a"),
        client.remove_directory("a"),
        client.send("NOOP"),
        client.upload(b"x", "a", append=True),
        client.hash("report.pdf", "MD5"),
    ):
        service.failure(call, Unsupported)
    service.result(client.quit(), 10.0)


@pytest.mark.parametrize("scheme", ["ftp"])
def test_an_upload_that_is_ended_in_order_before_its_time_is_not_taken_for_whole(service, client):
    service.faults.data(Fault(end_after=MIB))
    service.failure(client.upload(BIG, "report.pdf"), NetworkError, 30.0)
    assert service.read("/report.pdf") == BIG
    service.faults.data(Fault(end_after=MIB))
    service.failure(client.upload(BIG, "new"), NetworkError, 30.0)
    assert [entry.name for entry in service.result(client.list(), 10.0).entries] == ["report.pdf"]
