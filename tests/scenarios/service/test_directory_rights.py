"""Rights by directory on real disks, given by the command and used by real clients."""

import ftplib
import io
import os
import re

import pytest

from tests.support.client_programs import program, run
from tests.support.command_service import SECRET, CommandService

RIGHTS = "full; /in: upload-only; /archive: read; /secret: none"


class Service(CommandService):
    def __init__(self, place):
        super().__init__(place)
        for name in ("in", "archive", "secret", "work"):
            (self.files / name).mkdir(parents=True)
            (self.files / name / "old").write_bytes(b"old content")
        (self.files / "sneak").symlink_to("archive")
        (self.files / "peek").symlink_to("in/old")


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path)
    service.add("--rights", RIGHTS)
    return service


def test_curl_uploads_to_the_drop_box_and_downloads_from_the_archive(service, tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(1 << 20))
    curl = [program("curl"), "-q", "-sS", "-g", "--max-time", "50", "-u", f"ann:{SECRET}"]
    with service.serve() as served:
        url = f"ftp://127.0.0.1:{served.port()}"
        run([*curl, "-T", tmp_path / "big", f"{url}/in/big"], tmp_path)
        run([*curl, f"{url}/archive/old", "-o", tmp_path / "back"], tmp_path)
        run([*curl, f"{url}/in/big", "-o", tmp_path / "none"], tmp_path, status=78)
        run([*curl, "-T", tmp_path / "big", f"{url}/archive/big"], tmp_path, status=25)
        run([*curl, "-T", tmp_path / "big", f"{url}/sneak/big"], tmp_path, status=9)
    assert (service.files / "in/big").read_bytes() == (tmp_path / "big").read_bytes()
    assert (tmp_path / "back").read_bytes() == b"old content"
    assert os.listdir(service.files / "archive") == ["old"]


REFUSED = [
    "SIZE in/old",
    "SIZE in/none",
    "MDTM in/old",
    "MLST in/old",
    "MLST in/none",
    "HASH in/old",
    "HASH secret/old",
    "STAT in/old",
    "STAT in",
    "DELE in/old",
    "DELE archive/old",
    "MKD archive/new",
    "MKD secret/new",
    "RMD archive",
    "RMD in",
    "RNFR in/old",
    "SITE CHMOD 600 archive/old",
    "MFMT 20200101000000 archive/old",
    "MFMT 20200101000000 in/old",
    "CWD sneak",
    "SIZE sneak/old",
    "SIZE peek",
    "HASH sneak/old",
    "RETR peek",
    "RETR in/old",
]


def test_what_is_refused_over_ftp(service):
    with service.serve() as served, service.client(served) as client:
        client.voidcmd("TYPE I")
        for command in REFUSED:
            with pytest.raises(ftplib.error_perm, match=r"^550") as raised:
                client.sendcmd(command)
            assert "old content" not in str(raised.value), command
        for source, target in (
            ("archive", "moved"),
            ("work", "archive/work"),
            ("archive/old", "taken"),
            ("work", "secret"),
            ("work/old", "in/old"),
        ):
            with pytest.raises(ftplib.error_perm, match=r"^550"):
                client.rename(source, target)
        for command in ("STOR archive/x", "APPE archive/old", "STOR in/old", "STOR secret/x"):
            with pytest.raises(ftplib.error_perm, match=r"^550"):
                client.storbinary(command, io.BytesIO(b"changed"))
        client.rename("work/old", "in/fresh")
        client.storbinary("STOR work/new", io.BytesIO(b"new"))
    assert (service.files / "archive/old").read_bytes() == b"old content"
    assert (service.files / "in/old").read_bytes() == b"old content"
    assert sorted(os.listdir(service.files / "in")) == ["fresh", "old"]


