"""What a cluster of many nodes needs: a simulation of leases, and measurements of few nodes."""

__all__: list[str] = []
