"""The servers of pyftpdlib, started as in its tutorial; run as a program.

Logins check the same argon2 hash as ours; everything else but limits and timeouts is the default.
"""

from __future__ import annotations

import argparse
import logging

from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret
from pyftpdlib.authorizers import (  # type: ignore[import-untyped]
    AuthenticationFailed,
    DummyAuthorizer,
)
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler  # type: ignore[import-untyped]
from pyftpdlib.ioloop import Poll  # type: ignore[import-untyped]
from pyftpdlib.servers import (  # type: ignore[import-untyped]
    FTPServer,
    MultiprocessFTPServer,
)

__all__ = ["main"]

MODELS = ("async", "prefork", "processes")
"""One process; processes that accept on one socket; a process for each session.

The processes of ``prefork`` use `poll`: pyftpdlib makes its epoll instance before it forks, so that
they would share it and take each other's events, which ends sessions under load.
"""


class HashingAuthorizer(DummyAuthorizer):  # type: ignore[misc]  # pyftpdlib has no annotations
    """Accounts whose passwords are argon2 hashes."""

    def validate_authentication(self, username: str, password: str, _: object) -> None:
        """Raise `AuthenticationFailed` for a wrong name or password."""
        account = self.user_table.get(username, {"pwd": ""})
        try:
            verify_secret(account["pwd"].encode(), password.encode(), Type.ID)
        except Argon2Error:
            raise AuthenticationFailed("wrong name or password") from None


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("root")
    parser.add_argument("name")
    parser.add_argument("hash")
    parser.add_argument("--no-sendfile", action="store_true")
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--certificate", help="a file with a certificate and its key, in PEM")
    parser.add_argument("--model", choices=MODELS, default="async")
    parser.add_argument("--workers", type=int, default=1, help="processes of the model prefork")
    return parser.parse_args()


def secured(certificate: str) -> type[FTPHandler]:
    """Return a handler with explicit TLS; needs pyOpenSSL."""
    from pyftpdlib.handlers import TLS_FTPHandler

    TLS_FTPHandler.certfile = certificate
    return TLS_FTPHandler  # type: ignore[no-any-return]


def main() -> None:
    """Serve until killed."""
    given = arguments()
    logging.basicConfig(level=logging.ERROR)
    authorizer = HashingAuthorizer()
    authorizer.add_user(given.name, given.hash, given.root, perm="elradfmwMT")
    handler = secured(given.certificate) if given.certificate else FTPHandler
    FTPHandler.authorizer = authorizer
    FTPHandler.timeout = 0
    if given.no_sendfile:
        FTPHandler.use_sendfile = False
    if given.rate:
        ThrottledDTPHandler.read_limit = ThrottledDTPHandler.write_limit = given.rate
        FTPHandler.dtp_handler = ThrottledDTPHandler
    kind = MultiprocessFTPServer if given.model == "processes" else FTPServer
    kind.max_cons = 0
    address = ("127.0.0.1", given.port)
    if given.model == "prefork":
        kind(address, handler, Poll()).serve_forever(worker_processes=given.workers)
    kind(address, handler).serve_forever()


if __name__ == "__main__":
    main()
