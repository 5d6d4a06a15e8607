"""A receiver of OTLP over HTTP, which decodes what it gets with the library's own classes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["OTLPReceiver", "facts"]


class OTLPReceiver:
    """A context manager; ``status`` is the answer, and while ``held`` is set there is none."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.held = threading.Event()
        self.asked = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.asked.set()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.held.is_set():
                    receiver.closing.wait(30)
                    return
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if receiver.status == 200:
                    receiver.headers.append({"path": self.path, **dict(self.headers)})
                    receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> OTLPReceiver:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The URL of the receiver."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[Any]:
        """All spans that have come."""
        return list(self._spans())

    def _spans(self) -> Iterator[Any]:
        for request in tuple(self.requests):
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans


def facts(attributes: Any) -> dict[str, Any]:
    """Return the attributes of a span or resource."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
