"""The state of the attempts, and its file."""

from __future__ import annotations

import pytest

from ftpservice.service.acme.renewal_state import RenewalState, parse_state

STATE = RenewalState(
    "https://a/", ("a.example", "b.example"), 3, True, 12.5, "no", "https://o", "x"
)


def test_what_was_written_is_read() -> None:
    assert parse_state(STATE.to_json()) == STATE
    assert parse_state(RenewalState().to_json()) == RenewalState()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"directory": 1}', b"\xff", STATE.to_json().replace(b"12.5", b'"x"')],
)
def test_other_contents_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_state(content)


def test_failures_in_a_row_are_counted_and_another_kind_begins_anew() -> None:
    first = RenewalState().with_failure(False, 60, "no")
    assert (first.failures, first.next_attempt, first.problem) == (1, 60, "no")
    second = first.with_failure(False, 180)
    assert (second.failures, second.problem) == (2, "")
    down = second.with_failure(True, 200, "down")
    assert (down.failures, down.is_unreachable) == (1, True)


def test_other_names_or_another_authority_begin_anew() -> None:
    assert STATE.for_attempts("https://a/", ("a.example", "b.example")) is STATE
    for directory, names in (("https://b/", STATE.names), ("https://a/", ("a.example",))):
        found = STATE.for_attempts(directory, names)
        assert found == RenewalState(directory, names, issued_by="x")
