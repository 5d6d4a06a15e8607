"""Commands as hooks and gates."""

import json
import os
import shlex

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.logger import globalLogPublisher

from ftpservice.activity.hooks import command_hook
from ftpservice.activity.hooks.command_hook import CommandGate, CommandHook, GateFailed
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.backends.memory.writing import MemoryHeldFile
from ftpservice.concurrency.task import Task
from ftpservice.storage.gates import GateAnswer, GateRequest
from tests.support.open_resources import nothing_left, until

REQUEST = GateRequest("delete", "i", 1.0, "ann", path="/a")


def settings(script, **options):
    return HookSettings("h", ("upload",), command=("/bin/sh", "-c", script), **options)


async def answer(script, held=None, **options):
    async with nothing_left():
        gate = CommandGate(settings(script, **options), reactor)
        try:
            if held is not None:
                return await gate.check_upload(REQUEST, held)
            return await gate.check_delete(REQUEST)
        finally:
            await gate.stop()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", GateAnswer(True)),
        ("echo fine", GateAnswer(True)),
        ("echo no way; echo more; exit 1", GateAnswer(False, "no way")),
        ("exit 1", GateAnswer(False)),
        ('echo \'{"name": "b"}\'', GateAnswer(True, name="b")),
        ('echo \'{"name": "b", "unique": true}\'', GateAnswer(True, name="b", is_unique=True)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_exit_status_is_the_answer(script, expected):
    assert await answer(script) == expected


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo oh >&2; exit 2", "exit status 2: oh"),
        ("kill -9 $$", "signal 9"),
        ("echo '{'", "not JSON"),
        ("echo '{\"name\": 1}'", "has no name"),
        ("sleep 600", "ended by its time limit"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_anything_else_is_a_failure(script, reason):
    with pytest.raises(GateFailed, match=reason):
        await answer(script, time_limit=0.3 if "sleep" in script else 20.0)


@pytest_twisted.ensureDeferred
async def test_an_upload_in_memory_is_read_by_the_name_of_a_file():
    held = MemoryHeldFile(b"content" * 300_000)
    found = await answer('wc -c < "$FTPSERVICE_FILE"; exit 1', held)
    assert found == GateAnswer(False, "2100000")


@pytest_twisted.ensureDeferred
async def test_a_question_that_is_cancelled_ends_its_command(tmp_path):
    async with nothing_left():
        gate = CommandGate(
            settings(f"touch {tmp_path}/begun; sleep 600", time_limit=600.0), reactor
        )
        asking = Task(gate.check_upload(REQUEST, MemoryHeldFile(b"x"))).done
        waiting = Task(gate.check_upload(REQUEST, MemoryHeldFile(b"x"))).done
        await until((tmp_path / "begun").exists, str)
        for one in (asking, waiting):
            one.cancel()
            with pytest.raises(CancelledError):
                await one
        await gate.stop()


@pytest.fixture
def lines():
    found = []

    def note(event):
        if event.get("log_namespace") == "ftpservice.hooks":
            found.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(note)
    yield found
    globalLogPublisher.removeObserver(note)


@pytest_twisted.ensureDeferred
async def test_a_hook_gets_each_event_as_json(lines, tmp_path):
    hook = CommandHook(
        settings(f"cat > {shlex.quote(str(tmp_path))}/$FTPSERVICE_ID; echo done"), reactor
    )
    documents = [{"id": f"e{number}", "event": "upload", "path": "/ä\udce9"} for number in range(5)]
    for document in documents:
        hook.deliver(None, document)
    await until(lambda: len(lines) == 5, lambda: lines)
    await hook.stop()
    assert [json.loads((tmp_path / f"e{number}").read_text()) for number in range(5)] == documents
    assert lines == ["the hook h: done"] * 5


@pytest_twisted.ensureDeferred
async def test_failures_are_logged_with_what_the_command_said(lines):
    hook = CommandHook(settings("echo oh >&2; exit 3"), reactor)
    hook.deliver(None, {"id": "e"})
    await until(lambda: lines, lambda: lines)
    await hook.stop()
    assert lines == ["the hook h failed: exit status 3: oh"]


@pytest_twisted.ensureDeferred
async def test_events_beyond_the_queue_are_dropped_and_counted(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(command_hook, "STOP_SECONDS", 0.05)
    os.mkfifo(tmp_path / "go")
    script = f"read x < {tmp_path}/go"
    hook = CommandHook(settings(script, max_running=1, max_waiting=1), reactor)
    for number in range(4):
        hook.deliver(None, {"id": str(number)})
    assert lines == ["the hook h is too slow: events are dropped"]
    await hook.stop()
    missed = [int(line.split()[-2]) for line in lines if "has missed" in line]
    assert sum(missed) == 4


@pytest_twisted.ensureDeferred
async def test_the_end_waits_a_little_for_what_runs(lines, tmp_path):
    async with nothing_left():
        hook = CommandHook(settings(f"echo >> {tmp_path}/told", max_running=1), reactor)
        for number in range(3):
            hook.deliver(None, {"id": str(number)})
        await hook.stop()
    assert (tmp_path / "told").read_text() == "\n" * 3
    assert lines == []


@pytest_twisted.ensureDeferred
async def test_what_became_of_events_is_counted_and_told(tmp_path):
    runs = []
    async with nothing_left():
        hook = CommandHook(settings("grep -q good", max_running=1, max_waiting=1), reactor)
        hook.record.listener = runs.append
        document = {"event": "upload", "session": "s-1", "transfer": "s-1-2"}
        for word in ("good", "bad", "good"):
            hook.deliver(None, document | {"id": word})
        assert hook.pending == 2
        await until(lambda: len(runs) == 2, lambda: runs)
        assert hook.pending == 0
        await hook.stop()
    assert hook.record.counts == {"delivered": 1, "failed": 1, "dropped": 1}
    assert [(run[:5], run.outcome) for run in runs] == [
        (("hook", "h", "upload", "s-1", "s-1-2"), "delivered"),
        (("hook", "h", "upload", "s-1", "s-1-2"), "failed"),
    ]
    assert hook.record.seconds == sum(run.seconds for run in runs) > 0


@pytest_twisted.ensureDeferred
async def test_what_runs_and_waits_ends_normally_when_a_hook_is_retired(lines, tmp_path):
    async with nothing_left():
        script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; cat >> {tmp_path}/told"
        hook = CommandHook(settings(script, max_running=1), reactor)
        for number in range(3):
            hook.deliver(None, {"id": str(number)})
        ending = hook.retire()
        assert not ending.called
        (tmp_path / "go").touch()
        await ending
        told = [json.loads(line)["id"] for line in (tmp_path / "told").read_text().splitlines()]
        assert told == ["0", "1", "2"]
        assert lines == []


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_service_ends_a_hook_that_is_retired(lines, monkeypatch):
    monkeypatch.setattr(command_hook, "STOP_SECONDS", 0.05)
    async with nothing_left():
        hook = CommandHook(settings("sleep 60"), reactor)
        hook.deliver(None, {"id": "a"})
        ending = hook.retire()
        hook.hurry()
        await ending
        assert lines[-1] == "the hook h has missed 1 event"
