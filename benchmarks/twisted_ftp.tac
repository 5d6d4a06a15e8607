"""Twisted's own FTP server as ``twistd ftp`` makes it, but for one account that may write.

``twistd ftp`` itself serves homes below /home only, and its checkers refuse every FTP login.
"""

import os

from argon2.exceptions import Argon2Error
from argon2.low_level import Type, verify_secret
from twisted.application import internet, service
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import fail, succeed
from twisted.protocols.ftp import FTP, FTPFactory, FTPRealm
from zope.interface import implementer

root, name = os.path.split(os.environ["BENCHMARK_ROOT"])


@implementer(ICredentialsChecker)
class OneAccount:
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials):
        try:
            verify_secret(
                os.environ["BENCHMARK_HASH"].encode(), credentials.password.encode(), Type.ID
            )
        except Argon2Error:
            return fail(UnauthorizedLogin())
        return succeed(name)


factory = FTPFactory(Portal(FTPRealm(root, userHome=root), [OneAccount()]))
factory.protocol = FTP
factory.timeOut = None
application = service.Application("ftp")
internet.TCPServer(
    int(os.environ["BENCHMARK_PORT"]), factory, backlog=4096, interface="127.0.0.1"
).setServiceParent(application)
