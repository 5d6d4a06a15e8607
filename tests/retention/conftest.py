"""A service's accounts and files, and runs of the retention over them at any time."""

import os
import time

import pytest
from twisted.internet.task import Clock

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.realm import Realm
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.mounts.mount_rules import MountRules
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.retention.retention_run import RetentionRun
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.wire.paths import VirtualPath
from tests.accounts.doubles import SECRET

DAY = 86_400.0


class RetentionBench:
    """The accounts of ``passwd.db`` and the files below ``root``; ``days`` is how far it is."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "files"
        self.root.mkdir()
        self.clock, self.pool = Clock(), InlineRunner()
        self.days = 0.0
        self.events = []
        self.passwd = folder / "passwd.db"
        self.passwd.write_text("")
        self.checker = PasswordFileChecker(PasswordFile(str(self.passwd), lambda _text: None))
        self.source = LocalSource(str(self.root), self.clock, self.pool)
        self.realm = Realm(self.source, [self.checker], open_source=self.open_source)
        self.realm.quotas = QuotaBook(self.clock)
        self.realm.mount_rules = MountRules(self.clock)
        self.run_of = RetentionRun(
            [self.checker], self.realm, self.clock, self.now, self.events.append
        )
        self.run_of.new_pool = InlineRunner

    def open_source(self, text):
        if text.startswith("local:"):
            return LocalSource(text.removeprefix("local:"), self.clock, self.pool)
        return build_source(text, self.clock)

    def now(self):
        return time.time() + self.days * DAY

    def accounts(self, *lines):
        """Write accounts: ``ann:/ann:options``; in the fields a colon is written as ``;;``."""
        rows = []
        for line in lines:
            name, root, options = [*line.split(":", 2), "", ""][:3]
            fields = [root.replace(";;", "\\:"), "full", options.replace(":", "\\:")]
            rows.append(":".join((name, SECRET, *fields)) + "\n")
        self.passwd.write_text("".join(rows))
        os.utime(self.passwd, (1, len(rows) + 2))

    def put(self, *names, size=3):
        for name in names:
            path = self.root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))

    def files(self):
        """Return the paths of all files."""
        found = (path for path in self.root.rglob("*") if not path.is_dir() or path.is_symlink())
        return sorted("/" + str(path.relative_to(self.root)) for path in found)

    def result(self, awaitable):
        """Return the result of a coroutine, while the clock goes on."""
        task = Task(awaitable)
        while not task.ended:
            self.clock.advance(0.05)
        found = []
        task.done.addBoth(found.append)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def run(self, days, name=None, is_dry=False):
        """Run so many days later."""
        self.days = days
        return self.result(self.run_of.run(name, is_dry))

    def storage(self, name="ann"):
        """Return the storage of a login."""
        return self.result(self._account(name)).storage

    async def _account(self, name):
        from ftpservice.accounts.account import IAccount

        self.checker.file.refresh()
        _interface, account, _logout = await self.realm.requestAvatar(name, None, IAccount)
        return account

    def path(self, text):
        return VirtualPath.parse(text)


@pytest.fixture
def bench(tmp_path):
    return RetentionBench(tmp_path)
