"""Nothing that the spool has taken is lost, damage stays where it is, and its size is bounded."""

import errno
import os

import pytest

from ftpservice.activity.journal import spool as spool_module
from ftpservice.activity.journal.spool import Spool, SpoolFull

MANY = 10_000_000


def all_of(spool, most=3):
    """Take and deliver everything; returns the records and the number of damaged ones."""
    records, damaged = [], 0
    while (batch := spool.take(most)) is not None:
        assert len(batch.records) + batch.damaged <= most
        spool.deliver(batch)
        records += batch.records
        damaged += batch.damaged
    return records, damaged


def files(path):
    return sorted(path.iterdir())


def test_records_come_back_in_their_order_and_files_go(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 100)
    spool = Spool(tmp_path, MANY)
    wanted = [f'["{number}"]' for number in range(50)]
    for number in range(0, 50, 5):
        spool.append(wanted[number : number + 5])
    assert len(files(tmp_path)) > 3
    assert all_of(spool) == (wanted, 0)
    assert spool.waiting == 0
    spool.seal()
    assert files(tmp_path) == []


def test_what_was_not_delivered_is_there_after_a_kill(tmp_path):
    spool = Spool(tmp_path, MANY)
    spool.append(["a", "b", "c"])
    spool.deliver(spool.take(2))
    again = Spool(tmp_path, MANY)  # the first one is not closed
    again.append(["d"])
    assert all_of(again) == (["a", "b", "c", "d"], 0)


def test_a_batch_is_returned_until_it_is_delivered(tmp_path):
    spool = Spool(tmp_path, MANY)
    spool.append(["a"])
    assert spool.take(9).records == spool.take(9).records == ["a"]


@pytest.mark.parametrize("keep", range(1, 13))
def test_a_torn_record_is_skipped_alone(tmp_path, keep):
    spool = Spool(tmp_path, MANY)
    spool.append(["one", "two"])
    (file,) = files(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 + keep])
    again = Spool(tmp_path, MANY)
    again.append(["three"])
    whole = len(content) // 2 + keep == len(content)
    assert all_of(again) == (["one", *(["two"] if whole else []), "three"], int(not whole))
    again.seal()
    assert files(tmp_path) == []


def test_a_flipped_bit_costs_its_record_only(tmp_path):
    spool = Spool(tmp_path, MANY)
    spool.append([f"record {number}" for number in range(5)])
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[content.index(b"record 2") + 1] ^= 4
    file.write_bytes(content)
    records, damaged = all_of(Spool(tmp_path, MANY))
    assert (records, damaged) == ([f"record {number}" for number in (0, 1, 3, 4)], 1)


def test_a_damaged_record_is_counted_by_its_rows(tmp_path):
    spool = Spool(tmp_path, MANY)
    spool.append(["[1],\t[2],\t[3]", "[4],\t[5]", "[6],\t[7]"])
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[content.index(b"[2]") + 1] ^= 4
    file.write_bytes(content[: content.index(b"[7]") + 1])
    again = Spool(tmp_path, MANY)
    batch = again.take(9)
    assert (batch.records, batch.rows, batch.damaged) == (["[4],\t[5]"], 2, 3)
    again.deliver(batch)
    assert all_of(again) == ([], 2)


@pytest.mark.parametrize(
    "content", [b"\n", b"\n\n\n", b"\0" * 5000, b"\xff\n\xfe", b"x" * 3_000_000]
)
def test_a_file_of_something_else_is_skipped(tmp_path, content):
    (tmp_path / "000000000005.spool").write_bytes(content)
    (tmp_path / "other").write_bytes(content)
    spool = Spool(tmp_path, MANY)
    spool.append(["a"])
    records, damaged = all_of(spool)
    assert (records, damaged > 0) == (["a"], True)
    spool.seal()
    assert files(tmp_path) == [tmp_path / "other"]


def test_a_long_record_comes_back(tmp_path):
    spool = Spool(tmp_path, MANY)
    spool.append(["x" * 3_000_000, "y"])
    assert all_of(spool) == (["x" * 3_000_000, "y"], 0)


def test_a_full_spool_takes_nothing_and_loses_nothing(tmp_path):
    spool = Spool(tmp_path, 100)
    spool.append(["x" * 40])
    with pytest.raises(SpoolFull):
        spool.append(["y" * 30, "z" * 30])
    assert all_of(spool) == (["x" * 40], 0)


def test_a_delivered_segment_makes_room_again(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 60)
    spool = Spool(tmp_path, 130)
    for number in range(40):
        spool.append([f"{number:040}"])
        spool.append([f"{number:040}"])
        assert len(all_of(spool)[0]) == 2


@pytest.mark.parametrize("size", [900, 3000])
def test_a_small_spool_takes_what_comes_as_long_as_it_is_delivered(tmp_path, size):
    """Its maximum size is less than that of a segment."""
    spool = Spool(tmp_path, 10_000)
    for number in range(100):
        record = f"{number:{size}}"
        spool.append([record])
        assert all_of(spool) == ([record], 0)
        assert spool.size <= 10_000


def test_a_small_spool_has_room_again_before_all_of_it_was_delivered(tmp_path):
    spool = Spool(tmp_path, 10_000)
    with pytest.raises(SpoolFull):
        for _ in range(100):
            spool.append(["x" * 500])
    for _ in range(10):
        spool.deliver(spool.take(1))
    spool.append(["x" * 500])


def test_a_full_disk_leaves_no_half_batch(tmp_path, monkeypatch):
    spool = Spool(tmp_path, MANY)
    spool.append(["a"])
    real = os.write

    def full(file, data):
        if len(data) > 12:
            return real(file, data[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            spool.append(["bbbbbbbb"])
    spool.append(["c"])
    assert all_of(Spool(tmp_path, MANY)) == (["a", "c"], 0)


@pytest.mark.parametrize("is_durable", [False, True])
def test_a_durable_spool_syncs_each_batch(tmp_path, monkeypatch, is_durable):
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    spool = Spool(tmp_path, MANY, is_durable)
    spool.append(["a"])
    spool.append(["b"])
    assert len(synced) == (2 if is_durable else 0)


def test_only_the_user_of_the_service_can_read_it(tmp_path):
    Spool(tmp_path, MANY).append(["a"])
    assert [file.stat().st_mode & 0o777 for file in files(tmp_path)] == [0o600]
