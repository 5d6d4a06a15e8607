"""The ``local:`` source: what it serves, who shares what, sweeping, the end."""

import errno
import gc
import os
import time

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from ftpservice.backends.local import partial_search
from ftpservice.backends.local import source as local
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    partial_size,
    path_at,
    read_file,
)
from ftpservice.wire.paths import ROOT
from tests.support.local_source import Bench, run

DAY = 86_400


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def no_collector():
    """Have no garbage collected during the test."""
    gc.disable()
    yield
    gc.enable()


class TestRoot:
    def test_it_is_a_source_and_says_so(self, bench):
        verifyObject(IStorageSource, bench.source)
        assert bench.source.describe() == f"local:{bench.root}"

    @pytest.mark.parametrize("name", ["none", "file", "locked"])
    def test_a_root_that_cannot_be_served_is_an_error_of_one_line(self, bench, monkeypatch, name):
        (bench.root / "file").touch()
        (bench.root / "locked").mkdir()
        monkeypatch.setattr(os, "access", lambda *args, **rest: False)
        with pytest.raises(OSError) as caught:
            LocalSource(str(bench.root / name), Clock(), InlineRunner())
        text = str(caught.value)
        assert text.startswith(f"{bench.root}/{name}: ")
        assert "\n" not in text

    def test_a_root_must_be_named(self):
        with pytest.raises(ValueError, match="local:/srv/ftp"):
            LocalSource("", Clock(), InlineRunner())

    def test_partials_must_be_kept_for_some_time(self, bench):
        with pytest.raises(ValueError, match="0 seconds"):
            LocalSource(str(bench.root), Clock(), InlineRunner(), partial_age=0)

    def test_a_root_that_goes_and_comes_back_is_served_again(self, bench):
        run(create_file(bench.storage, "/file", b"x"))
        bench.root.rename(bench.outside / "moved")
        with pytest.raises(errors.PathNotFound):
            bench.owned_by("one")
        bench.root.mkdir()
        with pytest.raises(errors.PathNotFound):
            run(bench.owned_by("one").stat(path_at("/file")))


class TestAccounts:
    def test_a_place_is_made_if_it_is_missing(self, bench):
        storage = bench.owned_by("one", path_at("/home/one"))
        run(create_file(storage, "/file", b"x"))
        assert (bench.root / "home" / "one" / "file").read_bytes() == b"x"
        assert (bench.root / "home").stat().st_mode & 0o777 == 0o755
        again = bench.owned_by("two", path_at("/home/two"))
        with pytest.raises(errors.PathNotFound):
            run(again.stat(path_at("/file")))

    def test_a_place_that_is_a_file_is_refused(self, bench):
        (bench.root / "file").touch()
        for top in ("/file", "/file/below"):
            with pytest.raises(errors.NotDirectory):
                bench.owned_by("one", path_at(top))

    def test_a_place_behind_a_link_inside_is_found(self, bench):
        (bench.root / "real").mkdir()
        (bench.root / "link").symlink_to(bench.root / "real")
        run(create_file(bench.owned_by("one", path_at("/link/new")), "/file", b"x"))
        assert (bench.root / "real" / "new" / "file").exists()

    def test_sessions_in_one_place_share_its_descriptor(self, bench):
        one, two = (bench.owned_by(name, path_at("/home")) for name in ("one", "two"))
        assert one._tree is two._tree
        assert len(bench.open_descriptors()) == 1
        del one, two
        assert bench.open_descriptors() == []

    def test_a_place_that_is_removed_is_not_found(self, bench):
        storage = bench.owned_by("one", path_at("/home"))
        run(bench.storage.remove_directory(path_at("/home")))
        for ask in (storage.stat(path_at("/file")), begin_upload(storage, "/file", b"x")):
            with pytest.raises(errors.PathNotFound):
                run(ask)


def aged(bench, name, age):
    """Leave a partial that was last written so many seconds ago."""
    before = set(bench.root.rglob(".ftpservice.*"))
    run(run(begin_upload(bench.storage, name, b"half")).abandon())
    [made] = set(bench.root.rglob(".ftpservice.*")) - before
    os.utime(made, (time.time() - age,) * 2)


