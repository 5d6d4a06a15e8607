"""Accounts with quotas, with real clients of both protocols and a service that is killed."""

from __future__ import annotations

import ftplib
import io
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.net.tls.record_io import forget_error
from tests.support.restartable_service import RestartableService, noise, wait_until
from tests.support.simple_client import SimpleWire
from tests.support.tcp_wire import Wire

MIB = 1 << 20
QUOTA = 8 * MIB
OPTIONS = ("--simple=tcp:0:interface=127.0.0.1", "--tls=offered", "--ascii=off")


class Served:
    """A service with accounts: ``ann`` with a quota of 8 MiB, ``ben`` of 10 names, ``root``."""

    def __init__(self, restartable: RestartableService) -> None:
        self.restartable = restartable
        self.root = restartable.root
        self.port = restartable.port
        found = restartable.program.line(r"simple://\S+?:(\d+)")
        self.simple_port = int(found[1])

    def ftp(self, name: str = "ann", tls: bool = False) -> ftplib.FTP:
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            secured = ftplib.FTP_TLS(timeout=30, context=context)
            self.restartable.close_later(secured)
            secured.connect("127.0.0.1", self.port)
            secured.login(name, "demo")
            secured.prot_p()
            return secured
        ftp = ftplib.FTP(timeout=30)
        self.restartable.close_later(ftp)
        ftp.connect("127.0.0.1", self.port)
        ftp.login(name, "demo")
        return ftp

    def simple(self, name: str = "ann") -> SimpleWire:
        end = socket.create_connection(("127.0.0.1", self.simple_port), 30)
        wire = SimpleWire(self.restartable, end)
        assert wire.line().startswith("OK")
        return wire.login(name)

    def wire(self, name: str = "ann") -> Wire:
        return self.restartable.session(name)

    def on_disk(self, top: str = "ann") -> tuple[int, int]:
        """Return bytes and names below a root, partial uploads too."""
        found = list((self.root / top).rglob("*"))
        return sum(one.stat().st_size for one in found if one.is_file()), len(found)

    def use(self, name: str = "ann") -> tuple[int, int]:
        """Return what SITE QUOTA shows."""
        wire = self.wire(name)
        answer = wire.ask("SITE QUOTA")
        assert answer.code == 200
        wire.drop()
        shown = [line for line in answer.lines if b"Uploaded" in line]
        size, files = (int(line.split(b": ")[1].split(b"/")[0]) for line in shown)
        return size, files

    def partials(self) -> list[Path]:
        return self.restartable.partials()


@pytest.fixture
def restartable(tmp_path: Path) -> RestartableService:
    made = RestartableService(tmp_path)
    (tmp_path / "passwd.db").write_text(
        f"ann:{SHIPPED_HASH}:/ann:full:quota={QUOTA}\n"
        f"ben:{SHIPPED_HASH}:/ben:full:quota-files=10\n"
        f"root:{SHIPPED_HASH}:/:full:\n"
        f"demo:{SHIPPED_HASH}:/:full:\n"
    )
    return made


@pytest.fixture
def served(restartable: RestartableService) -> Iterator[Served]:
    with restartable.open(*OPTIONS):
        yield Served(restartable)


def stored(ftp: ftplib.FTP, name: str, data: bytes) -> str:
    """Upload; return the reply, whatever it is."""
    try:
        try:
            return ftp.storbinary(f"STOR {name}", io.BytesIO(data))
        except OSError as error:  # the data connection was reset while it sent
            forget_error(error)  # or Python may raise it for the control connection, too
            return ftp.voidresp()
    except ftplib.all_errors as error:
        return str(error)


def simple_stored(wire: SimpleWire, name: str, data: bytes) -> str:
    answer = wire.ask(f"UPLD {len(data)} {name}")
    if not answer.startswith("GO"):
        return answer
    wire.send(data)
    return wire.line()


def test_a_file_that_fits_exactly_is_stored_and_one_byte_more_is_not(served: Served) -> None:
    ftp = served.ftp()
    assert stored(ftp, "a", bytes(QUOTA - 5)).startswith("226")
    assert stored(ftp, "b", b"123456").startswith("552")
    assert stored(ftp, "b", b"12345").startswith("226")
    assert stored(ftp, "c", b"1").startswith("552")
    assert served.use() == served.on_disk() == (QUOTA, 2)
    assert served.partials() == []


@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "TLS"])
def test_an_upload_that_is_too_large_ends_in_mid_stream_and_leaves_nothing(
    served: Served, tls: bool
) -> None:
    ftp = served.ftp(tls=tls)
    assert stored(ftp, "large", bytes(3 * QUOTA)).startswith("552")
    wait_until(lambda: served.on_disk() == (0, 0))
    assert served.use() == (0, 0)
    ftp = served.ftp(tls=tls)
    assert stored(ftp, "large", bytes(QUOTA)).startswith("226")
    assert served.use() == served.on_disk() == (QUOTA, 1)


