"""For tests of programs that use the client: a service and a network in memory."""

__all__: list[str] = []
