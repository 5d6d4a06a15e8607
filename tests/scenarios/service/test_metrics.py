"""The metrics of a service with real transfers, as the tools of Prometheus judge them."""

import http.client
import shutil
import subprocess

import pytest

from tests.support.docs_pages import EXAMPLES
from tests.support.raw_client import in_thread, starting

__all__ = ["starting"]

PATIENCE = 30
PROMTOOL = shutil.which("promtool")
WEB = ("--http", "tcp:0:interface=127.0.0.1", "--metrics", "on")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="prometheus is not installed")


def promtool(*words: str, text: str | None = None) -> str:
    done = subprocess.run(
        [str(PROMTOOL), *words], input=text, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done
    return done.stdout + done.stderr


@needs_promtool
@in_thread
def test_promtool_finds_nothing_wrong_in_the_metrics(server) -> None:
    served = server(*WEB)
    wire = served.session()
    assert wire.upload("STOR a", b"x" * 100_000).code == 226
    connection = http.client.HTTPConnection("127.0.0.1", served.ports[-1], timeout=PATIENCE)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'ftpservice_transfer_bytes_total{direction="upload",protocol="ftp"} 100000.0' in text
    assert 'ftpservice_sessions{protocol="ftp",state="idle"} 1.0' in text
    assert 'ftpservice_logins_total{outcome="success",protocol="ftp"} 1.0' in text
    assert "demo" not in text
    lint = promtool("check", "metrics", text=text)
    assert [line for line in lint.splitlines() if line.startswith("ftpservice")] == []


@needs_promtool
def test_promtool_accepts_the_alert_rules() -> None:
    said = promtool("check", "rules", str(EXAMPLES / "prometheus" / "ftpservice-alerts.yml"))
    assert "4 rules found" in said
