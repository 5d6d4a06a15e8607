"""What a run deletes: of which accounts, by which rules, and what it never touches."""

import os
import shutil

import pytest

from ftpservice.events import FileExpired
from ftpservice.retention import retention_run
from ftpservice.retention.retention_run import CannotRun
from ftpservice.storage.errors import Unavailable


def test_files_that_are_older_than_their_rule_are_deleted(bench):
    bench.accounts("ann:/ann:retention=30d; /in: 7d; *.log: 90d; /archive: keep")
    bench.put(
        "ann/letter", "ann/sub/deep/letter", "ann/x.log", "ann/in/a", "ann/archive/a", "other"
    )
    assert bench.run(6).expired == []
    bench.run(8)
    assert "/ann/in/a" not in bench.files()
    assert len(bench.files()) == 5
    bench.run(31)
    assert bench.files() == ["/ann/archive/a", "/ann/x.log", "/other"]
    bench.run(5000)
    assert bench.files() == ["/ann/archive/a", "/other"]


def test_each_deletion_is_an_event(bench):
    bench.accounts("ann:/ann:retention=30d; /in: 7d")
    bench.put("ann/in/a", size=10)
    result = bench.run(8)
    [event] = bench.events
    assert type(event) is FileExpired
    assert (event.user, event.path, event.size, event.rule) == ("ann", "/in/a", 10, "/in: 7d")
    assert event.age == pytest.approx(8 * 86_400, abs=60)
    assert (event.session, event.peer, event.is_directory) == (0, "", False)
    counts = result.counts["ann"]
    assert (counts.files, counts.bytes, counts.in_use, counts.failed) == (1, 10, 0, 0)


def test_a_dry_run_lists_the_same_and_deletes_nothing(bench):
    bench.accounts("ann:/ann:retention=7d")
    bench.put("ann/a", "ann/b/c")
    planned = bench.run(8, is_dry=True)
    assert bench.files() == ["/ann/a", "/ann/b/c"]
    assert bench.events == []
    done = bench.run(8)
    assert {str(one.path) for one in planned.expired} == {str(one.path) for one in done.expired}
    assert planned.counts == done.counts
    assert bench.files() == []


def test_one_account_can_be_chosen(bench):
    bench.accounts("ann:/ann:retention=7d", "bob:/bob:retention=7d", "eve:/eve:")
    bench.put("ann/a", "bob/b")
    assert list(bench.run(8, "bob").counts) == ["bob"]
    assert bench.files() == ["/ann/a"]
    with pytest.raises(CannotRun, match="'eve' has no retention"):
        bench.run(8, "eve")
    with pytest.raises(CannotRun, match="there is no account 'kim'"):
        bench.run(8, "kim")


def test_locked_and_expired_accounts_are_cleaned_too(bench):
    bench.accounts("ann:/ann:retention=7d,disabled", "bob:/bob:retention=7d,expires=2020-01-01")
    bench.put("ann/a", "bob/b")
    bench.run(8)
    assert bench.files() == []


def test_accounts_of_drop_boxes_are_cleaned_too(bench):
    bench.accounts("ann:/ann:retention=7d")
    bench.passwd.write_text(bench.passwd.read_text().replace(":full:", ":upload-only:"))
    bench.put("ann/a")
    bench.run(8)
    assert bench.files() == []


def test_retention_can_be_that_of_a_group(bench):
    bench.accounts("ann:/ann:group=short", "bob:/bob:group=short,retention=none")
    group = "@short:*:::retention=7d\n"
    bench.passwd.write_text(bench.passwd.read_text() + group)
    bench.put("ann/a", "bob/b")
    bench.run(8)
    assert bench.files() == ["/bob/b"]


class TestAge:
    def test_a_time_that_a_client_has_set_does_not_make_a_file_old(self, bench):
        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a")
        os.utime(bench.root / "ann/a", (1, 1))
        assert bench.run(6).expired == []
        assert len(bench.run(8).expired) == 1

    def test_a_time_in_the_future_keeps_it(self, bench):
        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a")
        os.utime(bench.root / "ann/a", (4e9, 4e9))
        assert bench.run(1000).expired == []

    def test_files_in_memory_have_the_time_of_their_creation(self, bench):
        from ftpservice.storage.interfaces import ISetTimes
        from ftpservice.testing.contract.case import create_file

        bench.accounts("ann:memory;;:retention=7d")
        storage = bench.storage()
        bench.result(create_file(storage, "/a", b"abc"))
        bench.result(ISetTimes(storage).set_times(bench.path("/a"), modified=1.0))
        assert bench.run(6).expired == []
        assert [str(one.path) for one in bench.run(8).expired] == ["/a"]

    def test_a_clock_that_goes_back_deletes_nothing(self, bench):
        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a")
        assert bench.run(-10_000).expired == []


