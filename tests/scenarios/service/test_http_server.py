"""The HTTP server of a whole service, over plain TCP and under TLS."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

from tests.support.command_service import CommandService
from tests.support.service_process import PATIENCE


def test_it_answers_with_and_without_tls_and_is_announced(tmp_path: Path) -> None:
    service = CommandService(tmp_path)
    service.add()
    endpoint = "tcp:0:interface=127.0.0.1"
    with service.serve(f"--http={endpoint}", f"--https={endpoint}") as served:
        plain = int(served.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        encrypted = int(served.line(r" https://127\.0\.0\.1:(\d+)/")[1])
        served.line("try   curl .* ftp://")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        for connection in (
            http.client.HTTPConnection("127.0.0.1", plain, PATIENCE),
            http.client.HTTPSConnection("127.0.0.1", encrypted, timeout=PATIENCE, context=context),
        ):
            for path in ("/healthz", "/readyz", "/healthz"):
                connection.request("GET", path)
                answer = connection.getresponse()
                assert (answer.status, bool(answer.read())) == (200, True)
            connection.request("POST", "/healthz", b"x" * 70_000)
            assert connection.getresponse().status == 413
            connection.close()
        idle = http.client.HTTPConnection("127.0.0.1", plain, PATIENCE)
        idle.connect()
        assert served.stopped() == 0
        idle.close()
