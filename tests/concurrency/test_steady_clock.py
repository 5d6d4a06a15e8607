"""The timers of a process that serves do not depend on the time of day."""

import subprocess
import sys
import time

import pytest
from twisted.internet.epollreactor import EPollReactor

from ftpservice.concurrency.steady_clock import use_steady_clock
from tests.support.service_process import PATIENCE, checkout_environment

MAIN = "from ftpservice.service.tap import installed_reactor as serving; serving = serving()"


@pytest.fixture
def own_reactor():
    made = EPollReactor()
    yield made
    made.removeAll()
    made._poller.close()


def test_a_timer_is_measured_with_the_monotonic_clock(own_reactor):
    use_steady_clock(own_reactor)
    began = time.monotonic()
    assert began + 60 <= own_reactor.callLater(60, print).getTime() <= time.monotonic() + 60
    use_steady_clock(own_reactor)
    assert own_reactor.seconds is time.monotonic


def test_a_reactor_that_has_timers_keeps_its_clock(own_reactor):
    own_reactor.callLater(60, print)
    use_steady_clock(own_reactor)
    assert own_reactor.seconds is time.time


def test_the_service_measures_with_the_monotonic_clock():
    code = f"{MAIN}\nimport time\nassert serving.seconds is time.monotonic"
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=PATIENCE, env=checkout_environment()
    )
