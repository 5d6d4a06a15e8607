"""Hidden and refused names on real disks, given by the command and used by real clients."""

import ftplib
import io
import os
from itertools import product
from unicodedata import normalize

import pytest

from tests.support.client_programs import program, run
from tests.support.command_service import SECRET, CommandService

HIDE, REFUSE = ".git; *.tmp", "*.exe; café"


class Service(CommandService):
    def __init__(self, place):
        super().__init__(place)
        for name in (".git", "work/.GIT", "only", "disk.exe"):
            (self.files / name).mkdir(parents=True)
        for name in (".git/config", "work/.GIT/config", "work/a", "only/b.tmp", "setup.exe"):
            (self.files / name).write_bytes(b"old content")
        (self.files / "peek").symlink_to(".git/config")
        (self.files / "sneak").symlink_to("setup.exe")

    def left(self):
        """Return the content of the files that nobody may change."""
        names = (".git/config", "work/.GIT/config", "only/b.tmp", "setup.exe")
        return {(self.files / name).read_bytes() for name in names}


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path)
    service.add("--hide", HIDE, "--refuse", REFUSE)
    return service


def listed(client, command):
    lines: list[str] = []
    client.retrlines(command, lines.append)
    return lines


def test_hidden_names_are_in_no_listing(service):
    with service.serve() as served, service.client(served) as client:
        found = "\n".join(
            [
                *listed(client, "LIST -a"),
                *listed(client, "LIST -R"),
                *listed(client, "NLST"),
                *listed(client, "NLST .*"),
                *listed(client, "NLST */*"),
                *listed(client, "NLST *"),
                *(name for name, _facts in client.mlsd()),
                *(name for name, _facts in client.mlsd("only")),
                client.sendcmd("STAT -a ."),
                client.sendcmd("STAT only"),
                client.sendcmd("SITE PARTIALS"),
            ]
        )
        assert client.nlst("only") == []
        assert client.sendcmd("DSIZ").startswith("213 22")  # work/a and setup.exe
    assert "setup.exe" in found and "work/a" in found and "peek" in found
    assert ".git" not in found.lower() and ".tmp" not in found


COMMANDS = [
    *("SIZE {}", "MDTM {}", "MLST {}", "STAT {}", "CWD {}", "DELE {}", "RMD {}", "RNFR {}"),
    *("HASH {}", "DSIZ {}", "AVBL {}", "MFMT 20200101000000 {}", "MDTM 20200101000000 {}"),
    *("MFF modify=20200101000000; {}", "SITE CHMOD 600 {}", "SITE UTIME 202001010000 {}"),
    *("SITE PARTIALS DELETE {}", "MKD {}", "RETR {}", "STOR {}", "APPE {}", "STOU {}"),
    *("LIST {}", "NLST {}", "MLSD {}", "LIST -d {}", "RNTO {}"),
]
PAIRS = [("work/.GIT", "only/.git"), (".git/config", ".git/none"), ("only/b.tmp", "only/n.tmp")]
DATA_VERBS = {"RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"}


def test_no_command_tells_whether_a_hidden_name_exists(service):
    def reply(client, command, name):
        if command.startswith("RNTO"):
            client.sendcmd("RNFR work/a")
        try:
            if command[:4] in DATA_VERBS:
                client.ntransfercmd(command.format(name))[0].close()
                return client.voidresp()
            return client.sendcmd(command.format(name))
        except ftplib.error_perm as error:
            return str(error).replace(name, "NAME")

    with service.serve() as served, service.client(served) as client:
        client.voidcmd("TYPE I")
        for command in COMMANDS:
            for existing, missing in PAIRS:
                there = reply(client, command, existing)
                assert there == reply(client, command, missing), (command, there)
                assert there[:3] in ("550", "553"), (command, there)
    assert service.left() == {b"old content"}
    assert sorted(os.listdir(service.files / ".git")) == ["config"]


NEW_NAMES = ["new.exe", "NEW.EXE", "x.exe.", "setup.exe", "disk.exe/inside", ".git", "a.tmp"]
NEW_NAMES += [normalize("NFC", "café"), normalize("NFD", "CAFÉ")]


def test_no_command_creates_a_name_of_a_pattern(service):
    with service.serve() as served, service.client(served) as client:
        client.encoding = "utf-8"
        for verb, name in product(("RNTO", "MKD", "STOR", "APPE", "STOU"), NEW_NAMES):
            if verb == "RNTO":
                client.sendcmd("RNFR work/a")
            with pytest.raises(ftplib.error_perm, match="553 Names such as"):
                client.sendcmd(f"{verb} {name}")
        with pytest.raises(ftplib.error_perm, match=r"553 Names such as \*\.exe are not allowed"):
            client.mkd("a.exe")
        client.rename("work", "moved")
        client.rename("moved", "work")
    assert service.left() == {b"old content"}
    assert sorted(os.listdir(service.files)) == sorted(
        [".git", "work", "only", "disk.exe", "setup.exe", "peek", "sneak"]
    )


