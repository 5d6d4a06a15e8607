"""The table of moves."""

from __future__ import annotations

import pytest

from ftpservice.session.state import SEQUENCED_VERBS, TRANSITIONS, Phase, phase_after, state_diagram


@pytest.mark.parametrize("phase", Phase)
def test_pass_is_legal_only_after_user(phase: Phase) -> None:
    assert ((phase, "PASS") in TRANSITIONS) == (phase is Phase.NAMED)


@pytest.mark.parametrize("phase", Phase)
def test_rnto_is_legal_only_after_rnfr(phase: Phase) -> None:
    assert ((phase, "RNTO") in TRANSITIONS) == (phase is Phase.RENAMING)


def test_verbs_outside_the_table_have_no_sequence() -> None:
    assert not SEQUENCED_VERBS & {"NOOP", "CWD", "RETR", "STOR"}


def test_after_a_failed_pass_user_is_needed_again() -> None:
    assert phase_after(Phase.NAMED, "PASS", succeeded=False) is Phase.GREETED


def test_a_failed_rnto_ends_the_rename() -> None:
    assert phase_after(Phase.RENAMING, "RNTO", succeeded=False) is Phase.LOGGED_IN


def test_a_failed_rnfr_changes_nothing() -> None:
    assert phase_after(Phase.LOGGED_IN, "RNFR", succeeded=False) is Phase.LOGGED_IN


def test_the_diagram_has_an_arrow_for_each_change_of_phase() -> None:
    arrows = [line for line in state_diagram().splitlines() if "-->" in line]
    changes = [(old, new) for (old, _), new in TRANSITIONS.items() if old is not new]
    assert len(arrows) == len(changes) + 1
    assert "    NAMED --> LOGGED_IN: PASS" in arrows
