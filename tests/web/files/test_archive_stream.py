"""Archives: their size is known beforehand, and several programs read them."""

from __future__ import annotations

import subprocess
import zipfile
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.events import CommandRefused
from ftpservice.storage.errors import Denied
from ftpservice.web.files import archive_plan
from ftpservice.web.files.archive_plan import MISSING_NAME, ArchivePlan
from tests.support.page_in_memory import PageInMemory


def archive_of(page: PageInMemory, *paths: str) -> zipfile.ZipFile:
    query = "&".join(f"path={path}" for path in paths)
    answer = page.ask("GET", f"/api/v1/files/zip?{query}")
    assert answer.status == 200, answer.body
    assert len(answer.body) == int(answer.headers["content-length"])
    found = zipfile.ZipFile(BytesIO(answer.body))
    assert found.testzip() is None
    return found


@pytest.mark.parametrize("sizes", [(0,), (1999, 2000, 2001), (2100, 2101, 2500, 1), (9000, 10)])
def test_large_files_have_numbers_of_64_bits(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2100)
    monkeypatch.setattr(archive_plan, "ZIP64_LIMIT", 2100)
    monkeypatch.setattr(archive_plan, "LARGE_SIZE", 2000)
    for number, size in enumerate(sizes):
        page.write(f"/d/{number}", bytes([65 + number]) * size)
    with archive_of(page, "/d") as archive:
        assert [info.file_size for info in archive.infolist() if not info.is_dir()] == list(sizes)
        (tmp_path / "a.zip").write_bytes(archive.fp.getvalue())  # type: ignore[union-attr]
    done = subprocess.run(["unzip", "-t", tmp_path / "a.zip"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_more_members_than_16_bits_count(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    monkeypatch.setattr(archive_plan, "ZIP64_COUNT", 3)
    for number in range(4):
        page.write(f"/d/{number}", b"x")
        with archive_of(page, "/d") as archive:
            assert len(archive.infolist()) == number + 2


def test_no_name_leads_out_of_the_directory_that_it_is_unpacked_into(page: PageInMemory) -> None:
    for name in ("..\\..\\x", "C:x", "..x", "\udcff", "\u202egnp.exe", "a\tb", "a%00b"):
        page.write(f"/d/{name}")
    with archive_of(page, "/d") as archive:
        assert sorted(archive.namelist()) == sorted(
            ["d/", "d/..x", "d/.._.._x", "d/C_x", "d/_gnp.exe", "d/a%00b", "d/a_b", "d/\ufffd"]
        )


def test_names_that_differ_in_case_only_stay_apart(page: PageInMemory) -> None:
    for name in ("/d/A.txt", "/d/a.txt", "/d/B/x", "/d/b/x", "/e/d/y"):
        page.write(name)
    with archive_of(page, "/d", "/e/d") as archive:
        names = [name.casefold() for name in archive.namelist()]
        assert len(set(names)) == len(names) == 9
        assert "d/a (2).txt" in names
        assert "d (2)/y" in names


def test_many_names_that_are_the_same_in_another_case_take_no_time_by_their_square() -> None:
    tried = []

    class Names(set[str]):
        def __contains__(self, name: object) -> bool:
            tried.append(name)
            return super().__contains__(name)

    plan = ArchivePlan(MemoryStorage(), cast(Any, None))
    plan._names = Names()
    names = ["".join(one) for one in product(*zip("abcdefgh", "ABCDEFGH", strict=True))]
    found = [plan._free_name(f"{name}.x") for name in [*names, "abcdefgh (2).x"]]
    assert len({name.casefold() for name in found}) == 257
    assert found[1:3] == ["abcdefgH (2).x", "abcdefGh (3).x"]
    assert len(tried) < 1000


def test_the_root_has_no_folder_of_its_own(page: PageInMemory) -> None:
    page.write("/d/a")
    with archive_of(page, "/") as archive:
        assert archive.namelist() == ["d/", "d/a"]


def test_what_an_archive_lacks_is_in_a_text_in_it(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/d/a", "/d/closed/b", "/d/e/c"):
        page.write(path)
    opened = page.realm.storage.open_listing

    async def open_listing(path: Any) -> Any:
        if path.name == "closed":
            raise Denied(path)
        return await opened(path)

    monkeypatch.setattr(page.realm.storage, "open_listing", open_listing)
    page.log_in()
    with archive_of(page, "/d") as archive:
        assert archive.read(MISSING_NAME) == b"/d/closed: permission denied\n"
        assert "d/e/c" in archive.namelist()
    assert page.get("zip", path="/d/closed").status == 403


def test_a_file_that_changes_meanwhile_breaks_the_connection(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write("/d/a", b"abc")
    opened = page.realm.storage.open_reading

    async def open_reading(path: Any) -> Any:
        page.write("/d/a", b"abcd")
        return await opened(path)

    monkeypatch.setattr(page.realm.storage, "open_reading", open_reading)
    page.log_in()
    channel, transport = page.memory.connect()
    asked = ["GET /api/v1/files/zip?path=/d HTTP/1.1", *page.headers, "Host: 127.0.0.1", "", ""]
    channel.dataReceived("\r\n".join(asked).encode())
    page.memory.pump()
    assert transport.disconnected
    channel.connectionLost(Failure(ConnectionDone()))
    assert [one.path for one in page.of_kind(CommandRefused)] == ["/d/a"]


def test_an_archive_has_a_limit_of_members(
    page: PageInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write("/d/a")
    monkeypatch.setattr(archive_plan, "MAX_MEMBERS", 1)
    assert page.get("zip", path="/d").status == 413
