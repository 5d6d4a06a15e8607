"""The table of moves."""

from __future__ import annotations

import pytest

from ftpservice.session.state import SEQUENCED_VERBS, TRANSITIONS, Phase, phase_after, state_diagram


@pytest.mark.parametrize("phase", Phase)
def test_a_password_belongs_behind_a_name_only(phase: Phase) -> None:
    assert ((phase, "PASS") in TRANSITIONS) == (phase is Phase.NAMED)


@pytest.mark.parametrize("phase", Phase)
def test_rnto_belongs_behind_rnfr_only(phase: Phase) -> None:
    assert ((phase, "RNTO") in TRANSITIONS) == (phase is Phase.RENAMING)


def test_verbs_that_the_table_does_not_name_have_no_sequence() -> None:
    assert not SEQUENCED_VERBS & {"NOOP", "CWD", "RETR", "STOR"}


def test_a_failed_password_wants_a_name_again() -> None:
    assert phase_after(Phase.NAMED, "PASS", succeeded=False) is Phase.GREETED


def test_a_failed_rename_is_over() -> None:
    assert phase_after(Phase.RENAMING, "RNTO", succeeded=False) is Phase.LOGGED_IN


def test_a_failed_rnfr_changes_nothing() -> None:
    assert phase_after(Phase.LOGGED_IN, "RNFR", succeeded=False) is Phase.LOGGED_IN


def test_the_drawing_has_an_arrow_for_each_move_that_changes_the_phase() -> None:
    arrows = [line for line in state_diagram().splitlines() if "-->" in line]
    changes = [(old, new) for (old, _), new in TRANSITIONS.items() if old is not new]
    assert len(arrows) == len(changes) + 1
    assert "    NAMED --> LOGGED_IN: PASS" in arrows