def test_what_is_refused_can_be_downloaded_and_removed_but_links_are_not_followed(service):
    with service.serve() as served, service.client(served) as client:
        received = io.BytesIO()
        client.retrbinary("RETR setup.exe", received.write)
        assert received.getvalue() == b"old content"
        for command in ("RETR peek", "RETR sneak", "STOR sneak", "APPE sneak", "STOR peek"):
            with pytest.raises(ftplib.error_perm, match="550"):
                client.ntransfercmd(command)
        assert service.left() == {b"old content"}
        client.delete("setup.exe")
        client.rmd("disk.exe")
        with pytest.raises(ftplib.error_perm, match="550 The directory is not empty"):
            client.rmd("only")
    assert (service.files / "only/b.tmp").read_bytes() == b"old content"


def test_the_simple_protocol_and_curl_meet_the_same_patterns(service, tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(1 << 16))
    curl = [program("curl"), "-q", "-sS", "-g", "--max-time", "50", "-u", f"ann:{SECRET}"]
    lines = [
        *("LIST .git", "DWLD .git/config", "HASH only/b.tmp", "DELF only/b.tmp"),
        *("UPLD 3+ .git/config", "UPLD 3+ new.tmp", "UPLD 3+ NEW.exe", "UPLD 3+ setup.exe"),
        *("DWLD peek", "UPLD 3+ sneak", "UPLD 3+ work/new", "LIST", "LIST only"),
    ]
    with service.serve() as served:
        answers = service.simple_answers(served, lines)
        url = f"ftp://127.0.0.1:{served.port()}"
        run([*curl, "-T", tmp_path / "big", f"{url}/work/VIRUS.EXE"], tmp_path, status=25)
        run([*curl, "-T", tmp_path / "big", f"{url}/work/big"], tmp_path)
        run([*curl, f"{url}/.git/config", "-o", tmp_path / "none"], tmp_path, status=9)
    assert sorted(os.listdir(service.files / "work")) == [".GIT", "a", "big", "new"]
    kinds = [" ".join(answer.split()[:2]) for answer in answers[2:]]
    missing = ["ERR NOTFOUND"] * 5
    refused = ["ERR DENIED"] * 5
    assert kinds[:11] == [*missing, *refused, "OK 3"], answers
    assert "ERR DENIED names such as *.exe are not allowed" in answers
    assert kinds[11] == "OK 6" and kinds[-1] == "OK 0", answers
    assert service.left() == {b"old content"}


def test_patterns_with_mounts_rights_and_a_quota(tmp_path):
    service, disk = Service(tmp_path), tmp_path / "disk"
    (disk / ".git").mkdir(parents=True)
    (disk / ".git/config").write_bytes(b"old content")
    service.add(
        *("--hide", HIDE, "--refuse", REFUSE, "--mount", f"/in=local:{disk}", "--quota", "1M"),
        *("--rights", "full; /work: read"),
    )
    with service.serve("--rename-across-mounts=copy") as served, service.client(served) as client:
        assert client.nlst("in") == []
        for command in ("SIZE in/.git/config", "RNFR in/.git", "CWD in/.git", "RMD in/.git"):
            client.voidcmd("TYPE I")
            with pytest.raises(ftplib.error_perm, match="550 No such file"):
                client.sendcmd(command)
        for command in ("MKD in/a.exe", "STOR in/a.exe"):
            with pytest.raises(ftplib.error_perm, match="553"):
                client.sendcmd(command)
        client.storbinary("STOR in/new", io.BytesIO(b"new content"))
        with pytest.raises(ftplib.error_perm, match="553"):
            client.rename("in/new", "taken.exe")
        client.rename("in/new", "taken")
        with pytest.raises(ftplib.error_perm, match="550 Permission denied"):
            client.mkd("work/a.exe")
        quota = client.sendcmd("SITE QUOTA")
    assert (service.files / "taken").read_bytes() == b"new content"
    assert "Uploaded bytes: 77/1048576" in quota  # what is hidden counts too
    assert (disk / ".git/config").read_bytes() == b"old content"


def test_changed_patterns_hold_for_sessions_that_run(service):
    with service.serve() as served, service.client(served) as client:
        service.command("set", "ann", "--hide", "work", "--refuse", "none")
        with pytest.raises((ftplib.error_temp, ftplib.error_perm, EOFError), match="421"):
            while True:
                client.sendcmd("STAT")
        with service.client(served) as again:
            assert sorted(again.nlst("-a")) == sorted(
                [".git", "only", "disk.exe", "setup.exe", "peek", "sneak"]
            )
    assert "hide=work" in (service.place / "passwd.db").read_text()
