"""Partial uploads: owner, visibility, resume, removal and expiry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw_client import reset
from tests.support.restartable_service import RestartableService, hidden, noise, visible, wait_until

NEW = noise(3_000_000, 1)
AWAY = "127.0.0.2"
CAME = pytest.mark.parametrize("came", [20_000, 2_000_000])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RestartableService]:
    """A service with two accounts for one directory."""
    with RestartableService(tmp_path, accounts=["other"]).open() as service:
        yield service


def cut(
    service: RestartableService, came: int, command: str = "STOR new", name: str = "demo"
) -> None:
    """Interrupt an upload after a number of bytes."""
    service.cut(command, NEW[:came], name)


def whole(service: RestartableService) -> bool:
    """Return whether the file is there and nothing else."""
    return visible(service.root) == {"new": NEW} and not hidden(service.root)


@CAME
@pytest.mark.parametrize("command", ["REST {at}, STOR new", "APPE new"])
def test_size_then_resume(service: RestartableService, came: int, command: str) -> None:
    cut(service, came)
    wire = service.session()
    at = int(wire.ask("SIZE new").text)
    assert at == came
    *first, last = command.format(at=at).split(", ")
    assert all(wire.code(word) == 350 for word in first)
    assert wire.upload(last, NEW[at:]).code == 226
    assert whole(service)


@CAME
def test_a_partial_upload_is_visible_to_its_owner_only(
    service: RestartableService, came: int
) -> None:
    cut(service, came)
    wire, other = service.session(), service.session("other")
    for command in ("LIST", "LIST -a", "NLST", "MLSD", "LIST ."):
        assert wire.download(command) in (b"", b"total 0\r\n")
    assert wire.code("SIZE new") == 213
    assert other.code("SIZE new") == 550
    partial = hidden(service.root)[0].name
    for one in (wire, other):
        for command in (f"SIZE {partial}", f"MDTM {partial}", f"DELE {partial}", f"RNFR {partial}"):
            assert one.code(command) == 550
        for command in ("RETR new", f"RETR {partial}"):
            with one.data():
                assert one.code(command) == 550
    with other.data():
        assert other.codes(f"REST {came}", "STOR new") == [350, 554]
    assert visible(service.root) == {}


def test_each_account_has_its_own_partial_upload(service: RestartableService) -> None:
    cut(service, 1_500_000)
    cut(service, 20_000, name="other")
    assert len(hidden(service.root)) == 2
    assert service.session().ask("SIZE new").text == "1500000"
    other = service.session("other")
    assert other.ask("SIZE new").text == "20000"
    assert other.code("REST 20000") == 350
    assert other.upload("STOR new", NEW[20_000:]).code == 226
    assert visible(service.root) == {"new": NEW}


@CAME
def test_an_upload_from_the_beginning_replaces_the_partial_upload(
    service: RestartableService, came: int
) -> None:
    cut(service, came)
    cut(service, 1000)
    assert len(hidden(service.root)) == 1
    assert service.session().ask("SIZE new").text in ("1000", str(came))
    assert service.session().upload("STOR new", NEW).code == 226
    assert whole(service)


@CAME
def test_an_offset_beyond_the_partial_upload_is_refused(
    service: RestartableService, came: int
) -> None:
    cut(service, came)
    wire = service.session()
    with wire.data():
        assert wire.codes(f"REST {came + 1}", "STOR new") == [350, 554]
    assert visible(service.root) == {}
    assert wire.ask("SIZE new").text == str(came)


def test_deleting_the_name_or_its_directory_removes_the_partial_upload(
    service: RestartableService,
) -> None:
    wire = service.session()
    assert wire.code("MKD d") == 257
    cut(service, 20_000, "STOR d/new")
    assert hidden(service.root / "d")
    assert wire.code("RMD d") == 250
    assert list(service.root.iterdir()) == []


def test_size_differs_for_the_interrupted_client(
    service: RestartableService,
) -> None:
    (service.root / "new").write_bytes(b"old")
    wire, other = service.session(), service.session(source=AWAY)
    reset(service.begun(wire, "STOR new", NEW[:100_000]))
    assert wire.reply().code == 426
    assert (wire.ask("SIZE new").text, other.ask("SIZE new").text) == ("100000", "3")
    for one in (wire, other):
        assert b"size=3;" in one.ask("MLST new").lines[1].lower()
    assert wire.code("REST 100000") == 350
    assert wire.upload("STOR new", NEW[100_000:]).code == 226
    assert wire.ask("SIZE new").text == str(len(NEW))
    assert whole(service)


def test_size_for_each_session_of_the_client(service: RestartableService) -> None:
    """A client whose first attempt to resume was cut, too, makes another one."""
    (service.root / "new").write_bytes(b"old")
    cut(service, 2_000_000)
    first, resuming = service.session(), service.session()
    assert first.ask("SIZE new").text == "2000000"
    assert resuming.ask("SIZE new").text == "2000000"
    assert service.session(source=AWAY).ask("SIZE new").text == "3"
    assert resuming.upload("APPE new", NEW[2_000_000:]).code == 226
    assert whole(service)


def test_a_download_of_the_old_file_is_refused_once(service: RestartableService) -> None:
    (service.root / "new").write_bytes(b"old")
    cut(service, 2_000_000)
    wire = service.session()
    assert wire.ask("SIZE new").text == "2000000"
    with wire.data():
        answer = wire.ask("RETR new")
    assert (answer.code, "2000000" in answer.text) == (450, True)
    assert wire.ask("SIZE new").text == "3"
    assert wire.download("RETR new") == b"old"
    assert len(hidden(service.root)) == 1


@CAME
@pytest.mark.parametrize(
    "commands", ["REST {size}, STOR new", "REST {beyond}, STOR new", "APPE new"]
)
def test_resuming_at_the_size_of_the_old_file_is_refused(
    service: RestartableService, came: int, commands: str
) -> None:
    """Its bytes would follow those of another file."""
    old = noise(2_500_000, 5)
    (service.root / "new").write_bytes(old)
    cut(service, came)
    resumer, wire = service.session(), service.session(source=AWAY)
    assert resumer.ask("SIZE new").text == str(came)
    assert wire.ask("SIZE new").text == str(len(old))
    for word in commands.format(size=len(old), beyond=came + 1).split(", "):
        with wire.data():
            answer = wire.ask(word)
    assert (answer.code, str(came) in answer.text) == (554, True)
    assert visible(service.root) == {"new": old}


def test_an_append_after_an_interruption_must_resume(
    service: RestartableService,
) -> None:
    """The client may use a size from a listing."""
    (service.root / "new").write_bytes(b"old")
    cut(service, 20_000)
    wire = service.session()
    with wire.data():
        assert wire.code("APPE new") == 554
    assert wire.code("DELE new") == 250
    assert wire.upload("APPE new", b"whole").code == 226
    assert visible(service.root) == {"new": b"whole"}


def test_a_reported_partial_upload_can_be_removed(service: RestartableService) -> None:
    cut(service, 20_000)
    wire = service.session()
    assert wire.codes("SIZE new", "MDTM new") == [213, 213]
    for command in ("RETR new", "RNFR new", "MLST new"):
        with wire.data():
            answer = wire.ask(command)
        assert (answer.code, "20000" in answer.text) == (550, True)
    assert service.session("other").code("DELE new") == 550
    assert wire.code("DELE new") == 250
    assert not hidden(service.root)
    assert wire.codes("SIZE new", "MDTM new", "DELE new") == [550, 550, 550]


def test_a_directory_with_partial_uploads_of_others_is_kept(service: RestartableService) -> None:
    wire, other = service.session(), service.session("other")
    assert wire.code("MKD d") == 257
    cut(service, 20_000, "STOR d/new", "other")
    assert wire.code("RMD d") == 550
    assert other.code("RMD d") == 250
    assert list(service.root.iterdir()) == []


def test_site_partials_lists_and_removes(
    service: RestartableService,
) -> None:
    wire, other = service.session(), service.session("other")
    assert wire.code("MKD d") == 257
    cut(service, 20_000)
    cut(service, 1000, "STOR d/a file")
    cut(service, 300, "STOR theirs", "other")
    assert any(b"2 interrupted uploads, 21000 bytes" in line for line in wire.ask("STAT").lines)
    listed = b"\n".join(wire.ask("SITE PARTIALS").lines)
    assert b" /new" in listed and b" /d/a file" in listed and b"theirs" not in listed
    assert wire.ask("SITE PARTIALS DELETE theirs").code == 550
    removed = wire.ask("SITE PARTIALS DELETE d/a file").text
    assert "1 interrupted upload, 1000 bytes removed" in removed
    assert wire.code("SITE PARTIALS DELETE all") == 200
    assert [path.stat().st_size for path in service.partials()] == [300]
    assert not any(b"interrupted" in line for line in wire.ask("STAT").lines)
    assert wire.codes("SITE PARTIALS x", "SITE PARTIALS DELETE") == [501, 501]
    assert other.code("SITE PARTIALS DELETE /theirs") == 200


def test_an_administrator_lists_and_removes_all(tmp_path: Path) -> None:
    restartable = RestartableService(tmp_path, accounts=["other"])
    accounts = tmp_path / "passwd.db"
    accounts.write_text(accounts.read_text().replace(":full:\n", ":full,admin:\n", 1))
    with restartable.open() as service:
        cut(service, 300, "STOR theirs", "other")
        wire = service.session()
        assert any(line.endswith(b" other /theirs") for line in wire.ask("SITE PARTIALS").lines)
        assert wire.code("SITE PARTIALS DELETE theirs") == 200
        assert service.partials() == []


def test_expired_partial_uploads_are_removed(tmp_path: Path) -> None:
    restartable = RestartableService(tmp_path)
    with restartable.open() as service:
        cut(service, 1000)
        cut(service, 2_000_000, "STOR old")
    young, old = sorted(hidden(restartable.root), key=lambda path: path.stat().st_size)
    os.utime(old, (0, 0))
    with restartable.open():
        wait_until(lambda: not old.exists())
        assert young.exists()
    with restartable.open(root=f"local:{restartable.root}:partial-age=0.5s") as service:
        wait_until(lambda: not young.exists())
        cut(service, 2_000_000, "STOR third")
        wait_until(lambda: not hidden(restartable.root))
        data = service.begun(service.session(), "STOR held", NEW[:100_000])
        wait_until(lambda: hidden(restartable.root))  # a thread makes it
        (held,) = hidden(restartable.root)
        os.utime(held, (0, 0))
        third = service.root / ".ftpservice.00000000000000000000000000000000.part"
        third.touch()
        os.utime(third, (0, 0))
        wait_until(lambda: not third.exists())
        assert held.exists(), "somebody writes it"
        data.close()
