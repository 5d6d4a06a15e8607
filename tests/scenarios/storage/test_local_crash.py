"""The disk after a killed process, or one with a limit of the file size."""

import os
import signal
import subprocess
import sys

import pytest

from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from tests.support.local_source import Bench, run

PROGRAM = """
import resource, signal, sys
from pathlib import Path
from tests.support.local_source import run
from twisted.internet.task import Clock
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.testing.contract.case import begin_upload
from ftpservice.storage.errors import QuotaExceeded
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.backends.local.files import transaction
from ftpservice.backends.local.source import LocalSource
from ftpservice.wire.paths import ROOT

transaction.MAX_PENDING_BYTES = 0
folder, how, limit = sys.argv[1], WriteMode(sys.argv[2]), int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
storage = run(LocalSource(folder, Clock(), InlineRunner()).storage("one", ROOT))
writing = run(begin_upload(storage, "/file", b"01234", WriteRequest(how)))
if limit:
    try:
        run(writing.write(b"x" * limit))
    except QuotaExceeded:
        run(writing.abandon())
        sys.exit(0)
    sys.exit("nothing was refused")
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def begun(bench, how=WriteMode.REPLACE, limit=0):
    """Start a process that holds a transaction."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(bench.root), how.value, str(limit)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def killed(bench, how=WriteMode.REPLACE):
    with begun(bench, how) as process:
        assert process.stdout.readline() == b"holding\n"
        writing = run(begin_upload(bench.storage, "/file", b"meanwhile"))
        process.send_signal(signal.SIGKILL)
    return writing


def test_a_partial_upload_of_a_killed_process_is_resumed(bench):
    run(create_file(bench.storage, "/file", b"old"))
    meanwhile = killed(bench)
    assert len(bench.hidden()) == 2, "the lock held while the process lived"
    run(meanwhile.commit())
    assert run(read_file(bench.storage, "/file")) == b"meanwhile"
    assert run(partial_size(bench.storage, "/file")) == 5
    run(create_file(bench.storage, "/file", b"56789", WriteRequest(offset=5)))
    assert run(read_file(bench.storage, "/file")) == b"0123456789"
    assert not bench.hidden()


def test_a_unique_name_of_a_killed_process_is_free(bench):
    run(killed(bench, WriteMode.UNIQUE).commit())
    run(bench.storage.remove_file(path_at("/file")))
    writing = run(begin_upload(bench.storage, "/file", b"new", WriteRequest(WriteMode.UNIQUE)))
    assert writing.path == path_at("/file")
    run(writing.commit())
    assert run(read_file(bench.storage, "/file")) == b"new"
    assert not bench.hidden()


def test_a_file_larger_than_the_process_may_write_is_over_quota(bench):
    process = begun(bench, limit=100_000)
    process.communicate()
    assert process.returncode == 0
    assert run(list_directory(bench.storage)) == {}
    assert run(partial_size(bench.storage, "/file")) is None
