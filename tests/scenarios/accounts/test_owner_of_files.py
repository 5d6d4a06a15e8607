"""The trash and interrupted uploads of an account that is renamed, and of others with its name."""

import pytest
from twisted.internet.task import Clock

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.account_record import AccountRecord, RecordedName, renamed
from ftpservice.accounts.passwd_file import parse
from ftpservice.accounts.passwd_line import format_line, parse_line
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.password_hash import hash_password
from ftpservice.accounts.realm import Realm
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.interfaces import IPartials
from ftpservice.storage.trash import ITrash, TrashRule, find_trashed, restore
from ftpservice.testing.contract.case import begin_upload, create_file, path_at, read_file
from ftpservice.wire.paths import ROOT
from tests.backends.memory.test_storage import run

HASH = hash_password("correct horse")


def account(name):
    return AccountRecord(name, HASH, "/shared", trash=TrashRule(3600))


@pytest.fixture
def store(tmp_path):
    return PasswordFileStore(str(tmp_path / "passwd.db"))


class Files:
    """The storages of accounts with one root."""

    def __init__(self, folder):
        folder.mkdir()
        source = LocalSource(str(folder), Clock(), InlineRunner())
        self.realm = Realm(source, open_source=LocalSource)

    def of(self, record):
        found = []
        self.realm.requestAvatar(RecordedName.of(record), None, IAccount).addBoth(found.append)
        return found[0][1].storage


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "files")


def test_a_renamed_account_keeps_its_trash_and_its_interrupted_uploads(store, files):
    store.add(account("ann"))
    before = files.of(store.find("ann"))
    run(create_file(before, "/file", b"data"))
    run(before.remove_file(path_at("/file")))
    run(run(begin_upload(before, "/big", b"x" * 100_000)).abandon())
    store.change("ann", renamed(store.find("ann"), "anna"))
    store.add(account("ann"))
    after, other = files.of(store.find("anna")), files.of(store.find("ann"))
    assert run(IPartials(after).partial(path_at("/big"))).size == 100_000
    assert run(IPartials(other).all_partials()) == []
    assert run(ITrash(other).trashed(ROOT)) == []
    run(restore(after, run(find_trashed(after, path_at("/file")))))
    assert run(read_file(after, "/file")) == b"data"


def test_an_account_that_gets_its_name_back_has_no_other_owner(store):
    store.add(account("ann"))
    store.change("ann", renamed(store.find("ann"), "anna"))
    assert store.find("anna").owner == "ann"
    store.change("anna", renamed(store.find("anna"), "annika"))
    assert store.find("annika").owner == "ann"
    store.change("annika", renamed(store.find("annika"), "ann"))
    assert store.find("ann").owner == ""


def test_a_line_that_would_get_the_trash_of_another_account_is_refused():
    lines = [format_line(account("anna")) + ",owner=ann", format_line(account("ann")), ""]
    contents = parse("\n".join(lines))
    assert list(contents.accounts) == ["anna"]
    assert "that of the account 'anna'" in contents.unresolved["ann"]


@pytest.mark.parametrize("owner", ["a,b", "a%2Cb", "none", "a=b", "\xe4"])
def test_any_name_can_be_an_owner(owner):
    record = AccountRecord("ann", HASH, owner=owner)
    assert parse_line(format_line(record)) == record


def test_a_group_has_no_owner():
    with pytest.raises(ValueError, match="no owner"):
        parse_line("@staff:*:::owner=ann")
