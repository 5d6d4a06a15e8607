"""What a login gets: files, rights and limits by its record."""

import pytest
from twisted.cred.checkers import ANONYMOUS
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.protocols.ftp import IFTPShell
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.account_record import (
    AccountRecord,
    IAccountRecords,
    RecordedName,
)
from ftpservice.accounts.quota_roots import with_shared_quotas
from ftpservice.accounts.realm import Realm
from ftpservice.backends.directory_check import CHECK_SECONDS, DirectoryCheck
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.mounts.account_mount import parse_mount
from ftpservice.backends.mounts.mount_rules import MountRules
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.directory_rights import IDirectoryRights
from ftpservice.storage.errors import Busy, Denied, NameRefused, PathNotFound, Unavailable
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import PRESETS, DirectoryRights, Right
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.accounts.doubles import Source
from tests.storage.test_permissions import run
from tests.support.shared_books import SharedBooks

READ = PRESETS["read"]


@implementer(IAccountRecords)
class Records:
    def __init__(self, *records):
        self.records = {record.name: record for record in records}

    def lookup(self, name):
        return self.records.get(name)


class Opener:
    """Opens any storage string, or fails with the given error."""

    def __init__(self):
        self.opened = []
        self.error = None

    def __call__(self, text):
        if self.error is not None:
            raise self.error
        self.opened.append(Source(text))
        return self.opened[-1]


class Bench:
    def __init__(self):
        self.source, self.opener = Source(), Opener()

    def realm(self, *records, **words):
        return Realm(self.source, [Records(*records)], open_source=self.opener, **words)


@pytest.fixture
def bench():
    return Bench()


def answer(deferred):
    seen = []
    deferred.addBoth(seen.append)
    return seen[0]


def avatar(realm, avatar_id):
    return answer(realm.requestAvatar(avatar_id, None, IAccount, IFTPShell))


def account(realm, avatar_id):
    interface, account, logout = avatar(realm, avatar_id)
    assert interface is IAccount
    assert verifyObject(IAccount, account)
    assert isinstance(account.storage, RestrictedStorage)
    assert logout() is None
    return account


def test_it_is_a_realm(bench):
    assert verifyObject(IRealm, bench.realm())


def test_a_name_with_a_record_gets_what_the_record_has(bench):
    rights = READ | {Right.ADMIN}
    realm = bench.realm(AccountRecord("alice", "", "/home/alice", rights, max_sessions=3))
    alice = account(realm, b"alice")
    assert bench.source.asked == [("alice", "/home/alice")]
    assert (alice.name, alice.rights, alice.max_sessions) == ("alice", rights, 3)
    assert (alice.home, alice.anonymous) == (ROOT, False)


def test_accounts_with_a_root_in_memory_each_have_a_store_of_their_own():
    realm = Realm(
        Source(),
        [Records(AccountRecord("ann", "", "memory:"), AccountRecord("ben", "", "memory:"))],
        open_source=lambda text: build_source(text, Clock()),
    )
    ann, ben = (account(realm, name).storage for name in (b"ann", b"ben"))
    again = account(realm, b"ann").storage
    answer(Deferred.fromCoroutine(ann.make_directory(VirtualPath.parse("/x"))))
    assert answer(Deferred.fromCoroutine(again.stat(VirtualPath.parse("/x")))).name == "x"
    missing = answer(Deferred.fromCoroutine(ben.stat(VirtualPath.parse("/x"))))
    assert missing.check(PathNotFound)


def test_rates_on_the_record_are_the_accounts(bench):
    alice = account(bench.realm(AccountRecord("alice", "", rate_down=5, rate_up=7)), b"alice")
    assert (alice.rate_down, alice.rate_up) == (5, 7)
    guest = account(bench.realm(default_rights=READ), b"bob")
    assert (guest.rate_down, guest.rate_up) == (None, None)


def test_the_rights_stand_around_the_storage(bench):
    realm = bench.realm(AccountRecord("alice", "", rights=READ))
    storage = account(realm, b"alice").storage
    removed = answer(Deferred.fromCoroutine(storage.remove_file(VirtualPath.parse("/a"))))
    assert removed.check(Denied)


