"""The renewal over months, with a fake clock: attempts, delays, restarts, log and events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ftpservice.events import CertificateFailed, CertificateIssued
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.acme.renewal import ATTEMPT_SECONDS, MAX_SLEEP_SECONDS
from tests.service.acme.conftest import NAMES, START, AcmeBench
from tests.support.scripted_authority import refused, unreachable

DAY = 86_400.0


def shown(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"


def fail_times(bench: AcmeBench, count: int, unreachable_too: bool = False) -> None:
    error = unreachable if unreachable_too else refused
    bench.authority.failures["new_order"] = [error() for _ in range(count)]


def test_the_first_certificate_is_got_at_once_and_used(bench: AcmeBench) -> None:
    bench.start()
    assert "no certificate for a.example, b.example yet: it is ordered from" in bench.lines[0]
    bench.pass_time(5)
    found = bench.files.certificate()
    assert found is not None
    assert bench.in_use == found.fingerprint
    assert "is in use for new connections until" in bench.lines[1]
    [event] = bench.events
    assert isinstance(event, CertificateIssued)
    assert (event.names, event.not_after) == (NAMES, found.not_after)
    assert START <= event.when <= START + 5
    state = bench.files.state()
    assert (state.failures, state.order, state.issued_by) == (0, "", bench.directory)
    assert bench.files.order_key() is None


def test_it_is_renewed_30_days_before_its_end_and_not_earlier(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(59.9 * DAY, 600)
    assert bench.orders == 1
    bench.pass_time(0.2 * DAY, 600)
    assert bench.orders == 2
    bench.pass_time(60 * DAY, 600)
    assert bench.orders == 3
    assert len([event for event in bench.events if isinstance(event, CertificateIssued)]) == 3


def test_a_restart_orders_nothing(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(5)
    for _ in range(3):
        bench.restart()
        bench.pass_time(DAY, 600)
    assert bench.orders == 1
    assert len(bench.lines) == 2


def test_failures_are_explained_and_repeated_with_growing_delays(bench: AcmeBench) -> None:
    fail_times(bench, 4)
    bench.start()
    bench.clock.advance(1)
    times = []
    for _ in range(5000):
        before = bench.orders
        bench.clock.advance(1)
        if bench.orders > before:
            times.append(bench.clock.seconds())
    assert times == pytest.approx([60, 60 + 180, 60 + 180 + 540, 60 + 180 + 540 + 1620], abs=3)
    failed = [event for event in bench.events if isinstance(event, CertificateFailed)]
    assert bench.orders == 5
    assert [event.reason for event in failed] == ["no"] * 4
    assert failed[1].next_attempt == pytest.approx(failed[1].when + 180)
    assert bench.lines[1] == (
        f"no certificate for a.example, b.example: no - advice; attempt 1, the next one is at "
        f"{shown(failed[0].next_attempt)}"
    )
    assert bench.renewal.plan.is_satisfied
    assert bench.files.state().failures == 0


def test_the_delays_last_over_restarts(bench: AcmeBench) -> None:
    fail_times(bench, 2)
    bench.start()
    bench.pass_time(62)
    assert bench.orders == 2
    for _ in range(10):
        bench.restart()
        bench.pass_time(15)
    assert bench.orders == 2
    assert "no; the next attempt is at" in bench.lines[-1]
    assert "ftpservice certificate renew" in bench.lines[-1]
    bench.pass_time(40)
    assert bench.orders == 3


def test_a_service_that_is_killed_in_each_attempt_makes_few(bench: AcmeBench) -> None:
    bench.authority.is_slow = True
    for _ in range(100):
        bench.restart()
        bench.pass_time(5)
    assert bench.orders == 1
    assert bench.authority.calls.count("register") <= 4
    assert "the last attempt was interrupted" in bench.lines[-1]
    bench.authority.is_slow = False


def test_an_authority_that_is_down_is_asked_again_soon(bench: AcmeBench) -> None:
    fail_times(bench, 3, unreachable_too=True)
    bench.start()
    bench.pass_time(4)
    assert bench.orders == 1
    bench.pass_time(2)
    assert bench.orders == 2
    bench.pass_time(40)
    assert bench.renewal.plan.is_satisfied


def test_the_authority_may_ask_for_a_delay(bench: AcmeBench) -> None:
    bench.authority.failures["new_order"] = [refused("slower", retry_after=7200)]
    bench.start()
    bench.pass_time(7190, 10)
    assert bench.orders == 1
    bench.pass_time(100, 10)
    assert bench.orders == 2


def test_the_old_certificate_stays_in_use_while_renewals_fail(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(5)
    before = bench.in_use
    fail_times(bench, 200)
    bench.pass_time(75 * DAY, 3600)
    assert bench.in_use == before
    failed = [event for event in bench.events if isinstance(event, CertificateFailed)]
    assert 25 <= len(failed) <= 50
    bench.authority.failures.clear()
    bench.pass_time(DAY, 3600)
    assert bench.in_use != before


def test_other_names_or_another_authority_get_a_certificate_at_once(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(5)
    bench.names = ("a.example", "c.example")
    bench.restart()
    bench.pass_time(5)
    found = bench.files.certificate()
    assert found is not None
    assert found.names == {"a.example", "c.example"}
    bench.directory = "https://other.example/dir"
    bench.restart()
    bench.pass_time(5)
    assert bench.orders == 3
    bench.restart()
    bench.pass_time(5)
    assert bench.orders == 3


def test_a_request_for_renewal_does_not_wait(bench: AcmeBench) -> None:
    fail_times(bench, 1)
    bench.start()
    bench.pass_time(5)
    done = bench.renewal.renew()
    bench.pass_time(5)
    assert done.called
    assert bench.renewal.plan.is_satisfied
    again = bench.renewal.renew(force=True)
    bench.pass_time(5)
    assert again.called
    assert bench.orders == 3


def test_a_request_while_something_else_is_done_is_not_forgotten(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(5)
    bench.renewal.stopService()
    bench.renewal = bench.new_renewal()
    bench.pools_are_held = True
    bench.start()
    done = bench.renewal.renew(force=True)
    assert not done.called
    bench.release()
    bench.pass_time(5)
    assert done.called
    assert bench.orders == 2


def test_a_request_during_an_attempt_waits_for_that(bench: AcmeBench) -> None:
    bench.authority.is_slow = True
    bench.start()
    bench.pass_time(5)
    done = bench.renewal.renew()
    assert not done.called
    assert bench.orders == 1
    bench.renewal.stopService()
    assert done.called
    assert bench.renewal.renew().called


def test_an_attempt_that_never_ends_is_given_up(bench: AcmeBench) -> None:
    bench.authority.is_slow = True
    bench.start()
    bench.pass_time(ATTEMPT_SECONDS + 1)
    assert f"the attempt did not end within {ATTEMPT_SECONDS:g} s" in bench.lines[1]
    assert bench.files.state().failures == 1


def test_a_disk_that_cannot_be_written_makes_no_order(bench: AcmeBench) -> None:
    (bench.place / "state.json.new").mkdir()
    bench.start()
    bench.pass_time(5)
    assert bench.orders == 0
    assert "check the disk" in bench.lines[1]
    assert "cannot be saved" in bench.lines[2]
    (bench.place / "state.json.new").rmdir()
    bench.pass_time(60)
    assert bench.renewal.plan.is_satisfied


def test_a_damaged_state_is_said_and_replaced(bench: AcmeBench) -> None:
    (bench.place / "state.json").write_text("{")
    bench.start()
    bench.pass_time(5)
    assert "state.json" in bench.lines[0]
    assert bench.renewal.plan.is_satisfied


def test_a_certificate_that_cannot_be_used_yet_is_not_ordered_again(bench: AcmeBench) -> None:
    bench.use_failures = [CertificateError("not valid before tomorrow")] * 2
    bench.start()
    bench.pass_time(5)
    assert "not valid before tomorrow" in bench.lines[1]
    bench.pass_time(300)
    assert bench.orders == 1
    assert bench.renewal.plan.is_satisfied


def test_the_authority_is_asked_when_to_renew_and_obeyed(bench: AcmeBench) -> None:
    bench.authority.suggestion = (START + 20 * DAY, 0.0)
    bench.start()
    bench.pass_time(19 * DAY, 600)
    asked = bench.authority.calls.count("suggested_renewal")
    assert 19 <= asked <= 19 * 24 + 1
    assert bench.orders == 1
    bench.authority.suggestion = (None, 0.0)
    bench.authority.failures["suggested_renewal"] = [unreachable() for _ in range(100)]
    bench.pass_time(1.1 * DAY, 600)
    assert bench.orders == 2


def test_a_suggestion_that_is_always_in_the_past_gets_few_orders(bench: AcmeBench) -> None:
    bench.authority.suggestion = (START - 30 * DAY, 0.0)
    bench.start()
    bench.pass_time(DAY, 30)
    assert 4 <= bench.orders <= 5
    assert bench.authority.calls.count("suggested_renewal") <= 24  # it asks for no delay
    bench.restart()
    bench.pass_time(3600, 30)
    assert bench.orders <= 5


def test_a_clock_that_is_set_is_noticed_within_an_hour(bench: AcmeBench) -> None:
    bench.start()
    bench.pass_time(5)
    assert max(call.getTime() for call in bench.clock.getDelayedCalls()) <= (
        bench.clock.seconds() + MAX_SLEEP_SECONDS
    )
