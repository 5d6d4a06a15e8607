"""Serve files from memory with a portal of your own: ``twistd -ny docs/examples/embed.tac``."""

from twisted.application import service, strports
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor

from ftpservice.api import FTPFactory, Realm, build_source, portal_checkers

realm = Realm(build_source("memory:", reactor), open_source=lambda text: build_source(text, reactor))
checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
factory = FTPFactory(Portal(realm, portal_checkers([checker])), reactor)
application = service.Application("files")
strports.service("tcp:2121:interface=127.0.0.1", factory).setServiceParent(application)
