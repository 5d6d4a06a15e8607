"""Modification times: listings in the server's time zone, and uploads that keep their time."""

import os
from datetime import UTC, datetime

import pytest

from ftpservice.wire.times import format_time
from ftpservice_client.testing.service import MemoryService
from tests.support.directory_server import DirectoryServer, unix
from tests.support.scripted_server import outcome

YEAR = 365 * 86400


def shown(seconds, zone=0.0):
    """Return a time in the format of LIST, recent or not."""
    return datetime.fromtimestamp(seconds + zone, UTC).strftime("%b %d %H:%M")


class Zoned(DirectoryServer):
    """A server in a time zone with files and their modification times."""

    def __init__(self, files, zone, **more):
        super().__init__({"/": []}, MDTM=self.mdtm, **more)
        self.zone, self.times = zone, files
        self.network.pass_time(max(files.values()) + 600 - self.network.seconds())
        self.show()

    def show(self):
        lines = [unix(name, date=shown(when, self.zone)) for name, when in self.times.items()]
        self.directories["/"] = [unix("..", "d"), *lines]

    def mdtm(self, connection, line):
        name = line.partition(" ")[2]
        found = self.times.get(name)
        connection.say("550 no" if found is None else f"213 {format_time(found)}", line)


@pytest.fixture
def noon():
    return datetime(2026, 6, 1, 12, 0, 33, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("hours", [-5, 0, 2, 5.75, 13])
def test_times_of_a_listing_are_in_utc(noon, hours):
    server = Zoned({"a": noon, "b": noon - 86400}, hours * 3600)
    client = server.client()
    for _ in range(2):
        listing = server.result(client.list())
        times = {entry.name: entry.modified for entry in listing.entries}
        assert times == {"a": noon - 33, "b": noon - 33 - 86400}
    assert len(server.commands_of("MDTM")) == 1
    client.abort()


@pytest.mark.parametrize("hours", [-5, 2])
def test_a_mirror_downloads_changed_files_only(tmp_path, noon, hours):
    server = Zoned({"a": noon, "b": noon - 86400}, hours * 3600)
    client = server.client()

    def mirror():
        done = server.result(client.mirror(tmp_path, ""), 10.0)
        return {step.name for step in done.steps if step.action == "download"}

    assert mirror() == {"a", "b"}
    assert os.stat(tmp_path / "a").st_mtime == noon
    assert mirror() == set()
    server.times["b"] = noon + 120
    server.show()
    assert mirror() == {"b"}
    assert mirror() == set()
    client.abort()


@pytest.mark.parametrize("hours", [-5, 2])
def test_a_mirror_uploads_changed_files_only(tmp_path, noon, hours):
    server = Zoned({"a": noon, "b": noon}, hours * 3600)
    for name, when in (("a", noon - 1800), ("b", noon + 1800)):
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (when, when))
    client = server.client()
    done = server.result(client.mirror(tmp_path, "", up=True, parallel=1), 10.0)
    assert {step.name for step in done.steps if step.action == "upload"} == {"b"}
    client.abort()


def test_a_change_across_daylight_saving_time(tmp_path, noon):
    winter = noon - 120 * 86400
    server = Zoned({"a": noon, "b": winter}, 7200)
    server.directories["/"][-1] = unix("b", date=shown(winter, 3600))
    client = server.client()
    server.result(client.mirror(tmp_path, ""), 10.0)
    assert os.stat(tmp_path / "b").st_mtime == winter
    asked = len(server.commands_of("RETR"))
    server.result(client.mirror(tmp_path, ""), 10.0)
    assert len(server.commands_of("RETR")) == asked
    server.times["b"] = winter + 600
    server.directories["/"][-1] = unix("b", date=shown(winter + 600, 3600))
    server.result(client.mirror(tmp_path, ""), 10.0)
    assert len(server.commands_of("RETR")) == asked + 1
    client.abort()


