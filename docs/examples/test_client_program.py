"""Test a program in memory, with network faults: ``trial test_client_program``."""

from twisted.trial.unittest import SynchronousTestCase

from ftpservice_client import NetworkError, Settings
from ftpservice_client.testing import Fault, MemoryService

ORDERS = b"an order\n" * 100_000


async def fetch_orders(client):
    """The program to be tested."""
    transfer = await client.download("orders.csv")
    await client.rename("orders.csv", "orders.done")
    return transfer.data.count(b"\n")


class OrdersTests(SynchronousTestCase):
    def setUp(self):
        self.service = MemoryService({"ann": "secret"})
        self.service.write("orders.csv", ORDERS)

    def client(self, retries=0):
        settings = Settings(netrc=None, retries=retries)
        return self.service.result(self.service.connect("ftp://ann:secret@server/", settings))

    def test_all_orders_are_counted(self):
        count = self.service.result(fetch_orders(self.client()))
        self.assertEqual(count, 100_000)
        self.assertEqual(self.service.read("orders.done"), ORDERS)

    def test_a_reset_leaves_the_orders_in_place(self):
        client = self.client()
        self.service.faults.data(Fault(reset_after=50_000))
        self.service.failure(fetch_orders(client), NetworkError, seconds=60)
        self.assertEqual(self.service.read("orders.csv"), ORDERS)

    def test_retries_continue_after_a_reset_and_a_stall(self):
        client = self.client(retries=3)
        self.service.faults.data(Fault(reset_after=50_000), Fault(stall_after=70_000))
        self.assertEqual(self.service.result(fetch_orders(client), seconds=300), 100_000)
