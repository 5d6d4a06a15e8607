"""What gives credentials to machines, to containers and for tokens, as Amazon's servers do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

__all__ = ["CredentialServer", "credential_server"]

ROLE, TOKEN = "files-of-the-service", "of-the-machine"
STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{AccessKeyId}</AccessKeyId>
<SecretAccessKey>{SecretAccessKey}</SecretAccessKey><SessionToken>{Token}</SessionToken>
<Expiration>{Expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class CredentialServer(ThreadingHTTPServer):
    """Each answer has other keys, that are valid for ``minutes``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.minutes = 60.0
        self.answers = threading.Event()
        """Nothing is answered as long as it is not set."""
        self.answers.set()
        self.refuses = False
        self.given = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client may not wait for its answer."""

    def keys(self) -> dict[str, str]:
        """Return new keys."""
        self.given += 1
        ends = datetime.now(UTC) + timedelta(minutes=self.minutes)
        return {
            "Code": "Success",
            "AccessKeyId": f"key{self.given}",
            "SecretAccessKey": f"secret{self.given}",
            "Token": f"token{self.given}",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Answering(BaseHTTPRequestHandler):
    """Answers one request."""

    server: CredentialServer

    def do_PUT(self) -> None:
        """Give a token of the metadata (IMDSv2)."""
        self._say(TOKEN if self.path == "/latest/api/token" else None)

    def do_GET(self) -> None:
        """Give the role of the machine and its keys, or those of a container."""
        place = "/latest/meta-data/iam/security-credentials/"
        knows = self.headers.get("x-aws-ec2-metadata-token") == TOKEN
        if self.path == "/container":
            self._say(json.dumps(self.server.keys()))
        elif self.path == place and knows:
            self._say(ROLE)
        elif self.path == place + ROLE and knows:
            self._say(json.dumps(self.server.keys()))
        else:
            self._say(None)

    def do_POST(self) -> None:
        """Give keys for a token of a web identity."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        knows = asked["Action"] == "AssumeRoleWithWebIdentity"
        knows = knows and asked["WebIdentityToken"] == "who I am"
        self._say(STS.format(**self.server.keys()) if knows else None)

    def _say(self, text: str | None) -> None:
        self.server.answers.wait()
        is_refused = text is None or self.server.refuses
        body = b"" if text is None or is_refused else text.encode()
        self.send_response(404 if is_refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def credential_server() -> Iterator[CredentialServer]:
    """Run a server."""
    with CredentialServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            made.answers.set()
            made.shutdown()
            thread.join()