@pytest.mark.parametrize("avatar_id", [b"bob", "bob"])
def test_a_name_on_no_record_gets_the_root_with_the_default_rights(bench, avatar_id):
    bob = account(bench.realm(default_rights=READ), avatar_id)
    assert bench.source.asked == [("bob", "/")]
    assert (bob.name, bob.rights, bob.max_sessions) == ("bob", READ, None)


def test_default_rights_are_full_and_never_admin(bench):
    rights = account(bench.realm(), b"bob").rights
    assert rights == PRESETS["full"]
    assert Right.ADMIN not in rights


def test_a_name_that_is_not_utf8_is_kept(bench):
    assert account(bench.realm(), b"gr\xff").name == "gr\udcff"


def test_the_first_record_counts(bench):
    first, second = (Records(AccountRecord("alice", "", root)) for root in ("/1", "/2"))
    realm = Realm(bench.source, [Records(), first, second], open_source=bench.opener)
    account(realm, b"alice")
    assert bench.source.asked == [("alice", "/1")]


@pytest.mark.parametrize("mounts", [(), (parse_mount("/m=memory:"),)])
def test_a_root_is_looked_at_in_a_thread_and_not_for_long(tmp_path, mounts):
    """A disk that hangs keeps its accounts from logging in, and nobody else."""
    clock, pool = Clock(), InlineRunner()
    pool.held = True
    realm = quota_realm(
        AccountRecord("ann", "", f"local:{tmp_path}", mounts=mounts), AccountRecord("bob", "")
    )
    opened = []
    realm._open_source = lambda text: opened.append(text) or build_source("memory:", clock)
    realm.mount_rules = MountRules(clock)
    realm.directories = DirectoryCheck(clock, pool)
    outcomes = []
    realm.requestAvatar(b"ann", None, IAccount).addBoth(outcomes.append)
    assert account(realm, b"bob")
    clock.advance(CHECK_SECONDS - 1)
    assert not outcomes
    clock.advance(1)
    assert outcomes.pop().check(Unavailable)
    assert not opened
    realm.requestAvatar(b"ann", None, IAccount).addBoth(outcomes.append)
    realm.requestAvatar(b"ann", None, IAccount).addBoth(outcomes.append)
    pool.release()
    assert [found[1].name for found in outcomes] == ["ann", "ann"]
    assert opened == [f"local:{tmp_path}"]
    assert account(realm, b"ann")  # and then without a thread


def test_a_missing_root_is_logged(tmp_path, monkeypatch):
    realm, clock, logged = (
        quota_realm(AccountRecord("ann", "", f"local:{tmp_path}/none")),
        Clock(),
        [],
    )
    monkeypatch.setattr(
        "ftpservice.accounts.realm.log.error", lambda *_, **rest: logged.append(rest)
    )
    realm.directories = DirectoryCheck(clock, InlineRunner())
    assert avatar(realm, b"ann").check(Unavailable)
    assert logged == [{"name": "ann", "error": f"{tmp_path}/none: no such file or directory"}]


def test_the_record_that_was_checked_counts_even_if_the_file_changed(bench):
    checked = AccountRecord("alice", "", "/alice", READ)
    gone, other = bench.realm(), bench.realm(AccountRecord("alice", "", "/", PRESETS["full"]))
    for realm in (gone, other):
        assert account(realm, RecordedName.of(checked)).rights == READ
    assert bench.source.asked == [("alice", "/alice")] * 2


def test_a_disabled_account_is_refused_whichever_checker_accepts_it(bench):
    realm = bench.realm(AccountRecord("alice", "", disabled=True))
    assert avatar(realm, b"alice").check(UnauthorizedLogin)
    assert bench.source.asked == []


def test_a_root_cannot_climb(bench):
    account(bench.realm(AccountRecord("alice", "", "/../../etc")), b"alice")
    assert bench.source.asked == [("alice", "/etc")]


