"""Metrics in the format of Prometheus; only this room imports ``prometheus_client``."""

__all__: list[str] = []
