"""The benchmark: ``python -m benchmarks``. Imports nothing of the service that it measures."""

__all__: list[str] = []
