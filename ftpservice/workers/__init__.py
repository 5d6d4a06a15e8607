"""Several processes that serve one set of ports: what main and worker processes have in common."""

__all__: list[str] = []