def test_listings_and_facts_over_ftp(service):
    with service.serve() as served, service.client(served) as client:
        facts = {name: found.get("perm") for name, found in client.mlsd(facts=["perm"])}
        archive = {name: found["perm"] for name, found in client.mlsd("archive", ["perm"])}
        lines: list[str] = []
        client.retrlines("LIST -R", lines.append)
        patterns: list[str] = []
        client.retrlines("NLST */old", patterns.append)
        for command in ("LIST in", "NLST in", "MLSD secret", "LIST -d in/old"):
            with pytest.raises(ftplib.error_perm, match=r"^550"):
                client.retrlines(command, lines.append)
        client.retrlines("NLST in/*", patterns.append)
        single = client.sendcmd("MLST archive")
    names = {"in", "archive", "secret", "work"}
    assert {name: perm for name, perm in facts.items() if name in names} == {
        "in": "cem",
        "archive": "el",
        "secret": "e",
        "work": "cdeflmp",
    }
    assert archive == {"old": "r"}
    assert "perm=el;" in single
    assert sorted(patterns) == ["archive/old", "work/old"]
    headings = [line for line in lines if line.endswith(":")]
    assert headings == [".:", "archive:", "work:"]


def test_the_simple_protocol_has_the_same_rights(service):
    lines = [
        *("LIST in", "LIST secret", "HASH in/old", "DELF in/old"),
        *("DELF archive/old", "UPLD 3+ archive/new", "UPLD 3+ in/old", "UPLD 3+ in/new"),
        *("HASH sneak/old", "HASH archive/old"),
    ]
    with service.serve() as served:
        answers = service.simple_answers(served, lines)
    kinds = [answer.split()[0] for answer in answers]
    assert kinds == [*("OK", "OK"), *["ERR"] * 7, "OK", "ERR", "OK"], answers
    assert (service.files / "archive/old").read_bytes() == b"old content"
    assert sorted(os.listdir(service.files / "in")) == ["new", "old"]


ABOUT_HIDDEN = [
    *("SIZE {}", "MDTM {}", "MLST {}", "STAT {}", "HASH {}", "RNFR {}", "DELE {}", "CWD {}"),
    *("MFMT 20200101000000 {}", "SITE CHMOD 600 {}", "MFF modify=20200101000000; {}"),
]
LISTINGS = [
    *("LIST work", "LIST -a work", "LIST -R work", "NLST work", "NLST work/*", "MLSD work"),
]


def lines_of(client, command):
    lines: list[str] = []
    client.retrlines(command, lines.append)
    return lines


def reply_about(client, command, name):
    """Return the reply to a command, which is refused, without the name."""
    with pytest.raises(ftplib.error_perm, match=r"^550") as raised:
        client.sendcmd(command.format(name))
    return str(raised.value).replace(name, "NAME")


def test_a_file_may_be_hidden_by_its_own_rights(service):
    """It is in no listing, and what is said of its name is what is said of a missing one."""
    service.command("set", "ann", "--rights", "full; /work/old: none; /work/gone: none")
    (service.files / "work/new").write_bytes(b"new")
    with service.serve() as served, service.client(served) as client:
        client.voidcmd("TYPE I")
        for command in LISTINGS:
            shown = [line for line in lines_of(client, command) if re.search(r"[ /]old$", line)]
            assert shown == [], command
        found = [line for line in lines_of(client, "NLST -R") if line.endswith("old")]
        assert "old" not in client.sendcmd("STAT work")
        for command in ABOUT_HIDDEN:
            hidden, missing = (
                reply_about(client, command, name) for name in ("work/old", "work/gone")
            )
            assert hidden == missing
        for command in ("RETR", "STOR", "APPE"):
            reply_about(client, command + " {}", "work/old")
        lines = ["LIST work", "HASH work/old", "HASH work/gone", "DWLD work/old", "DELF work/old"]
        answers = service.simple_answers(served, lines)[2:]
    assert len(found) == 3, found
    assert [answer.partition(" ")[0] for answer in answers] == ["OK", "file", *["ERR"] * 4]
    assert answers[1].endswith(" new")
    assert answers[2] == answers[3]
    assert (service.files / "work/old").read_bytes() == b"old content"


def test_changed_rights_hold_for_sessions_that_run(service):
    with service.serve() as served, service.client(served) as client:
        service.command("set", "ann", "--rights", "read; /in: none")
        with pytest.raises((ftplib.error_temp, ftplib.error_perm, EOFError), match="421"):
            while True:
                client.sendcmd("STAT")
    assert "/in\\: none" in (service.place / "passwd.db").read_text()