class TestSharedFiles:
    def test_the_account_that_keeps_longest_decides(self, bench):
        bench.accounts("ann:/team:retention=7d", "bob:/team:retention=30d")
        bench.put("team/a")
        result = bench.run(8)
        assert (result.expired, result.counts["ann"].kept_by_others) == ([], 1)
        bench.run(31)
        assert bench.files() == []
        assert [event.rule for event in bench.events] == ["30d of 'bob'"]

    def test_a_dry_run_counts_a_file_once_with_the_rule_that_would_delete_it(self, bench):
        bench.accounts(
            "ann:/team:retention=7d", "bob:/team:retention=30d", "cay:/team:retention=30d"
        )
        bench.put("team/a", "team/sub/b", size=3)
        bench.run_of.with_directories = True
        planned = bench.run(31, is_dry=True)
        shown = [(one.account, str(one.path), one.rule_text) for one in planned.expired]
        assert sorted(shown) == [("ann", "/a", "30d of 'bob'"), ("ann", "/sub/b", "30d of 'bob'")]
        assert (planned.total("files"), planned.total("bytes")) == (2, 6)
        [only] = bench.run(31, "cay", is_dry=True).expired[:1]
        assert (only.account, only.rule_text) == ("cay", "30d")
        done = bench.run(31)
        assert {name: counts.files for name, counts in done.counts.items()} == {
            name: counts.files for name, counts in planned.counts.items()
        }

    def test_a_dry_run_lists_an_empty_directory_once(self, bench):
        bench.accounts("ann:/team:retention=7d", "bob:/team:retention=30d")
        bench.put("team/a")
        (bench.root / "team/empty").mkdir()
        bench.run_of.with_directories = True
        planned = bench.run(31, is_dry=True)
        assert [str(one.path) for one in planned.expired if one.is_directory] == ["/empty"]
        assert planned.total("directories") == 1

    @pytest.mark.parametrize("keeper", ["keep", "/other: 1d", "*.tmp: 1d", "/ann: keep; 1d"])
    def test_an_account_above_keeps_what_no_rule_of_it_names(self, bench, keeper):
        bench.accounts("ann:/ann:retention=7d", f"boss:/:retention={keeper}")
        bench.put("ann/a")
        bench.run(5000)
        assert bench.files() == ["/ann/a"]

    def test_one_below_keeps_its_own_files(self, bench):
        bench.accounts("team:/team:retention=7d", "ann:/team/ann:retention=keep")
        bench.put("team/a", "team/ann/a")
        bench.run(8)
        assert bench.files() == ["/team/ann/a"]

    def test_an_account_without_retention_has_no_say(self, bench):
        bench.accounts("ann:/ann:retention=7d", "boss:/:")
        bench.put("ann/a")
        bench.run(8)
        assert bench.files() == []

    def test_a_mount_of_another_account_counts(self, bench):
        bench.accounts(
            "ann:/ann:retention=7d", "bob:/bob:retention=keep,mount=/anns=/ann,read-only"
        )
        bench.put("ann/a", "bob/b")
        bench.run(8)
        assert bench.files() == ["/ann/a", "/bob/b"]

    def test_but_not_what_it_hides(self, bench):
        bench.accounts("ann:/ann:retention=7d", "bob:/:retention=keep,mount=/ann=/else")
        bench.put("ann/a", "else/b")
        bench.run(8)
        assert bench.files() == ["/else/b"]

    def test_a_root_that_is_a_link_is_the_same_place(self, bench):
        bench.accounts("ann:/ann:retention=7d", "bob:/bob:retention=keep")
        bench.put("ann/a")
        os.symlink("ann", bench.root / "bob")
        bench.run(8)
        assert bench.files() == ["/ann/a", "/bob"]

    def test_a_storage_string_of_the_same_directory_is_the_same_place(self, bench):
        bench.accounts("ann:/ann:retention=7d", f"bob:local;;{bench.root}/ann:retention=keep")
        bench.put("ann/a")
        bench.run(8)
        assert bench.files() == ["/ann/a"]

    def test_accounts_with_the_same_files_and_rules_are_one(self, bench):
        bench.accounts("ann:/team:retention=7d", "bob:/team:retention=7d")
        bench.put("team/a")
        assert list(bench.run(8).counts) == ["ann"]

    def test_an_account_that_cannot_be_opened_keeps_by_the_name_of_its_root(
        self, bench, monkeypatch
    ):
        bench.accounts("ann:/ann:retention=7d", f"bob:local;;{bench.root}/ann/gone:retention=keep")
        bench.put("ann/a", "ann/gone/b")

        def failing(text):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(bench.realm, "_open_source", failing)
        result = bench.run(8)
        assert bench.files() == ["/ann/gone/b"]
        assert result.counts["bob"].failed == 1


