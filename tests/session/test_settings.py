"""The settings of sessions: malformed values are refused where they are given."""

from typing import Any

import pytest

from ftpservice.session.settings import SessionSettings


@pytest.mark.parametrize(
    ("given", "error", "shown"),
    [
        ({"welcome": b"hello"}, TypeError, "welcome is a str, not b'hello'"),
        ({"host_names": "ftp.example"}, TypeError, "host_names is a frozenset, not 'ftp.example'"),
        ({"tls": True}, TypeError, "tls is a TLSPolicy, not True"),
        ({"data": None}, TypeError, "data is a DataSettings, not None"),
        ({"idle_timeout": "5m"}, TypeError, "idle_timeout is a number .float., not '5m'"),
        ({"login_timeout": float("nan")}, ValueError, "login_timeout is 0 or more, not nan"),
        ({"max_sessions": None}, TypeError, "max_sessions is a number .int., not None"),
        ({"max_sessions_per_user": True}, TypeError, "not True"),
        ({"rate_up": 1.5}, TypeError, "rate_up is a number .int., not 1.5"),
        ({"rate_down": -5}, ValueError, "rate_down is 0 or more, not -5"),
        ({"upload_digest": "sha256"}, ValueError, "upload_digest is 'sha256', and none of CRC32"),
    ],
)
def test_a_malformed_value_is_refused_by_name(
    given: dict[str, Any], error: type[Exception], shown: str
) -> None:
    with pytest.raises(error, match=shown):
        SessionSettings(**given)
