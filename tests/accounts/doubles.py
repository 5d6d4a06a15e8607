"""Doubles for the tests of accounts: a pool without threads, a source without files."""

from __future__ import annotations

from argon2.low_level import Type, hash_secret
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_store import FoundAccount, IAccountLookup
from ftpservice.accounts.checkers import LoginBusy
from ftpservice.accounts.password_hash import DecoyHashes
from ftpservice.storage.interfaces import IStorage, IStorageSource
from ftpservice.wire.paths import VirtualPath

SECRET = hash_secret(b"secret", b"saltsalt", 1, 8, 1, 16, Type.ID).decode()
"""A cheap hash of ``secret``."""


class InlinePool:
    """Calls at once; ``busy`` makes it refuse."""

    def __init__(self):
        self.calls = []
        self.busy = False
        self.stopped = False

    def run(self, check, *arguments):
        assert not self.stopped
        if self.busy:
            return fail(LoginBusy())
        self.calls.append(check)
        answer: Deferred = Deferred()
        try:
            answer.callback(check(*arguments))
        except Exception:  # noqa: BLE001 - as a thread's pool does
            answer.errback()
        return answer

    def stop_and_wait(self, interrupt=None):
        assert not self.stopped
        self.stopped = True


@implementer(IStorageSource)
class Source:
    """Hands out a token for each storage and remembers what was asked."""

    def __init__(self, text="memory:"):
        self.text = text
        self.asked = []
        self.stops = 0

    def storage(self, owner, top):
        assert isinstance(owner, str)
        assert isinstance(top, VirtualPath)
        self.asked.append((owner, str(top)))
        return succeed(Token())

    def describe(self):
        return self.text

    def stop(self):
        self.stops += 1
        return succeed(None)


@implementer(IStorage)
class Token:
    """A storage that nothing may be asked of."""

    def _refuse(self, *_arguments, **_words):
        raise AssertionError("the realm does not touch files")

    async def stat(self, path):
        return f"facts of {path}"

    open_listing = make_directory = remove_directory = remove_file = _refuse
    rename = open_reading = open_writing = _refuse


verifyObject(IStorageSource, Source())


@implementer(IAccountLookup)
class Accounts:
    """A store with the given records, by name; ``problem`` is raised by every call."""

    place = "accounts of the test"

    def __init__(self, *records):
        self.records = {record.name: record for record in records}
        self.problem = None
        self.is_right = None
        self.unusable = ""
        self.asked = []
        self.closed = 0
        self.interrupted = []

    def look_up(self, name, password):
        self.asked.append((name, password))
        if self.problem is not None:
            raise self.problem
        return FoundAccount(self.records.get(name), self.is_right, self.unusable)

    def decoy_hash(self, name):
        return DecoyHashes([SECRET]).hash_for(name)

    def current(self, names):
        if self.problem is not None:
            raise self.problem
        return {name: self.records[name] for name in names if name in self.records}

    def problems(self):
        self.current(())
        return ()

    def interrupt(self, seconds):
        assert seconds >= 0
        self.interrupted.append(seconds)

    def close(self):
        self.closed += 1


verifyObject(IAccountLookup, Accounts())
