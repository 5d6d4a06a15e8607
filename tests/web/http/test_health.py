"""The health checks."""

from __future__ import annotations

from ftpservice.web.http.health import HealthResource, ReadinessResource
from tests.support.web_client import SiteInMemory


def test_they_tell_what_is_not_ready() -> None:
    served, wrong = SiteInMemory(), {"sessions": None}
    served.site.mount("/healthz", HealthResource())
    served.site.mount("/readyz", ReadinessResource({"sessions": lambda: wrong["sessions"]}))
    assert (served.ask("GET /healthz").status, served.ask("GET /readyz").status) == (200, 200)
    wrong["sessions"] = "none are accepted"
    answer = served.ask("GET /readyz")
    assert answer.status == 503
    assert answer.json["checks"] == {"sessions": "none are accepted"}
    assert served.ask("GET /healthz").body == b"ok\n"
    assert served.ask("HEAD /healthz").status == 200
    assert served.ask("POST /healthz").status == 405


def test_what_is_wrong_and_does_not_matter_is_told_to_those_who_read_it() -> None:
    served, note = SiteInMemory(), {"cluster": None}
    served.site.mount("/readyz", ReadinessResource({}, {"cluster": lambda: note["cluster"]}))
    assert served.ask("GET /readyz").body == b"ready\n"
    note["cluster"] = "it does not answer"
    assert served.ask("GET /readyz").body == b"ready\ncluster: it does not answer\n"
