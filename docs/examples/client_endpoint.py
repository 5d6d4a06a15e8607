"""Connect through an endpoint of your own: ``python client_endpoint.py URL ADDRESS PORT``."""

import sys

from twisted.internet.endpoints import TCP4ClientEndpoint

import ftpservice_client.blocking

url, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def endpoint(reactor):
    return TCP4ClientEndpoint(reactor, address, port)


with ftpservice_client.blocking.connect_endpoint(endpoint, url) as client:
    print(len(client.list().entries), "entries")