class TestUnknownAccounts:
    """An account that is not known may keep what others would delete."""

    def test_with_a_line_that_cannot_be_used_nothing_is_deleted(self, bench):
        bench.accounts("ann:/ann:retention=7d", "bob:/ann:retention=forever")
        bench.put("ann/a")
        with pytest.raises(CannotRun, match=r"line 2.*expected hours"):
            bench.run(8)
        assert bench.files() == ["/ann/a"]

    def test_nor_with_an_account_whose_group_is_missing(self, bench):
        bench.accounts("ann:/ann:retention=7d", "bob:/ann:group=ghost,retention=keep")
        bench.put("ann/a")
        with pytest.raises(CannotRun, match="account 'bob': the group 'ghost' does not exist"):
            bench.run(8)
        assert bench.files() == ["/ann/a"]

    def test_nor_if_the_place_of_an_account_is_not_known(self, bench, monkeypatch):
        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a")

        async def failing(_owner, _top):
            raise Unavailable(bench.path("/"), "EIO")

        monkeypatch.setattr(bench.source, "storage", failing)
        with pytest.raises(CannotRun, match="files of 'ann' are not known"):
            bench.run(8)

    @pytest.mark.parametrize("root", ["/shared", "local;;{files}/shared"])
    def test_a_root_that_vanishes_for_a_moment_keeps_its_files(self, bench, monkeypatch, root):
        """While the plan is made; its owner keeps them by the name of the root."""
        bench.accounts(
            "ann:/shared:retention=1d", f"bob:{root.format(files=bench.root)}:retention=keep"
        )
        bench.put("shared/old")
        opened, away = retention_run.open_account_files, bench.root / "away"
        seen = []

        async def vanishing(realm, record):
            if record.name != "bob" or seen:
                return await opened(realm, record)
            (bench.root / "shared").rename(away)
            try:
                files = await opened(realm, record)
            finally:
                away.rename(bench.root / "shared")
            seen.append(files.storage)
            return files

        monkeypatch.setattr(retention_run, "open_account_files", vanishing)
        result = bench.run(days=2)
        assert seen == [None]
        assert bench.files() == ["/shared/old"]
        assert result.counts["ann"].kept_by_others == 1

    def test_a_root_that_vanishes_for_good_is_no_reason_to_stop(self, bench, monkeypatch):
        bench.accounts("ann:/ann:retention=1d", "bob:/bob:retention=1d")
        bench.put("ann/old", "bob/old")
        opened = retention_run.open_account_files

        async def vanishing(realm, record):
            if record.name == "bob" and (bench.root / "bob").exists():
                shutil.rmtree(bench.root / "bob")
            return await opened(realm, record)

        monkeypatch.setattr(retention_run, "open_account_files", vanishing)
        result = bench.run(days=2)
        assert bench.files() == []
        assert (result.counts["ann"].files, result.total("failed")) == (1, 0)
        assert not (bench.root / "bob").exists()


class TestManyAccounts:
    def test_each_account_is_a_turn_of_its_own_where_all_share_a_directory(
        self, bench, monkeypatch
    ):
        many = 1000
        bench.accounts(*(f"a{number}:/shared:retention=1d" for number in range(many)))
        bench.put("shared/old")
        turns, seen = [], []
        call_later, opened = bench.clock.callLater, retention_run.open_account_files
        monkeypatch.setattr(
            bench.clock, "callLater", lambda *call: turns.append(1) or call_later(*call)
        )

        async def counted(realm, record):
            seen.append(len(turns))
            return await opened(realm, record)

        monkeypatch.setattr(retention_run, "open_account_files", counted)
        result = bench.run(days=2)
        assert result.total("files") == 1
        assert len(seen) == 2 * many  # for the plan, and to look which files are done already
        assert len(set(seen)) == len(seen)  # the reactor has done other things between any two
        assert bench.clock.seconds() >= len(seen) * retention_run.ACCOUNT_SECONDS * 0.9


