"""Blocking calls into the reactor, each in a process of its own: every one of them ends."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.support.service_process import PATIENCE, checkout_environment

HEAD = """
import asyncio, atexit, os, sys, threading, time
from twisted.internet.defer import Deferred, succeed
from ftpservice.concurrency.reactor_thread import ReactorThread

call = ReactorThread.shared.call

begun = threading.Event()

def never(name):
    def begin(reactor):
        begun.set()
        return Deferred(lambda it: print("cancelled", name, flush=True))
    return begin

def refused(work):
    try:
        print(work())
    except RuntimeError as error:
        print(error, flush=True)
"""


def started(text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-Werror", "-c", HEAD + text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=checkout_environment(),
    )


def output(text: str) -> list[str]:
    """Return the lines that a script prints; it ends by itself, without an error."""
    with started(text) as process:
        out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (0, "")
    return out.splitlines()


def test_the_process_waits_for_threads_that_are_no_daemons() -> None:
    text = """
def work():
    time.sleep(0.3)
    print(call(lambda reactor: succeed("after the main thread")))
call(lambda reactor: None)
threading.Thread(target=work).start()
"""
    assert output(text) == ["after the main thread"]


def test_at_the_end_calls_of_daemon_threads_are_cancelled() -> None:
    text = """
def work():
    try:
        call(never("one"))
    except Exception:
        time.sleep(60)
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""
    assert output(text) == ["cancelled one"]


def test_a_call_at_exit_is_refused() -> None:
    text = """
call(lambda reactor: None)
atexit.register(refused, lambda: call(succeed))
"""
    [line] = output(text)
    assert "the process is ending" in line


def test_a_stopped_reactor_ends_and_refuses_calls() -> None:
    text = """
def stop():
    begun.wait()
    call(lambda reactor: reactor.callLater(0, reactor.stop))
threading.Thread(target=stop).start()
try:
    call(never("waiting"))
except Exception as error:
    print(type(error).__name__)
time.sleep(0.2)
refused(lambda: call(succeed))
"""
    cancelled, kind, line = output(text)
    assert (cancelled, kind) == ("cancelled waiting", "CancelledError")
    assert "the reactor has stopped" in line


def test_a_reactor_that_has_run_is_refused() -> None:
    text = """
from twisted.internet import reactor
reactor.callWhenRunning(reactor.stop)
reactor.run()
refused(lambda: call(succeed))
"""
    [line] = output(text)
    assert "cannot be started" in line


def test_a_reactor_that_cannot_run_in_a_thread_is_refused() -> None:
    text = """
async def main():
    from twisted.internet import asyncioreactor
    asyncioreactor.install(asyncio.get_running_loop())
    refused(lambda: call(never("x")))
asyncio.run(main())
"""
    assert "This event loop is already running" in output(text)[-1]


def test_a_running_asyncio_loop_does_not_matter() -> None:
    text = """
async def main():
    print(call(lambda reactor: succeed(1)))
    print(await asyncio.to_thread(call, lambda reactor: succeed(2)))
asyncio.run(main())
"""
    assert output(text) == ["1", "2"]


def test_a_forked_child_is_refused() -> None:
    text = """
call(lambda reactor: None)
child = os.fork()
if not child:
    refused(lambda: call(succeed))
    os._exit(0)
os.waitpid(child, 0)
print(call(lambda reactor: "the parent goes on"))
"""
    refusal, last = output(text)
    assert "was forked" in refusal
    assert "spawn" in refusal
    assert last == "the parent goes on"


def test_a_child_forked_before_the_first_call_has_a_reactor() -> None:
    text = """
child = os.fork()
os.write(1, call(lambda reactor: b"runs\\n"))
if child:
    os.waitpid(child, 0)
"""
    assert output(text) == ["runs", "runs"]


def test_an_interrupt_cancels_the_call() -> None:
    text = """
try:
    threading.Thread(target=lambda: begun.wait() and print("ready", flush=True)).start()
    call(never("it"))
except KeyboardInterrupt:
    print("interrupted")
print(call(lambda reactor: "another call works"))
"""
    with started(text) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=PATIENCE)
    assert out.splitlines() == ["cancelled it", "interrupted", "another call works"]
    assert error == ""


def test_a_call_from_the_reactors_own_thread_is_refused() -> None:
    assert "wait for itself" in output("refused(lambda: call(lambda _: call(succeed)))")[0]
