import pytest

from tests.support.tls_endpoints import server_tls


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """TLS with one certificate."""
    return server_tls(tmp_path_factory.mktemp("papers"))