def test_few_mdtm_commands_without_support(noon):
    server = Zoned({str(number): noon for number in range(9)}, 3600)
    server.replies["MDTM"] = "502 no"
    client = server.client()
    for _ in range(2):
        assert len(server.result(client.list()).entries) == 9
    assert len(server.commands_of("MDTM")) == 3
    client.abort()


def test_files_without_size_and_time(tmp_path, noon):
    members = [" Name     VV.MM   Created       Changed      Size  Init   Mod   Id", " A"]
    server = DirectoryServer({"/": members}, SIZE="213 5", MDTM=f"213 {format_time(noon)}")
    client = server.client()
    for _ in range(2):
        assert server.result(client.mirror(tmp_path, ""), 10.0).failed == ()
    assert len(server.commands_of("RETR")) == 1
    server.replies |= {"SIZE": "550 no", "MDTM": "550 no"}
    server.result(client.mirror(tmp_path, ""), 10.0)
    assert len(server.commands_of("RETR")) == 2
    client.abort()


def uploading(tmp_path, noon, replies):
    """Upload a tree of two files; return the commands that set times, and repeated uploads."""
    server = DirectoryServer({"/": []}, **replies)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (noon, noon))
    client = server.client()
    assert server.result(client.mirror(tmp_path, "", up=True, parallel=1), 10.0).failed == ()
    client.abort()
    return [line for line in server.commands if format_time(noon) in line]


@pytest.mark.parametrize(
    ("replies", "verbs"),
    [
        ({"FEAT": "211-f\r\n MFMT\r\n211 end", "MFMT": "213 Modify=1; a"}, ["MFMT", "MFMT"]),
        ({"MDTM": "550 no"}, ["MDTM"]),
        (
            {
                "FEAT": "211-f\r\n MFMT\r\n SITE UTIME\r\n211 end",
                "MFMT": "502 no",
                "SITE": "200 ok",
                "MDTM": "213 20260601120033",
            },
            ["MFMT", "SITE", "SITE"],
        ),
    ],
)
def test_keep_time_uses_the_commands_of_the_server(tmp_path, noon, replies, verbs):
    assert [line.partition(" ")[0] for line in uploading(tmp_path, noon, replies)] == verbs


@pytest.mark.parametrize(
    ("mdtm_reply", "count"), [("213 20260601120033", 2), ("213 20010101000000", 1)]
)
def test_mdtm_with_a_time(tmp_path, noon, mdtm_reply, count):
    sets = uploading(tmp_path, noon, {"MDTM": mdtm_reply})
    assert sets[0] == "MDTM 20260601120033 a"
    assert len(sets) == count


def test_times_are_kept_with_ftpservice(tmp_path, noon):
    service = MemoryService({"ann": "secret"})
    client = service.result(service.connect("ftp://ann:secret@server/"))
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    (there / "a").write_bytes(b"12345")
    os.utime(there / "a", (noon, noon))
    service.result(client.upload_tree(there, "in"))
    assert service.result(client.stat("in/a")).modified == noon
    service.result(client.download_tree("in", back))
    assert os.stat(back / "a").st_mtime == noon
    assert service.result(client.upload(there / "a", "b", keep_time=True)).has_kept_time
    assert service.result(client.stat("b")).modified == noon
    assert not service.result(client.upload(there / "a", "c")).has_kept_time
    assert not service.result(client.upload(b"x", "c", keep_time=True)).has_kept_time
    service.result(client.quit(), 10.0)
    service.pass_time(30.0)


def test_an_upload_succeeds_if_its_time_cannot_be_set(tmp_path):
    server = DirectoryServer({"/": []}, MDTM="421 gone")
    (tmp_path / "a").write_bytes(b"12345")
    client = server.client()
    done = outcome(client.mirror(tmp_path, "", up=True, parallel=1), server.network, 10.0)
    assert [step.name for step in done.steps if step.action == "upload"] == ["a"]
    client.abort()
