"""A program that answers logins by HTTP, for `ftpservice.accounts.external.http_accounts`.

Run as ``python -m tests.support.http_accounts [CERTIFICATE]``: prints its port. The path of a
request chooses how it is answered.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor, ssl
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

__all__ = ["PASSWORDS", "TOKEN"]

TOKEN = "letmein"
PASSWORDS = {"ann": "ann pass", "ben": "ben pass", "cat": "cat pass"}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "ann": {"root": "/ann", "rights": "full", "quota": "10M", "max-sessions": 2},
    "ben": {"rights": ["read"], "from": ["127.0.0.0/8", "::1"], "disabled": False},
    "cat": {"root": "/", "rights": "full", "disabled": True},
}
ASKED: list[dict[str, Any]] = []
HUGE = b" " * (3 << 20)


class Answers(Resource):
    """Answers every request."""

    isLeaf = True

    def render_POST(self, request: Request) -> Any:
        """Answer as the path says."""
        name = request.path.decode().strip("/").replace("-", "_")
        return getattr(self, f"answer_{name}")(request)

    def answer_login(self, request: Request) -> bytes:
        """Answer as the documentation says."""
        if request.getHeader("Authorization") != f"Bearer {TOKEN}":
            request.setResponseCode(401)
            return b"who are you?"
        asked = json.load(request.content)
        if asked["action"] == "show":
            names = [name for name in asked["names"] if name in ACCOUNTS]
            return json.dumps({"accounts": {name: ACCOUNTS[name] for name in names}}).encode()
        ASKED.append(asked)
        name = asked["name"].lower()
        if name not in ACCOUNTS:
            return b'{"refused": "unknown-name"}'
        if asked["password"] != PASSWORDS[name]:
            return b'{"refused": "wrong-password"}'
        return json.dumps({"account": {"name": name, **ACCOUNTS[name]}}).encode()

    def answer_change(self, request: Request) -> bytes:
        """Change an account: the body has its values by name."""
        ACCOUNTS.update(json.load(request.content))
        return b"{}"

    def answer_asked(self, _request: Request) -> bytes:
        """Answer with the logins so far."""
        return json.dumps(ASKED).encode()

    def answer_hanging(self, _request: Request) -> int:
        """Answer nothing."""
        return NOT_DONE_YET

    def answer_trickling(self, request: Request) -> int:
        """Answer with a byte at a time, without end."""

        def trickle() -> None:
            request.write(b" ")
            reactor.callLater(0.2, trickle)

        trickle()
        return NOT_DONE_YET

    def answer_garbage(self, _request: Request) -> bytes:
        """Answer with something else than JSON."""
        return b"<html>\xff"

    def answer_list(self, _request: Request) -> bytes:
        """Answer with JSON that is no object."""
        return b"[1]"

    def answer_deep(self, _request: Request) -> bytes:
        """Answer with JSON that is nested too deeply."""
        return b"[" * 200_000

    def answer_empty(self, _request: Request) -> bytes:
        """Answer with an object without a meaning."""
        return b"{}"

    def answer_both(self, _request: Request) -> bytes:
        """Answer with an account and a refusal."""
        return b'{"account": {"rights": "full"}, "refused": "disabled"}'

    def answer_huge(self, _request: Request) -> bytes:
        """Answer with too much."""
        return HUGE + b"{}"

    def answer_status(self, request: Request) -> bytes:
        """Answer with an account and the status in the query."""
        request.setResponseCode(int(request.args[b"code"][0]))
        request.setHeader("Location", "/login")
        return b'{"account": {"rights": "full"}}'

    def answer_account(self, request: Request) -> bytes:
        """Answer with the account in the query."""
        return b'{"account": %b}' % request.args[b"json"][0]


def main(certificate: str = "") -> None:
    """Serve until the process is killed."""
    site = Site(Answers())
    if certificate:
        with open(certificate, "rb") as file:
            options = ssl.PrivateCertificate.loadPEM(file.read()).options()
        port = reactor.listenSSL(0, site, options, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
    print(f"port {port.getHost().port}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
