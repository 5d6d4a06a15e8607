"""Connecting: arguments that are no server, settings or endpoint are refused by name."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice_client import (
    BadURL,
    Destination,
    Scheme,
    connect,
    connect_endpoint,
    connect_pool,
    connect_without_login,
)
from ftpservice_client.testing import MemoryNetwork

CONNECTS = [
    lambda url: connect(url, reactor=MemoryNetwork()),
    lambda url: connect_pool(url, 2, reactor=MemoryNetwork()),
    lambda url: connect_without_login(url, reactor=MemoryNetwork()),
    lambda url: connect_endpoint(None, url, reactor=MemoryNetwork()),  # type: ignore[arg-type]
]


def error_of(done: Deferred[Any]) -> BaseException:
    """Return the error of a call that fails at once."""
    failures: list[Failure] = []
    done.addErrback(failures.append)
    return failures[0].value


@pytest.mark.parametrize("connecting", CONNECTS)
def test_what_is_no_url_is_refused(connecting: Any) -> None:
    error = error_of(connecting("nonsense"))
    assert isinstance(error, BadURL)
    assert str(error).startswith("the scheme of the URL is none of ftp://")
    for url, kind in ((None, "NoneType"), (b"ftp://ann:secret@server/", "bytes")):
        error = error_of(connecting(url))
        assert (type(error), str(error)) == (TypeError, f"a URL is a str, not {kind}")


def test_what_is_no_endpoint_is_refused() -> None:
    server = Destination(Scheme.FTP, "server", 21)
    connecting = connect_endpoint("tcp:server:21", server, reactor=None)  # type: ignore[arg-type]
    assert str(error_of(connecting)) == "endpoint is an IStreamClientEndpoint, not 'tcp:server:21'"


def test_what_are_no_settings_is_refused() -> None:
    wrong: Any = {"timeout": 3}
    with pytest.raises(TypeError, match=r"settings is a Settings, not {'timeout': 3}"):
        connect("ftp://server/", reactor=MemoryNetwork(), settings=wrong)


def test_a_destination_of_wrong_types_is_refused() -> None:
    with pytest.raises(TypeError, match="scheme is of type Scheme, not 'ftp'"):
        Destination("ftp", "server", 21)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="port is of type int, not '21'"):
        Destination(Scheme.FTP, "server", "21")  # type: ignore[arg-type]
