"""When the next attempt is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftpservice.service.acme.acme_files import StoredCertificate
from ftpservice.service.acme.renewal_plan import RenewalPlan
from ftpservice.service.acme.renewal_state import RenewalState

DAY = 86_400.0
NOW = 1_000 * DAY
URL = "https://ca.example/dir"
NAMES = ("a.example", "b.example")


class Planned:
    """A plan, with a clock and a certificate that lasts from 10 days ago to 80 days from now."""

    def __init__(self) -> None:
        self.now = NOW
        self.in_use = "AA"
        self.plan = RenewalPlan(NAMES, URL, lambda: self.now, lambda: self.in_use)
        self.plan.certificate = StoredCertificate(
            b"", frozenset(NAMES), NOW - 10 * DAY, NOW + 80 * DAY, "CN=ca", "AA"
        )
        self.plan.state = RenewalState(URL, NAMES, issued_by=URL)

    def change(self, **values: object) -> None:
        assert self.plan.certificate is not None
        self.plan.certificate = replace(self.plan.certificate, **values)  # type: ignore[arg-type]


@pytest.fixture
def planned() -> Planned:
    return Planned()


def test_a_good_certificate_is_renewed_30_days_before_its_end(planned: Planned) -> None:
    assert planned.plan.is_satisfied
    assert planned.plan.due_time() == NOW + 50 * DAY
    planned.now = NOW + 51 * DAY
    assert not planned.plan.is_satisfied
    assert planned.plan.due_time() == planned.now


def test_the_authority_may_want_it_earlier_but_not_later(planned: Planned) -> None:
    planned.plan.suggested = NOW + 3 * DAY
    assert planned.plan.due_time() == NOW + 3 * DAY
    planned.plan.suggested = NOW + 79 * DAY
    assert planned.plan.due_time() == NOW + 50 * DAY


@pytest.mark.parametrize(
    "lack", ["certificate", "name", "use", "authority", "time"], ids=lambda lack: lack
)
def test_without_a_good_certificate_in_use_an_attempt_is_due_now(
    planned: Planned, lack: str
) -> None:
    plan = planned.plan
    if lack == "certificate":
        plan.certificate = None
    elif lack == "name":
        planned.change(names=frozenset(["a.example"]))
    elif lack == "use":
        planned.in_use = "BB"
    elif lack == "authority":
        plan.state = replace(plan.state, issued_by="https://staging.example/")
    else:
        planned.change(not_after=NOW - 1)
    assert not plan.is_satisfied
    assert plan.due_time() == NOW


def test_a_certificate_of_an_unknown_authority_is_accepted(planned: Planned) -> None:
    planned.plan.state = RenewalState(URL, NAMES)
    assert planned.plan.is_satisfied


def test_after_a_failure_the_next_attempt_waits(planned: Planned) -> None:
    planned.plan.certificate = None
    planned.plan.state = planned.plan.state.with_failure(False, NOW + 60)
    assert planned.plan.due_time() == NOW + 60


def test_a_time_that_was_written_with_a_wrong_clock_is_ignored(planned: Planned) -> None:
    planned.plan.certificate = None
    planned.plan.state = planned.plan.state.with_failure(False, NOW + 4000 * DAY)
    assert planned.plan.due_time() == NOW


def test_the_authority_is_asked_only_about_a_certificate_in_use(planned: Planned) -> None:
    assert planned.plan.is_inquiry_due()
    planned.plan.next_inquiry = NOW + 1
    assert not planned.plan.is_inquiry_due()
    planned.plan.next_inquiry = 0
    planned.in_use = "BB"
    assert not planned.plan.is_inquiry_due()


def test_the_status_is_plain_values(planned: Planned) -> None:
    assert planned.plan.status() == {
        "names": list(NAMES),
        "directory": URL,
        "is_good": True,
        "issuer": "CN=ca",
        "not_after": NOW + 80 * DAY,
        "next_attempt": NOW + 50 * DAY,
        "failures": 0,
        "problem": "",
    }
