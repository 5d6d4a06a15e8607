"""One attempt: what is asked of the authority, and what is on the disk meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import CancelledError, Deferred

from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.service.acme.authority_error import AuthorityError
from ftpservice.service.acme.issuance import Issuance
from ftpservice.service.acme.renewal_state import RenewalState
from tests.service.acme.conftest import NAMES, URL, AcmeBench
from tests.support.scripted_authority import refused, unreachable

STATE = RenewalState(URL, NAMES)


class Attempt:
    """An attempt, and its outcome when time has passed."""

    def __init__(self, bench: AcmeBench, state: RenewalState = STATE) -> None:
        self.issuance = Issuance(bench.parts, state, InlineRunner())
        self.task = Task(self.issuance.run())
        self.outcome: Any = None
        self.done: Deferred[Any] = self.task.done
        self.done.addBoth(self._note)
        bench.pass_time(60, 0.5)

    def _note(self, outcome: Any) -> None:
        self.outcome = getattr(outcome, "value", outcome)


def test_a_certificate_for_all_names_is_written_with_its_key(bench: AcmeBench) -> None:
    attempt = Attempt(bench)
    assert attempt.outcome.names == set(NAMES)
    assert bench.files.certificate() == attempt.outcome
    assert bench.orders == 1
    assert attempt.issuance.state.order in bench.authority.orders
    assert bench.files.state() == attempt.issuance.state


def test_the_key_and_the_order_are_on_the_disk_before_the_challenges(bench: AcmeBench) -> None:
    bench.authority.failures["answer"] = [unreachable()]
    attempt = Attempt(bench)
    assert str(attempt.outcome) == "down"
    assert bench.files.order_key() is not None
    assert bench.files.state().order in bench.authority.orders
    assert bench.files.certificate() is None


def test_an_order_that_was_interrupted_is_continued_with_its_key(bench: AcmeBench) -> None:
    for step in ("answer", "authorization", "finalize", "current_order", "certificate"):
        bench.authority.failures[step] = [unreachable()]
    state, key = STATE, b""
    for _ in range(5):
        attempt = Attempt(bench, state)
        state = bench.files.state()
        assert isinstance(attempt.outcome, AuthorityError)
        content = (bench.place / "order.key").read_bytes()
        assert content == (key or content)
        key = content
    attempt = Attempt(bench, state)
    assert attempt.outcome.names == set(NAMES)
    assert bench.orders == 1
    assert key in bench.files.certificate_path.read_bytes()


@pytest.mark.parametrize("lost", ["order", "key"])
def test_an_order_that_is_lost_is_made_again(bench: AcmeBench, lost: str) -> None:
    bench.authority.failures["answer"] = [unreachable()]
    Attempt(bench)
    state = bench.files.state()
    if lost == "order":
        bench.authority.orders.clear()
    else:
        bench.files.remove_order_key()
    assert Attempt(bench, state).outcome.names == set(NAMES)
    assert bench.orders == 2


def test_an_order_whose_certificate_is_old_is_made_again(bench: AcmeBench) -> None:
    first = Attempt(bench)
    bench.clock.advance(61 * 86_400)
    second = Attempt(bench, first.issuance.state)
    assert bench.orders == 2
    assert second.outcome.not_after > first.outcome.not_after


def test_a_refusal_ends_the_order(bench: AcmeBench) -> None:
    bench.authority.failures["finalize"] = [refused("never")]
    attempt = Attempt(bench)
    assert str(attempt.outcome) == "never"
    assert bench.files.state().order == ""
    assert bench.files.order_key() is None
    assert Attempt(bench, bench.files.state()).outcome.names == set(NAMES)
    assert bench.orders == 2


def test_a_failed_challenge_names_the_host_and_the_reason(bench: AcmeBench) -> None:
    bench.responder.factory.answers = Forgetful()  # type: ignore[assignment]
    attempt = Attempt(bench)
    bench.responder.factory.answers = {}
    assert "a.example: refused (connection)" in str(attempt.outcome)
    assert "b.example: refused (connection)" in str(attempt.outcome)
    assert "firewall" in attempt.outcome.advice


class Forgetful(dict[bytes, bytes]):
    """Keeps nothing."""

    def __setitem__(self, key: bytes, value: bytes) -> None:
        pass


def test_a_challenge_that_is_not_offered_is_named(bench: AcmeBench) -> None:
    bench.authority.challenge_types = ["dns-01"]
    attempt = Attempt(bench)
    assert "offers no http-01, but dns-01" in str(attempt.outcome)
    assert attempt.outcome.advice == "set acme-challenge to one of these"


@pytest.mark.parametrize("fault", ["key", "name", "garbage"])
def test_a_certificate_of_no_use_is_not_written(bench: AcmeBench, fault: str) -> None:
    if fault == "key":
        bench.authority.wrong_key = ec.generate_private_key(ec.SECP256R1())
    elif fault == "name":
        bench.authority.omitted_names = {"b.example"}
    else:
        bench.authority.certificate = lambda order: b"nothing"  # type: ignore[method-assign]
    attempt = Attempt(bench)
    texts = {"key": "another key", "name": "lacks b.example", "garbage": "no certificate"}
    assert texts[fault] in str(attempt.outcome)
    assert bench.files.certificate() is None
    assert bench.files.state().order == ""


def test_an_attempt_that_is_cancelled_answers_no_challenge_any_more(bench: AcmeBench) -> None:
    bench.authority.is_slow = True
    attempt = Attempt(bench)
    assert attempt.outcome is None
    assert len(bench.responder.factory.answers) == 2
    attempt.task.cancel()
    assert isinstance(attempt.outcome, CancelledError)
    assert bench.responder.factory.answers == {}
    assert bench.files.state().order in bench.authority.orders


def test_a_challenge_that_is_provided_during_the_cancellation_is_withdrawn(
    bench: AcmeBench,
) -> None:
    """The thread has begun to provide it when the attempt is cancelled."""
    pool = InlineRunner()
    pool.begun = True
    provide, run = bench.responder.provide, pool.run

    def held_at_provide(function: Any, *args: Any, **more: Any) -> Any:
        pool.held = function == provide
        return run(function, *args, **more)

    pool.run = held_at_provide  # type: ignore[method-assign]
    task = Task(Issuance(bench.parts, STATE, pool).run())
    task.done.addErrback(lambda failure: failure.trap(CancelledError))
    found = []
    withdraw = bench.responder.withdraw

    def withdrawn(name: str, token: str) -> None:
        found.append(token)
        withdraw(name, token)

    bench.responder.withdraw = withdrawn  # type: ignore[method-assign]
    task.cancel()
    before = len(found)
    provide(NAMES[0], found[0], "late")  # what the thread does after the attempt has ended
    pool.release()
    assert len(found) == before + 1
    assert bench.responder.factory.answers == {}


def test_a_full_disk_ends_the_attempt_and_keeps_the_order(bench: AcmeBench) -> None:
    (bench.place / "certificate.pem.new").mkdir()
    attempt = Attempt(bench)
    assert isinstance(attempt.outcome, OSError)
    (bench.place / "certificate.pem.new").rmdir()
    assert Attempt(bench, bench.files.state()).outcome.names == set(NAMES)
    assert bench.orders == 1
