import pytest

from tests.tls.parties import server_tls


@pytest.fixture
def reactor():
    """The real reactor."""
    from twisted.internet import reactor

    return reactor


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """TLS with one certificate."""
    return server_tls(tmp_path_factory.mktemp("papers"))
