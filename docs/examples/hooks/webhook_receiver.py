#!/usr/bin/env python3
"""A receiver of webhooks: checks the signature and the time, and prints each event once.

Usage: webhook_receiver.py PORT SECRET-FILE
"""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 1 << 20


def is_signed(headers, body, key, now):
    """Return whether a request has been signed with ``key`` lately."""
    identifier, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{identifier}.{stamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, one) for one in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers one request."""

    key = b""
    seen = set()

    def do_POST(self):
        """Accept a signed event."""
        body = self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY_BYTES))
        if not is_signed(self.headers, body, self.key, time.time()):
            self.send_error(401)
            return
        event = json.loads(body)
        if event["id"] not in self.seen:  # an event can arrive more than once
            self.seen.add(event["id"])
            print(event["event"], event.get("path", ""), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_words):
        """Print events only."""


def main():
    """Serve until the process ends."""
    port, secret_file = sys.argv[1:]
    with open(secret_file, "rb") as file:
        Receiver.key = file.readline().rstrip(b"\r\n")
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
