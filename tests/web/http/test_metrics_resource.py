"""Who may read the metrics."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from twisted.internet.defer import succeed

from ftpservice.web.http.metrics_resource import MetricsResource
from tests.support.web_client import SiteInMemory


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("10.0.0.9", 200),
        ("::ffff:10.0.0.9", 200),
        ("192.0.2.200", 200),
        ("10.0.0.8", 403),
        ("203.0.113.7", 403),
        ("fe80::9", 403),
    ],
)
def test_programs_of_this_machine_and_of_the_networks_read_them(peer: str, status: int) -> None:
    served, networks = SiteInMemory(), map(ip_network, ("10.0.0.9", "192.0.2.0/24"))
    served.site.mount("/metrics", MetricsResource(lambda: succeed(b"up 1\n"), networks))
    answer = served.ask("GET /metrics", peer=peer)
    assert answer.status == status
    assert (answer.body == b"up 1\n") is (status == 200)


def test_without_networks_other_machines_get_none() -> None:
    served = SiteInMemory()
    served.site.mount("/metrics", MetricsResource(lambda: succeed(b"up 1\n")))
    assert served.ask("GET /metrics", peer="10.0.0.9").status == 403
