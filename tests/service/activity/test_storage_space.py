"""The space of directories, one of which does not answer."""

from __future__ import annotations

import os

import pytest_twisted
from twisted.internet.task import Clock

from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.service.activity.storage_space import HANG_SECONDS, StorageSpace
from tests.support.open_resources import nothing_left, until


def values(space):
    return {
        (one.name, *key): value for one in space.readings() for key, value in one.values.items()
    }


@pytest_twisted.ensureDeferred
async def test_the_space_is_that_of_the_system(tmp_path, reactor):
    async with nothing_left():
        place, missing = str(tmp_path), str(tmp_path / "missing")
        space = StorageSpace([place, missing], reactor)
        space.look()
        await until(lambda: not space._asked, lambda: space._asked)
        found, state = values(space), os.statvfs(place)
        assert found["storage_size_bytes", place] == state.f_blocks * state.f_frsize
        assert 0 <= found["storage_free_bytes", place] <= found["storage_size_bytes", place]
        assert 0 <= found["storage_free_inodes", place] <= found["storage_inodes", place]
        assert found["storage_up", place] == 1
        assert {key: value for key, value in found.items() if missing in key} == {
            ("storage_up", missing): 0
        }
        await space.stop()


def test_a_directory_that_hangs_is_down_and_up_again_when_it_answers(tmp_path):
    clock, runner, place = Clock(), InlineRunner(), str(tmp_path)
    space = StorageSpace([place], clock)
    space._pool = runner
    assert ("storage_size_bytes", place) in values(space)
    runner.held = True
    assert values(space)["storage_up", place] == 1
    clock.advance(HANG_SECONDS + 1)
    assert values(space) == {("storage_up", place): 0}
    assert len(runner._ready) == 1  # it is not asked again meanwhile
    runner.held = False
    runner.release()
    assert values(space)["storage_up", place] == 1
