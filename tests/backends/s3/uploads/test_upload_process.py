"""Which process an upload runs in, and whether that has ended."""

import os
import subprocess
import sys

import pytest

from ftpservice.backends.s3.uploads.upload_process import has_ended, process_mark

PRINT = "from ftpservice.backends.s3.uploads.upload_process import process_mark as m; print(m())"


def test_this_process_has_not_ended():
    mark = process_mark()
    assert mark == process_mark()
    assert not has_ended(mark)


def test_a_process_that_was_here_has_ended():
    mark = subprocess.check_output([sys.executable, "-c", PRINT], text=True).strip()
    assert mark.split(":")[0] == process_mark().split(":")[0]
    assert has_ended(mark)


def test_another_process_may_have_the_number_of_one_that_has_ended():
    place, process, started = process_mark().split(":")
    assert has_ended(f"{place}:{process}:{int(started) - 1}")


@pytest.mark.parametrize(
    "mark",
    [
        "",
        ":",
        "::",
        "elsewhere.1:4194304:5",
        "{place}:",
        "{place}:x:1",
        "{place}:1",
        "{place}:-1:7",
    ],
)
def test_of_others_it_is_not_known(mark):
    assert not has_ended(mark.format(place=process_mark().split(":")[0]))


def test_a_process_of_another_user_is_there():
    place = process_mark().split(":")[0]
    assert not has_ended(f"{place}:{os.getppid() or 1}:x")
