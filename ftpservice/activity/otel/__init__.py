"""Traces for OpenTelemetry; only ``span_export`` imports its libraries."""

__all__: list[str] = []
