"""The settings of a client: malformed values are refused where they are given."""

from pathlib import Path
from typing import Any

import pytest

from ftpservice_client import ExplicitTLS, Settings


@pytest.mark.parametrize(
    ("given", "error", "shown"),
    [
        ({"timeout": "30"}, TypeError, "timeout is a number .float., not '30'"),
        ({"stall_timeout": -1}, ValueError, "stall_timeout is 0 or more, not -1"),
        ({"retries": 1.5}, TypeError, "retries is a number .int., not 1.5"),
        ({"memory_limit": None}, TypeError, "memory_limit is a number .int., not None"),
        ({"trust": "ca.pem"}, TypeError, "trust is a Trust, not 'ca.pem'"),
        ({"warn": "yes"}, TypeError, "warn is a function, not 'yes'"),
        ({"netrc": True}, TypeError, "netrc is the path of a file, not True"),
        ({"explicit_tls": True}, ValueError, "True is not a valid ExplicitTLS"),
    ],
)
def test_a_malformed_value_is_refused_by_name(
    given: dict[str, Any], error: type[Exception], shown: str
) -> None:
    with pytest.raises(error, match=shown):
        Settings(**given)


def test_a_path_and_an_enum_may_be_strings() -> None:
    """A string that is only similar to `ExplicitTLS.REQUIRE` would require nothing."""
    settings = Settings(netrc="netrc", explicit_tls="require")  # type: ignore[arg-type]
    assert settings == Settings(netrc=Path("netrc"), explicit_tls=ExplicitTLS.REQUIRE)
