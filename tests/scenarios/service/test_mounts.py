"""Accounts with mounts on real disks, made by the command and used by real clients."""

import ftplib
import os
import socket
import time

import pytest

from tests.support.client_programs import program, run
from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import PATIENCE
from tests.support.trees import assert_same, make_tree


class Service(CommandService):
    def __init__(self, place):
        super().__init__(place)
        self.inbox, self.archive = place / "disk/in", place / "disk/archive"
        for directory in (self.inbox, self.archive):
            directory.mkdir(parents=True)
        (self.archive / "1999.txt").write_bytes(b"last century")

    def add(self, *words):
        archive = f"/old/archive=local:{self.archive},read-only"
        super().add("--mount", f"/in=local:{self.inbox}", "--mount", archive, *words)


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path)


def test_lftp_mirrors_both_ways_over_a_mount(service, tmp_path):
    service.add()
    tree, back = make_tree(tmp_path / "here/tree"), tmp_path / "here/back"
    with service.serve() as served:
        script = [
            "set cmd:fail-exit yes; set ftp:ssl-allow no; set net:timeout 20",
            f"open -u ann,{SECRET} -p {served.port()} 127.0.0.1",
            "mirror -R tree in/tree",
            "mirror / back",
            "rm -r in/tree",
            "",
        ]
        run(
            [program("lftp"), "-f", "/dev/stdin"],
            tmp_path,
            cwd=tree.parent,
            stdin="\n".join(script),
        )
    assert_same(tree, back / "in/tree", times=True)
    assert (back / "old/archive/1999.txt").read_bytes() == b"last century"
    assert os.listdir(service.inbox) == []


def test_curl_uploads_resumes_and_downloads(service, tmp_path):
    service.add()
    (tmp_path / "big").write_bytes(os.urandom(3 << 20))
    curl = [program("curl"), "-q", "-sS", "-g", "--max-time", "50", "-u", f"ann:{SECRET}"]
    with service.serve() as served:
        url = f"ftp://127.0.0.1:{served.port()}"
        run([*curl, "-T", tmp_path / "big", f"{url}/in/big"], tmp_path)
        run([*curl, f"{url}/in/big", "-o", tmp_path / "back"], tmp_path)
        run([*curl, f"{url}/old/archive/1999.txt", "-o", tmp_path / "old"], tmp_path)
        run([*curl, "-T", tmp_path / "old", f"{url}/old/archive/new"], tmp_path, status=25)
        listed = run([*curl, f"{url}/old/", "-l"], tmp_path)
    assert (service.inbox / "big").read_bytes() == (tmp_path / "back").read_bytes()
    assert (tmp_path / "old").read_bytes() == b"last century"
    assert listed.stdout.split() == ["archive"]
    assert os.listdir(service.archive) == ["1999.txt"]


REFUSED = {
    "RMD /in": "550 It is a mount point",
    "RMD /old": "550 It is a mount point",
    "DELE /old/archive": "550 It is a mount point",
    "MKD /in": "550 A file or directory of that name exists",
    "MKD /old/new": "550 Permission denied",
    "DELE /old/archive/1999.txt": "550 Permission denied",
    "SITE CHMOD 600 /old/archive/1999.txt": "550 Permission denied",
    "MFMT 20200101000000 /old/archive/1999.txt": "550 Permission denied",
    "SIZE /in": "550 Not a regular file",
    "RNTO /in": "550 It is a mount point",
    "RNTO /in/moved": "550 A rename cannot move it to another file system",
    "RNTO /old/archive/moved": "550 Permission denied",
}


def test_what_is_refused_over_ftp_and_why(service):
    service.add()
    service.files.mkdir(parents=True)
    (service.files / "own").write_bytes(b"own")
    with service.serve() as served, service.client(served) as client:
        for command, reply in REFUSED.items():
            if command.startswith("RNTO"):
                client.sendcmd("RNFR own")
            with pytest.raises(ftplib.error_perm) as raised:
                client.sendcmd(command)
            assert str(raised.value).startswith(reply), command
        client.cwd("/old/archive")
        assert client.pwd() == "/old/archive"
        assert client.size("1999.txt") == 12
        assert client.sendcmd("HASH 1999.txt").startswith("213 SHA-256 0-11 ")
        assert "perm=r;" in client.sendcmd("MLST 1999.txt").lower()
        assert client.sendcmd("CDUP").startswith("250")
        assert client.nlst() == ["archive"]
        assert int(client.sendcmd("AVBL /in").split()[1]) > 0
    assert (service.files / "own").read_bytes() == b"own"