def test_a_storage_string_opens_one_source_for_all_accounts(bench):
    realm = bench.realm(
        AccountRecord("alice", "", "local:/srv/a"),
        AccountRecord("bob", "", "local:/srv/a"),
        AccountRecord("carol", "", "local:/srv/c"),
    )
    for name in (b"alice", b"bob", b"carol", b"alice"):
        account(realm, name)
    assert [source.text for source in bench.opener.opened] == ["local:/srv/a", "local:/srv/c"]
    assert bench.opener.opened[0].asked == [("alice", "/"), ("bob", "/"), ("alice", "/")]
    assert bench.source.asked == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ValueError("what?"), Unavailable), (OSError("gone"), Unavailable), (Busy(ROOT), Busy)],
)
def test_a_storage_that_cannot_be_opened_is_tried_again_at_the_next_login(bench, error, kind):
    realm = bench.realm(AccountRecord("alice", "", "nonsense:x"))
    bench.opener.error = error
    assert avatar(realm, b"alice").check(kind)
    bench.opener.error = None
    account(realm, b"alice")


def test_anonymous_reads_where_it_is_put(bench):
    guest = account(bench.realm(anonymous=VirtualPath.parse("/pub")), ANONYMOUS)
    assert (guest.name, guest.rights, guest.anonymous) == ("anonymous", READ, True)
    assert bench.source.asked == [("anonymous", "/pub")]


def test_anonymous_is_refused_unless_it_is_put_somewhere(bench):
    assert avatar(bench.realm(), ANONYMOUS).check(UnauthorizedLogin)


def test_an_account_named_anonymous_is_no_guest(bench):
    realm = bench.realm(AccountRecord("anonymous", "", "/x", READ))
    assert account(realm, b"anonymous").anonymous is False


def test_an_avatar_without_iaccount_is_refused(bench):
    with pytest.raises(NotImplementedError):
        bench.realm().requestAvatar(b"alice", None, IFTPShell)


def test_stopping_stops_every_source_once(bench):
    realm = bench.realm(AccountRecord("alice", "", "local:/srv/a"))
    account(realm, b"alice")
    answer(Deferred.fromCoroutine(realm.stop()))
    assert bench.source.stops == 1
    assert [source.stops for source in bench.opener.opened] == [1]


def quota_realm(*records):
    clock = Clock()
    marked = with_shared_quotas({record.name: record for record in records})
    realm = Realm(
        build_source("memory:", clock),
        [Records(*marked.values())],
        open_source=lambda text: build_source(text, clock),
    )
    realm.quotas = QuotaBook(clock)
    return realm


def is_metered(account):
    return isinstance(account.storage._inner, MeteredStorage)


def result(coroutine):
    return answer(Deferred.fromCoroutine(coroutine))


def test_an_account_with_a_quota_is_metered():
    realm = quota_realm(AccountRecord("ann", "", "/ann", quota_bytes=10, quota_files=3))
    storage = account(realm, b"ann").storage
    assert tuple(result(IQuota(storage).quota_state())) == (0, 0, 10, 3)


@pytest.mark.parametrize("root", ["/", "/team", "/team/ann", "/team/ann/x"])
def test_who_shares_files_with_a_quota_is_metered_too(root):
    realm = quota_realm(
        AccountRecord("ann", "", "/team/ann", quota_bytes=10), AccountRecord("ben", "", root)
    )
    ben = account(realm, b"ben")
    assert is_metered(ben)
    assert IQuota(ben.storage, None) is None


@pytest.mark.parametrize("root", ["/team/annie", "/other", "memory:"])
def test_an_account_far_from_quotas_keeps_its_storage(root):
    realm = quota_realm(
        AccountRecord("ann", "", "/team/ann", quota_bytes=10), AccountRecord("ben", "", root)
    )
    account(realm, b"ann")
    assert not is_metered(account(realm, b"ben"))


def test_records_that_cannot_tell_are_replaced_by_the_ledgers():
    realm = quota_realm()
    realm._records = [Records(AccountRecord("ann", "", "/ann", quota_bytes=10))]
    assert not is_metered(account(realm, b"ben"))
    account(realm, b"ann")
    assert is_metered(account(realm, b"ben"))