class TestSweeping:
    def test_partials_whose_time_is_over_are_removed_wherever_they_are(self, bench, monkeypatch):
        monkeypatch.setattr(partial_search.PartialWalk, "entries_per_turn", 2)
        for top in ("/a", "/a/b", "/c"):
            run(bench.storage.make_directory(path_at(top)))
        (bench.root / "c" / "loop").symlink_to(bench.root)
        (bench.outside / f".ftpservice.{'0' * 32}.part").touch()
        os.utime(bench.outside / f".ftpservice.{'0' * 32}.part", (0, 0))
        (bench.root / "out").symlink_to(bench.outside)
        (bench.root / ".ftpservice.other").touch()
        os.utime(bench.root / ".ftpservice.other", (0, 0))
        aged(bench, "/old", 8 * DAY)
        aged(bench, "/a/b/old", 8 * DAY)
        aged(bench, "/c/new", 6 * DAY)
        assert run(bench.source.sweep()) == 2
        assert run(partial_size(bench.storage, "/c/new")) == 4
        assert len(bench.hidden()) == 2
        assert len(list(bench.outside.iterdir())) == 1

    def test_nothing_stays_open_until_garbage_is_collected(self, bench, no_collector):
        aged(bench, "/old", 8 * DAY)
        before = os.listdir("/proc/self/fd")
        assert run(bench.source.sweep()) == 1
        assert os.listdir("/proc/self/fd") == before

    def test_partials_under_way_are_not_removed(self, bench):
        writing = run(begin_upload(bench.storage, "/file", b"slow"))
        os.utime(bench.root / bench.hidden()[0], (0, 0))
        assert run(bench.source.sweep()) == 0
        run(writing.commit())
        assert run(read_file(bench.storage, "/file")) == b"slow"

    def test_what_is_no_file_or_goes_meanwhile_is_left(self, bench, monkeypatch):
        os.mkfifo(bench.root / f".ftpservice.{'0' * 32}.part")
        os.utime(bench.root / f".ftpservice.{'0' * 32}.part", (0, 0))
        (bench.root / f".ftpservice.{'1' * 32}.part").symlink_to("none")
        assert run(bench.source.sweep()) == 0
        aged(bench, "/old", 8 * DAY)
        monkeypatch.setattr(
            "ftpservice.backends.local.partials.partial_file._named", lambda *args: None
        )
        assert run(bench.source.sweep()) == 0

        def gone(*args, **kwargs):
            raise FileNotFoundError(errno.ENOENT, "gone")

        monkeypatch.undo()
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", gone)
            assert run(bench.source.sweep()) == 0
        assert run(bench.source.sweep()) == 1

    def test_directories_that_cannot_be_read_are_passed_by(self, bench, monkeypatch):
        run(bench.storage.make_directory(path_at("/dir")))
        aged(bench, "/old", 8 * DAY)
        opening = DirectoryTree.open

        def refuse(self, path, flags):
            if path == path_at("/dir"):
                raise PermissionError(errno.EACCES, "no")
            return opening(self, path, flags)

        monkeypatch.setattr(DirectoryTree, "open", refuse)
        assert run(bench.source.sweep()) == 1

    def test_it_happens_once_the_reactor_runs_and_every_hour(self, bench):
        aged(bench, "/old", 8 * DAY)
        assert bench.hidden()
        bench.clock.advance(0)
        assert not bench.hidden()
        aged(bench, "/old", 8 * DAY)
        bench.clock.advance(local.SWEEP_INTERVAL_SECONDS - 1)
        assert bench.hidden()
        bench.clock.advance(1)
        assert not bench.hidden()

    def test_a_failure_is_logged_and_tried_again(self, bench):
        logged = []
        globalLogPublisher.addObserver(logged.append)
        try:
            bench.root.rename(bench.outside / "moved")
            bench.clock.advance(0)
        finally:
            globalLogPublisher.removeObserver(logged.append)
        assert [event["log_failure"].type for event in logged] == [errors.PathNotFound]
        (bench.outside / "moved").rename(bench.root)
        aged(bench, "/old", 8 * DAY)
        bench.clock.advance(local.SWEEP_INTERVAL_SECONDS)
        assert not bench.hidden()

    @pytest.mark.parametrize("begun", [False, True])
    def test_stopping_ends_it(self, bench, begun):
        bench.pool.held = True
        if begun:
            bench.clock.advance(0)
        run(bench.source.stop())
        bench.let_all_go()
        assert bench.clock.getDelayedCalls() == []


class TestEnd:
    def test_a_pool_that_was_given_is_left_alone(self, bench):
        run(bench.source.stop())
        assert run(bench.storage.stat(ROOT)).name == ""

    @pytest_twisted.ensureDeferred
    async def test_its_own_pool_is_stopped(self, bench):
        source = LocalSource(str(bench.root), reactor)
        storage = await source.storage("one", ROOT)
        assert (await storage.stat(ROOT)).name == ""
        await source.stop()
        with pytest.raises(errors.Unavailable):
            await storage.stat(ROOT)

    @pytest_twisted.ensureDeferred
    async def test_stopping_in_the_middle_of_a_sweep_waits_for_its_thread(self, bench):
        source = LocalSource(str(bench.root), reactor)
        swept = Deferred.fromCoroutine(source.sweep())
        swept.addErrback(lambda failure: failure.trap(errors.Unavailable))
        await source.stop()
        await swept
        await deferLater(reactor, 0)  # the reactor forgets the calls from threads it has done
        assert bench.open_descriptors() == []
