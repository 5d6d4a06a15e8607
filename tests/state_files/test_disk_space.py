"""Errors that mean a full file system, whoever tells them."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from ftpservice.state_files.disk_space import NO_SPACE_ERRNOS, is_out_of_space
from tests.support.failing_disk import mounted


@pytest.mark.parametrize("number", NO_SPACE_ERRNOS)
def test_the_error_or_its_cause_says_so(number: int) -> None:
    told = OSError(number, os.strerror(number))
    assert is_out_of_space(told)
    try:
        raise ValueError("cannot write") from told
    except ValueError as error:
        assert is_out_of_space(error)


@pytest.mark.parametrize(
    "error", [None, OSError(errno.EACCES, "denied"), ValueError("full"), sqlite3.Error("full")]
)
def test_other_errors_do_not(error: Exception | None) -> None:
    assert not is_out_of_space(error)


def test_a_database_in_a_full_file_system(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 1 << 20) as is_mounted:
        if not is_mounted:
            pytest.skip("needs the right to mount")
        with sqlite3.connect(tmp_path / "disk/a.sqlite") as database:
            database.execute("CREATE TABLE t (x BLOB)")
            with pytest.raises(sqlite3.OperationalError) as full:
                database.execute("INSERT INTO t VALUES (zeroblob(4000000))")
        assert is_out_of_space(full.value)
        database.close()