def test_without_ledgers_an_account_with_a_quota_is_refused(bench):
    realm = bench.realm(AccountRecord("ann", "", quota_bytes=10))
    assert avatar(realm, b"ann").check(Unavailable)


def test_the_use_of_any_account_can_be_shown_and_counted_again():
    realm = quota_realm(AccountRecord("ann", "", "/ann", quota_files=5), AccountRecord("ben", ""))
    assert tuple(result(realm.quota_of("ann"))) == (0, 0, None, 5)
    ben = account(realm, b"ben").storage._inner._inner  # by another program
    result(ben.make_directory(VirtualPath.parse("/ann/d")))
    assert result(realm.quota_of("ann")).files == 0
    assert result(realm.quota_of("ann", recount=True)).files == 1
    assert tuple(result(realm.quota_of("ben"))) == (0, 2, None, None)
    assert result(realm.quota_of("nobody")) is None
    result(realm.stop())


@pytest.mark.parametrize(
    ("source", "records", "rights", "shown"),
    [
        ("memory:", (), PRESETS["full"], "source is an IStorageSource .*, not 'memory:'"),
        (None, (), PRESETS["full"], "source is an IStorageSource .*, not None"),
        (Source(), ({"ann": 1},), PRESETS["full"], "records contains {'ann': 1}, which is not an"),
        (Source(), (), "read", "default_rights is a set of Right, not 'read'"),
    ],
)
def test_malformed_arguments_are_refused_by_name(source, records, rights, shown):
    with pytest.raises(TypeError, match=shown):
        Realm(source, records, open_source=lambda _text: Source(), default_rights=rights)


def test_an_account_has_the_umask_and_the_conversion_of_its_record(bench):
    realm = bench.realm(AccountRecord("ann", "", umask=0o27, ascii=False), AccountRecord("bob", ""))
    ann, bob = avatar(realm, b"ann")[1], avatar(realm, b"bob")[1]
    assert (ann.umask, ann.ascii, bob.umask, bob.ascii) == (0o27, False, None, None)


def test_patterns_of_names_are_enforced_below_the_rights():
    record = AccountRecord("ann", "", "memory:", hidden_names=(".git",), refused_names=("*.exe",))
    realm = Realm(Source(), [Records(record)], open_source=lambda text: build_source(text, Clock()))
    _interface, ann, _logout = avatar(realm, b"ann")
    assert isinstance(ann.storage, RestrictedStorage)
    with pytest.raises(NameRefused):
        run(ann.storage.make_directory(VirtualPath.parse("/a.EXE")))
    with pytest.raises(NameRefused):
        run(ann.storage.make_directory(VirtualPath.parse("/.git")))


def test_rights_to_directories_are_enforced_by_the_storage():
    rules = (DirectoryRights("/in", PRESETS["upload-only"]),)
    record = AccountRecord("ann", "", "memory:", directory_rights=rules)
    realm = Realm(Source(), [Records(record)], open_source=lambda text: build_source(text, Clock()))
    _interface, ann, _logout = avatar(realm, b"ann")
    assert IDirectoryRights.providedBy(ann.storage)
    assert ann.rights == PRESETS["full"]


def test_a_login_waits_while_another_process_keeps_the_ledgers_locked(tmp_path):
    books = SharedBooks(tmp_path, 3)
    (tmp_path / "ann").mkdir()
    _, own, other = books.books
    realm = Realm(
        LocalSource(str(tmp_path), books.clock, InlineRunner()),
        [Records(AccountRecord("ann", "", "/ann", quota_bytes=10))],
        open_source=lambda text: build_source(text, books.clock),
    )
    realm.quotas, found = own, []
    with other.shared.log.locked():
        realm.requestAvatar(b"ann", None, IAccount).addBoth(found.append)
        books.clock.pump([0.1] * 5)
        assert found == []
    books.clock.pump([0.02] * 2)
    assert is_metered(found[0][1])
    books.close()
