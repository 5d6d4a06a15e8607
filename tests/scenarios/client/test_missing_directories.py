"""Missing directories on the server, and recursive transfers with failed steps."""

import pytest

from ftpservice_client import (
    AccessDenied,
    Entry,
    Kind,
    MirrorIncomplete,
    MirrorResult,
    MirrorStep,
    NotFound,
    Readable,
    Reply,
    ServerRefused,
    Settings,
    Writable,
)
from ftpservice_client.testing.service import MemoryService
from tests.support.scripted_server import ScriptedServer, outcome

URL = "ftp://ann:secret@server/"


@pytest.fixture
def service():
    made = MemoryService({"ann": "secret"})
    yield made
    made.pass_time(30.0)
    assert made.network.getDelayedCalls() == []


@pytest.fixture
def client(service):
    made = service.result(service.connect(URL, Settings(netrc=None)))
    yield made
    service.result(made.quit(), 10.0)


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    (top / "in").mkdir(parents=True)
    (top / "one").write_bytes(b"1")
    (top / "in" / "two").write_bytes(b"22")
    return top


@pytest.mark.parametrize("name", ["none/file", "none/deeper/file", "/none/file"])
def test_an_upload_error_names_the_missing_directory(service, client, name):
    error = service.failure(client.upload(b"text", name), NotFound)
    above = name.rpartition("/")[0]
    assert str(error) == f"{above}: there is no such directory on the server"
    assert error.reply.code >= 500


def test_other_refusals_keep_the_text_of_the_server(service, client):
    service.result(client.make_directory("in"))
    service.result(client.make_directory("in/there"))
    error = service.failure(client.upload(b"text", "in/there"), ServerRefused)
    assert "no such directory" not in str(error)
    assert error.reply.lines[-1] in str(error)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"STOR": "553 Could not create file.", "MLST": "550 No such file"}, NotFound),
        (
            {"STOR": "553 Could not create file.", "MLST": "250-\r\n type=dir; in\r\n250 ok"},
            AccessDenied,
        ),
        (
            {"STOR": "553 Could not create file.", "MLST": "451 error", "MLSD": "451 x"},
            AccessDenied,
        ),
        ({"STOR": "550 hm", "MLST": "550 No such file"}, NotFound),
    ],
)
def test_replies_for_a_missing_directory(answers, kind):
    server = ScriptedServer(answers, None)
    client = server.client()
    assert type(outcome(client.upload(b"text", "in/x"), server.network, 20.0)) is kind
    client.abort()


@pytest.mark.parametrize("path", ["deep/er", "/deep/er/and/deeper", "deep/er/", "flat"])
def test_a_mirror_creates_parent_directories(service, client, tree, path):
    done = service.result(client.upload_tree(tree, path))
    done.raise_if_failed()
    assert done.size == 3
    assert service.read(f"/{path.strip('/')}/in/two") == b"22"


def test_a_mirror_into_an_existing_directory(service, client, tree):
    service.result(client.make_directory("deep"))
    service.result(client.make_directory("deep/er"))
    service.result(client.upload_tree(tree, "deep/er")).raise_if_failed()
    assert service.read("/deep/er/one") == b"1"


def test_a_mirror_without_any_step_fails(tree, tmp_path):
    service = MemoryService({"ann": "secret"}, rights="read")
    client = service.result(service.connect(URL, Settings(netrc=None)))
    error = service.failure(client.upload_tree(tree, "new"), MirrorIncomplete)
    assert isinstance(error.__cause__, AccessDenied)
    assert len(error.result.failed) == 4
    assert str(error).startswith("4 of 4 steps failed; the first: make: ")
    service.write("/file", b"text")
    (tmp_path / "down" / "file").mkdir(parents=True)
    error = service.failure(client.download_tree("/", tmp_path / "down"), MirrorIncomplete)
    assert [step.name for step, _ in error.result.failed] == ["file"]
    service.result(client.quit(), 10.0)


def test_a_partly_failed_mirror_reports_its_failures(service, client, tmp_path):
    service.write("/one", b"1")
    service.write("/two", b"22")
    (tmp_path / "down" / "one").mkdir(parents=True)
    done = service.result(client.download_tree("/", tmp_path / "down"))
    assert (tmp_path / "down" / "two").read_bytes() == b"22"
    with pytest.raises(
        MirrorIncomplete, match="1 of 2 steps failed; the first: download one: "
    ) as raised:
        done.raise_if_failed()
    assert raised.value.result is done


def step(text):
    return MirrorStep(*text.split(" ")) if " " in text else MirrorStep(text, "")


@pytest.mark.parametrize(
    ("done", "failed", "fruitless"),
    [
        ("", "", False),
        ("make", "upload a", True),
        ("make,make in", "upload in/a", True),
        ("make,make in", "make other", False),
        ("make", "make in", True),
        ("make,skip a", "upload b", False),
        ("upload a", "upload b", False),
        ("delete a", "delete b", False),
        ("", "delete b", True),
        ("make", "list in", False),
    ],
)
def test_mirrors_that_fail_completely(done, failed, fruitless):
    steps = tuple(step(text) for text in done.split(",") if text)
    errors = tuple((step(text), AccessDenied("no")) for text in failed.split(",") if text)
    assert MirrorResult(steps, errors).has_only_failures is fruitless


def test_public_types_are_exported(service, client):
    service.result(client.upload(b"text", "file"))
    entry = service.result(client.stat("file"))
    assert isinstance(entry, Entry)
    assert entry.kind is Kind.FILE
    assert isinstance(service.result(client.send("NOOP")), Reply)
    assert isinstance(b"", Readable)
    assert isinstance(None, Writable)
