"""Sends spans to a collector with the libraries of OpenTelemetry (OTLP over HTTP).

The standard variables (``OTEL_*``) say what the setting does not: headers, certificates, time
limits, sampler, resource attributes. The calls block.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ftpservice import __version__
from ftpservice.activity.otel.span_feed import ExportResult
from ftpservice.activity.otel.span_records import SpanRecord, SpanRecords

__all__ = ["SpanExport"]

NAME = "ftpservice"
TIME_LIMIT_SECONDS = 5.0
"""Of a request with its retries, where no variable sets another one."""
TIME_LIMIT_NAMES = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
LIBRARY_LOG = "opentelemetry.exporter"
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
OK, NO_STATUS = Status(StatusCode.OK), Status(StatusCode.UNSET)
SECOND = 1_000_000_000


class _LastMessage(logging.Handler):
    """Keeps the last message of the library, which says more than its result."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text = record.getMessage()


class SpanExport:
    """Makes spans of what happened and sends them to the ``endpoint``, in one thread."""

    def __init__(self, endpoint: str) -> None:
        has_limit = any(os.environ.get(name) for name in TIME_LIMIT_NAMES)
        timeout = None if has_limit else TIME_LIMIT_SECONDS
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout)
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes["service.name"]).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": NAME}))
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._resource, self._sampler = resource, provider.sampler
        self._scope = InstrumentationScope(NAME, __version__)
        self._records = SpanRecords(lru_cache(8192)(self._is_sampled))
        self._message = _LastMessage()
        logging.getLogger(LIBRARY_LOG).addHandler(self._message)

    def export(self, happened: Iterable[Any]) -> ExportResult:
        """Send the spans of what happened."""
        spans = [self._span(record) for record in self._records.of(happened)]
        left_out, self._records.left_out = self._records.left_out, 0
        if not spans:
            return ExportResult(0, left_out)
        self._message.text = ""
        is_sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        problem = "" if is_sent else self._message.text or "no reason is known"
        return ExportResult(len(spans), left_out, problem)

    def stop(self) -> None:
        """End the pauses between attempts; may be called while another thread exports."""
        self._exporter.shutdown()
        logging.getLogger(LIBRARY_LOG).removeHandler(self._message)

    def _is_sampled(self, trace: int) -> bool:
        return bool(self._sampler.should_sample(None, trace, "session").decision.is_sampled())

    def _span(self, record: SpanRecord) -> ReadableSpan:
        trace, parent, error = record.trace, record.parent, record.error
        is_root = parent is None
        return ReadableSpan(
            record.name,
            SpanContext(trace, record.id, is_remote=False, trace_flags=SAMPLED),
            None if parent is None else SpanContext(trace, parent, False, SAMPLED),
            self._resource,
            record.attributes,
            kind=SpanKind.SERVER if is_root else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, error) if error else OK if is_root else NO_STATUS,
            start_time=round(record.start * SECOND),
            end_time=round(record.end * SECOND),
            instrumentation_scope=self._scope,
        )