class TestWhatIsNeverTouched:
    def test_links_and_what_they_lead_to(self, bench, tmp_path):
        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a", "bob/precious")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/file").write_bytes(b"precious")
        os.symlink("/etc/passwd", bench.root / "ann/file-link")
        os.symlink(tmp_path / "outside", bench.root / "ann/out")
        os.symlink("../bob", bench.root / "ann/bob")
        os.mkfifo(bench.root / "ann/fifo")
        bench.run(8)
        assert bench.files() == [
            "/ann/bob",
            "/ann/fifo",
            "/ann/file-link",
            "/ann/out",
            "/bob/precious",
        ]
        assert (tmp_path / "outside/file").exists()

    def test_partial_uploads(self, bench):
        bench.accounts("ann:/ann:retention=7d")
        hidden = ".ftpservice." + "0" * 32 + ".part"
        bench.put(f"ann/{hidden}")
        bench.run(8)
        assert bench.files() == [f"/ann/{hidden}"]

    def test_mounts_that_are_read_only(self, bench):
        bench.accounts("ann:/ann:retention=7d,mount=/ro=/ro,read-only,mount=/rw=/rw")
        bench.put("ann/a", "ro/b", "rw/c")
        result = bench.run(8)
        assert bench.files() == ["/ro/b"]
        assert result.counts["ann"].failed == 0

    def test_directories_of_accounts_that_have_never_logged_in_are_not_created(self, bench):
        bench.accounts("ann:/ann:retention=7d,mount=/m=/none")
        bench.run(8)
        assert list(bench.root.iterdir()) == []
        bench.put("ann/a")
        bench.run(8)
        assert bench.files() == []
        assert [path.name for path in bench.root.iterdir()] == ["ann"]


class TestErrors:
    def test_one_file_does_not_keep_the_others(self, bench, monkeypatch):
        bench.accounts("ann:/ann:retention=7d", "bob:/bob:retention=7d")
        bench.put("ann/a", "ann/b", "ann/c", "bob/d")
        real = os.rename

        def failing(source, *words, **more):
            if source == b"b":
                raise OSError(5, "Input/output error")
            real(source, *words, **more)

        monkeypatch.setattr(os, "rename", failing)
        result = bench.run(8)
        assert bench.files() == ["/ann/b"]
        assert (result.counts["ann"].files, result.counts["ann"].failed) == (2, 1)
        assert result.counts["bob"].failed == 0

    def test_a_storage_that_cannot_remove_what_is_unchanged_is_left_alone(self, bench, monkeypatch):
        from ftpservice.backends.memory import storage
        from ftpservice.storage.conditional_removal import IConditionalRemoval

        bench.accounts("ann:memory;;:retention=7d", "bob:/bob:retention=7d")
        bench.put("bob/b")
        monkeypatch.delitem(storage.CAPABILITIES, IConditionalRemoval)
        bench.realm.quotas = None
        result = bench.run(8)
        assert (result.counts["ann"].failed, result.counts["bob"].files) == (1, 1)

    def test_a_mount_that_is_down_does_not_keep_the_rest(self, bench):
        bench.accounts(f"ann:/ann:retention=7d,mount=/m=local:{bench.folder}/gone")
        bench.put("ann/a")
        result = bench.run(8)
        assert bench.files() == []
        assert result.counts["ann"].failed == 1


