"""The HTTP server of a whole service, over plain TCP and under TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path

from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import PATIENCE


def log_in(connection: http.client.HTTPConnection, is_secure: bool) -> None:
    """Log in and use the cookie; it is bound to this host under TLS."""
    port = "" if connection.port == 80 else f":{connection.port}"
    origin = f"{'https' if is_secure else 'http'}://{connection.host}{port}"
    given = json.dumps({"user": "ann", "password": SECRET})
    kind = {"Content-Type": "application/json"}
    connection.request("POST", "/login", given, kind | {"Origin": origin})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-" if is_secure else "ftpservice=")
    assert ("Secure" in cookie, "Domain" in cookie) == (is_secure, False)
    connection.request("GET", "/api/v1/service", headers={"Cookie": cookie.partition(";")[0]})
    assert json.loads(connection.getresponse().read())["caller"] == "ann"


def test_it_answers_with_and_without_tls_and_is_announced(tmp_path: Path) -> None:
    service = CommandService(tmp_path)
    service.add("--rights", "full,admin")
    endpoint = "tcp:0:interface=127.0.0.1"
    near = f"--http=unix:{tmp_path / 'web.sock'}"
    with service.serve(f"--http={endpoint}", near, f"--https={endpoint}") as served:
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
            log_in(connection, is_secure=connection.port == encrypted)
            connection.request("POST", "/healthz", b"x" * 70_000)
            assert connection.getresponse().status == 413
            connection.close()
        through = http.client.HTTPConnection("localhost")
        through.sock = socket.socket(socket.AF_UNIX)
        through.sock.connect(str(tmp_path / "web.sock"))
        log_in(through, is_secure=False)
        through.close()
        idle = http.client.HTTPConnection("127.0.0.1", plain, PATIENCE)
        idle.connect()
        assert served.stopped() == 0
        idle.close()
