"""The plugins for ``twistd``: the service and the ``passwd:`` checker. Imports little."""

from twisted.application.service import ServiceMaker

from ftpservice.accounts.strcred import PasswdFactory

__all__ = ["ftpservice", "passwd"]

ftpservice = ServiceMaker(
    "ftpservice", "ftpservice.service.tap", "FTP and FTPS server.", "ftpservice"
)
passwd = PasswdFactory()
