"""Show a server's greeting, then log in: ``python client_before_login.py URL``."""

import sys

import ftpservice_client.blocking

with ftpservice_client.blocking.connect_without_login(sys.argv[1]) as pending:
    print(*pending.welcome, sep="\n")
    print("encrypted" if pending.is_secured else "not encrypted")
    destination = pending.destination
    with pending.log_in(destination.user, destination.password) as client:
        print(client.directory)
