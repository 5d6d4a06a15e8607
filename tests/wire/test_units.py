"""Amounts as users read them."""

import pytest

from ftpservice.wire.units import seconds_text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(1, "1 second"), (1.0, "1 second"), (0.5, "0.5 seconds"), (30.0, "30 seconds")],
)
def test_seconds_are_counted(seconds, shown):
    assert seconds_text(seconds) == shown
