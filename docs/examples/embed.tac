"""Serve files from memory with a portal of your own: ``twistd -ny docs/examples/embed.tac``."""

from twisted.application import service, strports
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor

from ftpservice.accounts.realm import Realm
from ftpservice.accounts.portal_checkers import portal_checkers
from ftpservice.control.factory import FTPFactory
from ftpservice.backends.strings import build_source

realm = Realm(build_source("memory:", reactor), open_source=lambda text: build_source(text, reactor))
checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
factory = FTPFactory(Portal(realm, portal_checkers([checker])), reactor)
application = service.Application("files")
strports.service("tcp:2121:interface=127.0.0.1", factory).setServiceParent(application)
