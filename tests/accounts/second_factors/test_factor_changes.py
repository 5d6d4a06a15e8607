"""The use of codes: each is accepted once."""

from __future__ import annotations

import pyotp
import pytest

from ftpservice.accounts.second_factors.factor_changes import (
    FactorKind,
    with_code_secret,
    with_new_recovery_codes,
    without_code_secret,
    without_used_code,
)
from ftpservice.accounts.second_factors.factor_records import SecondFactors

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_700_000_010.0


def code_at(when: float) -> str:
    return pyotp.TOTP(SECRET).at(int(when))


@pytest.fixture
def enrolled() -> SecondFactors:
    return with_code_secret(SECRET, 0.0)(SecondFactors())[0]


@pytest.mark.parametrize(
    ("seconds", "is_right"), [(0, True), (-30, True), (30, True), (-60, False), (60, False)]
)
def test_a_code_is_accepted_one_step_early_or_late(
    enrolled: SecondFactors, seconds: float, is_right: bool
) -> None:
    code = code_at(NOW + seconds)
    _, kind = without_used_code(f" {code[:3]} {code[3:]}\n", NOW)(enrolled)
    assert kind is (FactorKind.CODE if is_right else None)


def test_neither_a_code_nor_an_older_one_is_accepted_after_it(enrolled: SecondFactors) -> None:
    used, kind = without_used_code(code_at(NOW), NOW)(enrolled)
    assert kind is FactorKind.CODE
    for again in (NOW, NOW - 30):
        assert without_used_code(code_at(again), NOW)(used) == (used, None)
    assert without_used_code(code_at(NOW + 30), NOW)(used)[1] is FactorKind.CODE


def test_a_code_that_confirmed_the_enrolment_is_used_up() -> None:
    step = int(NOW) // 30
    enrolled, _ = with_code_secret(SECRET, NOW, step)(SecondFactors())
    assert without_used_code(code_at(NOW), NOW)(enrolled)[1] is None


def test_a_recovery_code_is_accepted_once_in_any_spelling() -> None:
    enrolled, codes = with_code_secret(SECRET, 0.0)(SecondFactors())
    assert len(set(codes)) == 10
    spelled = codes[3].lower().replace("-", " ")
    used, kind = without_used_code(spelled, NOW)(enrolled)
    assert kind is FactorKind.RECOVERY_CODE
    assert len(used.recovery_hashes) == 9
    assert without_used_code(codes[3], NOW)(used)[1] is None
    renewed, others = with_new_recovery_codes(used)
    assert without_used_code(codes[4], NOW)(renewed)[1] is None
    assert without_used_code(others[4], NOW)(renewed)[1] is FactorKind.RECOVERY_CODE


@pytest.mark.parametrize("code", ["", "12345", "1234567", "\uff19" * 6, "\udcff", "x" * 5000])
def test_other_texts_are_wrong_codes(enrolled: SecondFactors, code: str) -> None:
    assert without_used_code(code, NOW)(enrolled) == (enrolled, None)


def test_the_last_factor_takes_the_recovery_codes_with_it(enrolled: SecondFactors) -> None:
    assert without_code_secret(enrolled) == (SecondFactors(), True)
    assert without_code_secret(SecondFactors()) == (SecondFactors(), False)
