"""The benchmark: ``python -m benchmarks``. It does not import the service that it measures."""

__all__: list[str] = []