def test_after_an_upload_that_was_refused_for_good_the_size_is_that_of_the_file(
    served: Served,
) -> None:
    ftp = served.ftp()
    assert stored(ftp, "file", b"old").startswith("226")
    assert stored(ftp, "file", bytes(3 * QUOTA)).startswith("552")
    assert ftp.size("file") == 3


def test_a_reply_to_a_large_upload_is_552(served: Served) -> None:
    wire = served.wire()
    data = wire.accepted()
    assert wire.code("STOR large") == 150
    with suppress(OSError):
        for _ in range(3):
            data.sendall(bytes(QUOTA))
    answer = wire.reply()
    assert answer.code == 552
    assert b"discarded" in answer.lines[-1]


def test_an_announced_size_is_refused_before_a_byte_moves(served: Served) -> None:
    ftp = served.ftp()
    assert stored(ftp, "half", bytes(QUOTA // 2)).startswith("226")
    wire = served.wire()
    assert wire.code(f"ALLO {QUOTA + 1}") == 552  # more than an empty tree could take
    assert wire.code(f"ALLO {QUOTA // 2 + 1}") == 200
    wire.accepted()
    assert wire.code("STOR new") == 552
    # Over the file that is there, it fits.
    assert wire.code(f"ALLO {QUOTA // 2 + 1}") == 200
    data = wire.accepted()
    assert wire.code("STOR half") == 150
    data.sendall(bytes(QUOTA // 2 + 1))
    data.close()
    assert wire.reply().code == 226
    simple = served.simple()
    assert simple.ask(f"UPLD {QUOTA // 2} new").startswith("ERR QUOTA")
    simple.send(f"UPLD {QUOTA // 2}+ new\n".encode() + bytes(QUOTA // 2))
    assert simple.line().startswith("ERR QUOTA")
    assert simple_stored(simple, "new", bytes(QUOTA // 2 - 1)).startswith("OK")
    assert served.use() == served.on_disk() == (QUOTA, 2)


def test_overwriting_needs_the_difference_and_deleting_frees(served: Served) -> None:
    ftp = served.ftp()
    assert stored(ftp, "a", bytes(QUOTA)).startswith("226")
    assert stored(ftp, "a", noise(QUOTA)).startswith("226")
    assert simple_stored(served.simple(), "a", bytes(QUOTA)).startswith("OK")
    assert stored(ftp, "a", bytes(QUOTA + 1)).startswith("552")
    assert served.use() == served.on_disk() == (QUOTA, 1)
    assert stored(ftp, "a", bytes(QUOTA - 100)).startswith("226")
    ftp.storbinary("APPE a", io.BytesIO(bytes(100)))
    with pytest.raises(ftplib.error_perm, match="552"):
        ftp.storbinary("APPE a", io.BytesIO(b"1"))
    assert ftp.sendcmd("AVBL") == "213 0"
    ftp.delete("a")
    assert ftp.sendcmd("AVBL") == f"213 {QUOTA}"
    assert served.use() == served.on_disk() == (0, 0)
    assert stored(ftp, "b", bytes(QUOTA)).startswith("226")
    assert served.simple().ask("DELF b").startswith("OK")
    assert served.use() == served.on_disk() == (0, 0)


@pytest.mark.parametrize("size", [700_000, MIB + MIB // 2])
def test_ten_uploads_at_once_never_exceed_the_quota(served: Served, size: int) -> None:
    first = QUOTA - 3 * size - 1000  # there is room for three of ten
    assert stored(served.ftp(), "first", bytes(first)).startswith("226")

    def by_ftp(number: int) -> str:
        with served.ftp() as ftp:
            return stored(ftp, f"f{number}", noise(size, number))

    def by_simple(number: int) -> str:
        return simple_stored(served.simple(), f"s{number}", noise(size, number))

    peak: list[int] = []
    with ThreadPoolExecutor(11) as pool:
        running = [pool.submit(by_ftp, n) for n in range(5)]
        running += [pool.submit(by_simple, n) for n in range(5)]
        while not all(one.done() for one in running):
            with suppress(FileNotFoundError):
                peak.append(served.on_disk()[0])
        answers = [one.result() for one in running]
    complete = [text for text in answers if text.startswith(("226", "OK"))]
    refused = [text for text in answers if text.startswith(("552", "ERR QUOTA"))]
    cut = len(answers) - len(complete) - len(refused)  # a client that was still sending
    assert cut <= 5, answers
    assert len(complete) <= 3
    assert max(peak) <= QUOTA + 5  # a byte each shows that an upload is too large
    wait_until(lambda: not served.partials())
    size_used, files = served.on_disk()
    assert size_used == first + len(complete) * size <= QUOTA
    assert served.use() == (size_used, files)
    # What is left is exactly usable.
    assert stored(served.ftp(), "rest", bytes(QUOTA - size_used)).startswith("226")
    assert stored(served.ftp(), "more", b"1").startswith("552")


def test_many_small_uploads_at_once_are_counted_one_by_one(served: Served) -> None:
    wire = served.simple("ben")
    lines = b"".join(b"UPLD 5+ file%d\nhello" % number for number in range(14))
    wire.send(lines)
    answers = [wire.line()[:9] for _ in range(14)]
    assert sorted(answers) == ["ERR QUOTA"] * 4 + sorted(f"OK 5 file{n}"[:9] for n in range(10))
    assert served.use("ben") == served.on_disk("ben") == (50, 10)


def test_the_number_of_names_is_limited(served: Served) -> None:
    ftp = served.ftp("ben")
    for number in range(9):
        ftp.mkd(f"d{number}")
    assert stored(ftp, "f", b"x").startswith("226")
    assert stored(ftp, "g", b"x").startswith("552")
    with pytest.raises(ftplib.error_perm, match="552"):
        ftp.mkd("more")
    assert stored(ftp, "f", b"another").startswith("226")
    ftp.rename("f", "d0/f")
    ftp.rmd("d8")
    assert stored(ftp, "g", b"x").startswith("226")
    assert served.use("ben") == served.on_disk("ben") == (8, 10)


def test_a_kept_partial_upload_counts_until_it_is_resumed(served: Served) -> None:
    content = noise(QUOTA)
    wire = served.wire()
    data = served.restartable.begun(wire, "STOR a", content[: 5 * MIB])
    data.close()
    wire.drop()
    wait_until(lambda: served.use() == (5 * MIB, 1))
    ftp = served.ftp()
    assert stored(ftp, "b", bytes(4 * MIB)).startswith("552")
    ftp.storbinary("STOR a", io.BytesIO(content[5 * MIB :]), rest=5 * MIB)
    assert (served.root / "ann" / "a").read_bytes() == content
    assert served.use() == served.on_disk() == (QUOTA, 1)


def test_nothing_drifts_if_the_service_is_killed(restartable: RestartableService) -> None:
    content = noise(QUOTA)
    with restartable.open(*OPTIONS):
        served = Served(restartable)
        assert stored(served.ftp(), "old", bytes(2 * MIB)).startswith("226")
        restartable.begun(served.wire(), "STOR new", content[: 3 * MIB])
        # What has arrived may not be written yet.
        wait_until(lambda: [one.stat().st_size for one in served.partials()] == [3 * MIB])
        restartable.program.process.send_signal(signal.SIGKILL)
        restartable.program.process.wait()
    with restartable.open(*OPTIONS):
        served = Served(restartable)
        assert served.use() == served.on_disk() == (5 * MIB, 2)
        ftp = served.ftp()
        assert stored(ftp, "b", bytes(3 * MIB + 1)).startswith("552")
        ftp.storbinary("STOR new", io.BytesIO(content[3 * MIB : 6 * MIB]), rest=3 * MIB)
        assert served.use() == served.on_disk() == (QUOTA, 2)


def test_renames_between_trees_move_the_use(served: Served) -> None:
    ann, root = served.ftp(), served.ftp("root")
    ann.mkd("d")
    assert stored(ann, "d/x", bytes(3 * MIB)).startswith("226")
    assert stored(ann, "y", bytes(MIB)).startswith("226")
    root.mkd("out")
    root.rename("ann/d", "out/d")
    assert served.use() == served.on_disk() == (MIB, 1)
    root.rename("out/d", "ann/again")
    root.rename("ann/y", "out/y")
    assert served.use() == served.on_disk() == (3 * MIB, 2)
    # Who has no quota is not limited by another's; what is added counts.
    assert stored(root, "ann/z", bytes(QUOTA)).startswith("226")
    assert served.use() == served.on_disk() == (QUOTA + 3 * MIB, 3)
    assert stored(ann, "more", b"1").startswith("552")
    ann.delete("z")
    assert stored(ann, "more", b"1").startswith("226")


@pytest.mark.parametrize("program", ["curl", "lftp"])
def test_client_programs_report_the_refusal(served: Served, tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    (tmp_path / "fits").write_bytes(noise(QUOTA))
    (tmp_path / "large").write_bytes(noise(2 * QUOTA))
    address = f"127.0.0.1:{served.port}"

    def upload(name: str) -> subprocess.CompletedProcess[str]:
        words = ["curl", "-sS", "-T", name, f"ftp://ann:demo@{address}/{name}"]
        if program == "lftp":
            settings = (
                "set net:max-retries 2; set net:reconnect-interval-base 1; set ftp:ssl-allow no"
            )
            words = ["lftp", "-c", f"{settings}; open -u ann,demo {address}; put {name}"]
        return subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=240
        )  # lftp tries again after pauses

    failed = upload("large")
    assert failed.returncode
    wait_until(lambda: served.on_disk() == (0, 0))
    assert upload("fits").returncode == 0
    assert served.use() == served.on_disk() == (QUOTA, 1)


def test_an_account_without_a_quota_has_none_to_show(served: Served) -> None:
    assert served.wire("root").ask("SITE QUOTA").code == 202
