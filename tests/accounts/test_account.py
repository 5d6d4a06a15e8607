"""Accounts and credentials are what their interfaces say."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import (
    Account,
    IAccount,
    IPeerCredentials,
    PeerCredentials,
    StorageNames,
)
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.mounts.account_mount import parse_mount
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.rights import PRESETS
from ftpservice.storage.source_strings import INamedSource
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.accounts.doubles import Token

PIECES = st.sampled_from(
    ["/", "a", "..", ".", ".b", " ", "\\", "\udc80", "\n", "\0", "\N{DEGREE SIGN}", "\u2028", "~"]
)
RECORD = AccountRecord("ann", "", "/home")


class Disk:
    """A source on a disk that is opened, and asked, in a test."""

    def __init__(self, root="/"):
        self.source = LocalSource(root, Clock(), InlineRunner())
        self.home = VirtualPath(("home",))
        self.is_open = True
        self.asked = 0

    def root_of(self, root, holder):
        self.asked += 1
        return self.home, self.source if self.is_open else None


def test_an_account_starts_at_its_root_without_limits():
    account = Account("alice", Token(), PRESETS["read"])
    assert verifyObject(IAccount, account)
    assert (account.home, account.max_sessions, account.anonymous) == (ROOT, None, False)


def test_credentials_with_a_peer_do_wherever_a_name_and_password_do():
    credentials = PeerCredentials(b"alice", b"secret", "192.0.2.1", True)
    assert verifyObject(IPeerCredentials, credentials)
    assert IUsernamePassword.providedBy(credentials)
    assert credentials.checkPassword(b"secret")
    assert not credentials.checkPassword(b"wrong")


@settings(deadline=None)
@given(st.sampled_from(["/", "/usr"]), st.lists(PIECES, max_size=8).map("".join))
def test_a_name_is_the_same_whether_it_is_looked_up_or_put_together(root, text):
    disk = Disk(root)
    names = StorageNames(disk.root_of, RECORD)
    first = names(text)
    names("/a")
    assert names(text) == first
    if not {"\n", "\0"}.isdisjoint(text):
        assert first is None
    else:
        parts = VirtualPath.parse(text).parts
        assert first == os.path.join(root, "home", *parts)


def test_a_storage_is_asked_once(tmp_path):
    disk = Disk(str(tmp_path))
    names = StorageNames(disk.root_of, RECORD)
    assert [names(f"/{n}") for n in range(3)] == [f"{tmp_path}/home/{n}" for n in range(3)]
    assert disk.asked == 1


def test_a_storage_that_is_not_open_has_no_names_until_it_is(tmp_path):
    disk = Disk(str(tmp_path))
    disk.is_open, names = False, StorageNames(disk.root_of, RECORD)
    assert names("/a") is None
    disk.is_open = True
    assert names("/a") == names("/a") == f"{tmp_path}/home/a"


def test_names_that_are_no_paths_come_from_the_storage():
    @implementer(INamedSource)
    class Shelf:
        def storage_name(self, path):
            return f"book {len(path.parts)}"

    names = StorageNames(lambda _root, _holder: (ROOT, Shelf()), RECORD)
    assert [names("/a"), names("/a/b")] == ["book 1", "book 2"]


def test_each_mount_has_names_of_its_own(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "in").mkdir()
    own, into = f"local:{tmp_path}/own", f"local:{tmp_path}/in"
    mount = parse_mount(f"/m={into}")
    record = AccountRecord("ann", "", own, mounts=(mount,))
    sources = {text: LocalSource(text[6:], Clock(), InlineRunner()) for text in (own, into)}
    names = StorageNames(lambda root, _holder: (ROOT, sources[root]), record)
    for _ in range(2):
        assert names("/m/a") == f"{tmp_path}/in/a"
        assert names("/ma") == f"{tmp_path}/own/ma"