class TestEmptyDirectories:
    @pytest.fixture
    def bench(self, bench):
        bench.run_of.with_directories = True
        return bench

    def directories(self, bench):
        found = (path for path in bench.root.rglob("*") if path.is_dir())
        return sorted("/" + str(path.relative_to(bench.root)) for path in found)

    def test_they_go_when_they_are_old_themselves(self, bench):
        bench.accounts("ann:/ann:retention=7d; /in/new: 7d; /keep: keep,mount=/m/x=/mounted")
        bench.put("ann/full/young")
        for name in ("empty/in", "in/new", "keep/it", "m/x"):
            (bench.root / "ann" / name).mkdir(parents=True)
        (bench.root / "mounted").mkdir()
        planned = bench.run(8, is_dry=True)
        assert [str(one.path) for one in planned.expired if one.is_directory] == ["/empty/in"]
        result = bench.run(8)
        assert result.counts["ann"].directories == 1
        assert "/ann/empty" in self.directories(bench), "it has changed only now"
        assert self.directories(bench) == [
            *("/ann", "/ann/empty", "/ann/full", "/ann/in", "/ann/in/new"),
            *("/ann/keep", "/ann/keep/it", "/ann/m", "/ann/m/x", "/mounted"),
        ]

    def test_roots_of_other_accounts_stay(self, bench):
        bench.accounts("team:/team:retention=7d", "ann:/team/a/ann:", "bob:/team/b:disabled")
        for name in ("team/a/ann", "team/b", "team/c"):
            (bench.root / name).mkdir(parents=True)
        bench.run(8)
        assert self.directories(bench) == ["/team", "/team/a", "/team/a/ann", "/team/b"]

    def test_they_stay_without_the_setting(self, bench):
        bench.run_of.with_directories = False
        bench.accounts("ann:/ann:retention=7d")
        (bench.root / "ann/empty").mkdir(parents=True)
        bench.run(8)
        assert self.directories(bench) == ["/ann", "/ann/empty"]


class TestQuotas:
    def use(self, bench, name):
        return bench.result(bench.realm.quota_of(name))

    def test_what_is_deleted_is_charged_to_all_ledgers(self, bench):
        bench.accounts("ann:/team/ann:retention=7d,quota=10k", "team:/team:quota=20k,quota-files=9")
        bench.put("team/ann/a", "team/ann/b", "team/c", size=100)
        sessions = [bench.storage("ann"), bench.storage("team")]
        before = [self.use(bench, name)[:2] for name in ("ann", "team")]
        assert before == [(200, 2), (300, 4)]
        counted = [tree.counts.ended for tree in bench.realm.quotas.trees.values()]
        bench.run(8)
        assert [self.use(bench, name)[:2] for name in ("ann", "team")] == [(0, 0), (100, 2)]
        assert [tree.counts.ended for tree in bench.realm.quotas.trees.values()] == counted, (
            "no count"
        )
        assert len(sessions) == 2

    def test_no_tree_is_counted_for_it(self, bench):
        bench.accounts("ann:/ann:retention=7d,quota=10k")
        bench.put("ann/a")
        bench.run(8)
        assert bench.realm.quotas.trees == {}
        assert bench.files() == []


class TestStop:
    def test_a_run_that_is_stopping_begins_no_further_deletion(self, bench):
        bench.accounts("ann:/ann:retention=7d", "bob:/bob:retention=7d")
        bench.put("ann/a", "ann/b", "bob/c")
        bench.events = None

        def stop(_event):
            bench.run_of.is_stopping = True

        bench.run_of._publish = stop
        result = bench.run(8)
        assert result.total("files") == 1
        assert len(bench.files()) == 2

    def test_a_deletion_is_counted_and_published_if_the_run_is_cancelled(self, bench):
        from twisted.internet.defer import CancelledError

        from ftpservice.concurrency.task import Task

        bench.accounts("ann:/ann:retention=7d")
        bench.put("ann/a", "ann/b")
        real = bench.pool.run

        def holding(function, *words, **more):
            if "remove_unchanged" in str(words):
                bench.pool.held = bench.pool.begun = True
            return real(function, *words, **more)

        bench.pool.run = holding
        bench.days = 8
        task = Task(bench.run_of.run())
        while not bench.pool.held:
            bench.clock.advance(0.05)
        task.cancel()
        failed = []
        task.done.addErrback(failed.append)
        assert failed[0].check(CancelledError)
        assert len(bench.files()) == 1
        assert bench.events == []
        bench.pool.held = False
        bench.pool.release()
        assert len(bench.events) == 1


def test_a_long_list_is_cut(bench, monkeypatch):
    monkeypatch.setattr("ftpservice.retention.retention_run.MAX_LISTED", 2)
    bench.accounts("ann:/ann:retention=7d")
    bench.put(*(f"ann/{number}" for number in range(5)))
    result = bench.run(8, is_dry=True)
    assert (len(result.expired), result.omitted, result.total("files")) == (2, 3, 5)
