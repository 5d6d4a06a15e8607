"""The plugins for ``twistd``: the service and the kinds of account stores. Imports little."""

from twisted.application.service import ServiceMaker

from ftpservice.accounts.external.factories import HTTPFactory, LDAPFactory, PAMFactory
from ftpservice.accounts.sql.sql_plugin import SQLFactory
from ftpservice.accounts.strcred import PasswdFactory

__all__ = ["ftpservice", "http", "ldap", "pam", "passwd", "sql"]

ftpservice = ServiceMaker(
    "ftpservice", "ftpservice.service.tap", "FTP and FTPS server.", "ftpservice"
)
passwd = PasswdFactory()
ldap = LDAPFactory()
pam = PAMFactory()
http = HTTPFactory()
sql = SQLFactory()
