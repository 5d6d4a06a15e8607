"""The storage contract of ``local:`` on JuiceFS with its metadata in PostgreSQL."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT
from tests.support.juicefs import juicefs_format, juicefs_mount, juicefs_program
from tests.support.postgresql import PASSWORD, USER, PostgreSQL, postgresql_directory
from tests.support.service_process import CHECKOUT

numbers = itertools.count()
pytestmark = [
    pytest.mark.skipif(juicefs_program() is None, reason="juicefs is not installed"),
    pytest.mark.skipif(postgresql_directory() is None, reason="PostgreSQL is not installed"),
]


def documented_options() -> list[str]:
    """Return the options of the unit in ``docs/deploy``, as ``juicefs mount`` takes them."""
    unit = (CHECKOUT / "docs" / "deploy" / "srv-ftp.mount").read_text()
    (given,) = re.findall(r"^Options=(.*)$", unit, re.MULTILINE)
    return [f"--{one}" for one in given.split(",") if one != "_netdev"]


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    with PostgreSQL() as server:
        place = f"{USER}:{PASSWORD}@127.0.0.1:{server.port}/{server.new_database()}"
        metadata = f"postgres://{place}?sslmode=disable"
        juicefs_format(metadata, "file", "--bucket", f"{folder}/blocks/")
        with juicefs_mount(metadata, folder / "mounted", *documented_options()):
            yield folder / "mounted"


class OnJuiceFS(StorageContract):
    """The contract in new directories of one filesystem."""

    durable = False

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.mount = mounted(cls.folder)
        cls.top = cls.mount.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.mount.__exit__(None, None, None)
        shutil.rmtree(cls.folder)

    def storage(self):
        folder = self.top / str(next(numbers))
        folder.mkdir()
        self.source = LocalSource(str(folder), Clock(), InlineRunner(), self.durable)
        self.before = len(os.listdir("/proc/self/fd"))
        return self.source.storage("one", ROOT)

    def other_owner_storage(self):
        return self.source.storage("two", ROOT)

    def test_extended_attributes_are_there(self):
        os.setxattr(self.top, "user.ftpservice.test", b"1")
        assert os.getxattr(self.top, "user.ftpservice.test") == b"1"

    def check_all_closed(self):
        assert len(os.listdir("/proc/self/fd")) <= self.before + 1


class InlineTests(OnJuiceFS, SynchronousTestCase):
    """As it is."""


class DurableTests(OnJuiceFS, SynchronousTestCase):
    """With uploads that survive a power cut."""

    durable = True
