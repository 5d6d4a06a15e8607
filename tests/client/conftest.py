import pytest


@pytest.fixture
def reactor():
    """The real reactor."""
    from twisted.internet import reactor

    return reactor
