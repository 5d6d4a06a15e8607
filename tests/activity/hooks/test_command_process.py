"""Runs of real commands."""

import os
import threading
import time

import pytest

from ftpservice.activity.hooks import command_process
from ftpservice.activity.hooks.command_process import CommandProcess
from tests.support.process_groups import group_has_ended

ENVIRONMENT = {"PATH": os.defpath}


def run(script, given=b"", time_limit=20.0, **options):
    words = ["/bin/sh", "-c", script]
    return CommandProcess(words, ENVIRONMENT, given, time_limit, **options).run()


def test_a_command_gets_its_input_and_environment_and_nothing_else(monkeypatch):
    monkeypatch.setenv("SECRET", "of the service")
    outcome = run("cat; echo $SECRET >&2; ls /proc/self/fd | wc -l; exit 3", b"given\n")
    assert (outcome.status, outcome.errors, outcome.is_timed_out) == (3, b"\n", False)
    assert outcome.output.split() == [b"given", b"4"]  # three of its own, and that of ls
    assert outcome.reason() == "exit status 3"


def test_a_command_that_does_not_read_a_large_input_is_not_waited_for():
    assert run("exit 0", b"x" * 10_000_000).status == 0


def test_output_is_bounded():
    outcome = run("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2")
    assert {len(outcome.output), len(outcome.errors)} == {command_process.MAX_OUTPUT_BYTES}
    assert outcome.status == 0


def test_a_descriptor_is_inherited(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        assert run(f"cat /dev/fd/{descriptor}", descriptor=descriptor).output == b"content"
    finally:
        os.close(descriptor)


def ends(group):
    deadline = time.monotonic() + 10.0
    while not group_has_ended(group):
        assert time.monotonic() < deadline
    return True


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_a_command_that_takes_too_long_is_ended_with_all_its_children(monkeypatch, trap):
    monkeypatch.setattr(command_process, "KILL_SECONDS", 0.1)
    outcome = run(f"{trap} echo $$; sleep 600 & sleep 600", time_limit=0.3)
    assert outcome.is_timed_out
    assert outcome.status == (-9 if trap else -15)
    assert "ended by its time limit" in outcome.reason()
    assert ends(int(outcome.output))


def test_what_a_command_leaves_behind_is_ended():
    outcome = run("echo $$; sleep 600 &")
    assert (outcome.status, outcome.is_timed_out) == (0, False)
    assert ends(int(outcome.output))


def test_a_command_can_be_stopped_from_another_thread(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    words = ["/bin/sh", "-c", f"echo > {tmp_path}/fifo; sleep 600"]
    process = CommandProcess(words, ENVIRONMENT, b"", 600.0)
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(process.run()))
    thread.start()
    (tmp_path / "fifo").read_bytes()  # it runs
    process.stop()
    thread.join(20.0)
    assert outcomes[0].is_timed_out
    assert process.run().is_timed_out  # not begun


def test_a_command_that_cannot_be_started_raises():
    with pytest.raises(FileNotFoundError):
        CommandProcess(["/none"], ENVIRONMENT, b"", 1.0).run()