def test_a_file_is_moved_between_mounts_if_the_setting_says_so(service):
    service.add("--quota", "1M")
    service.files.mkdir(parents=True)
    (service.files / "own").write_bytes(b"own")
    os.utime(service.files / "own", (10**9, 10**9))
    with (
        service.serve("--rename-across-mounts", "copy") as served,
        service.client(served) as client,
    ):
        client.rename("own", "/in/moved")
        assert "Uploaded bytes: 3/1048576" in client.sendcmd("SITE QUOTA")
        assert client.size("/in/moved") == 3
    assert (service.inbox / "moved").stat().st_mtime == 10**9
    assert os.listdir(service.files) == []


def test_the_simple_protocol_has_the_same_tree(service):
    service.add("--quota", "1M")
    lines = [
        *("UPLD 3+ in/a", "UPLD 3+ b", "UPLD 3+ in/c"),
        *("UPLD 3+ old/archive/new", "UPLD 3+ in", "DELF in", "HASH old/archive/1999.txt"),
        *("DELF in/c", "LIST in", "LIST old", "LIST"),
    ]
    with service.serve() as served:
        answers = service.simple_answers(served, lines)
    words = [" ".join(answer.split()[:2]) for answer in answers]
    assert words[:12] == [
        *("OK password", "OK logged", "OK 3", "OK 3", "OK 3"),
        *("ERR DENIED", "ERR ISDIR", "ERR DENIED", "OK SHA-256", "OK in/c", "OK 1", "file 3"),
    ], answers
    assert [answer.split()[-1] for answer in answers[13:]] == ["archive", "3", "b", "in", "old"]
    assert os.listdir(service.inbox) == ["a"]
    assert (service.files / "b").read_bytes() == b"abc"


def test_a_mount_that_is_down_fails_alone_and_comes_back(service):
    service.add()
    service.inbox.rename(service.place / "unplugged")
    with service.serve() as served, service.client(served) as client:
        assert sorted(client.nlst()) == ["in", "old"]
        with pytest.raises(ftplib.error_temp, match="451"):
            client.cwd("/in")
        assert client.size("/old/archive/1999.txt") == 12
        (service.place / "unplugged").rename(service.inbox)
        client.cwd("/in")


def test_a_kill_in_the_middle_of_a_move_loses_nothing(service):
    service.add()
    service.files.mkdir(parents=True)
    with (service.files / "big").open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"whole")
    with (
        service.serve("--rename-across-mounts", "copy") as served,
        service.client(served) as client,
    ):
        client.sendcmd("RNFR big")
        client.putcmd("RNTO /in/moved")
        until(lambda: any(one.stat().st_size > 1 << 20 for one in service.inbox.iterdir()))
        served.process.kill()
        served.process.wait(PATIENCE)
    assert not (service.inbox / "moved").exists()
    with (service.files / "big").open("rb") as file:
        assert file.read(5) == b"whole"
    assert (service.files / "big").stat().st_size == 1 << 30


def test_a_move_ends_with_its_session(service):
    service.add()
    service.files.mkdir(parents=True)
    with (service.files / "big").open("wb") as file:
        file.truncate(4 << 30)
    with service.serve("--rename-across-mounts", "copy") as served:
        client = service.client(served)
        client.sendcmd("RNFR big")
        client.putcmd("RNTO /in/moved")
        until(lambda: any(one.stat().st_size > 1 << 20 for one in service.inbox.iterdir()))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # with RST; after FIN, what was sent is carried out
        until(lambda: not os.listdir(service.inbox))
        with service.client(served) as other:
            other.voidcmd("TYPE I")
            assert other.size("/big") == 4 << 30


def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
