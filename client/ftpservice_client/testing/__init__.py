"""For tests of programs that use the client: a service and a network in memory, with faults."""

from ftpservice_client.testing.faults import Fault
from ftpservice_client.testing.network import MemoryNetwork
from ftpservice_client.testing.service import MemoryService

__all__ = [
    "Fault",
    "MemoryNetwork",
    "MemoryService",
]
