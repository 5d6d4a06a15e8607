"""What ``twistd`` finds: the service and the ``passwd:`` checker, as factories and nothing more."""

from twisted.application.service import ServiceMaker

from ftpservice.accounts.strcred import PasswdFactory

__all__ = ["ftpservice", "passwd"]

ftpservice = ServiceMaker(
    "ftpservice", "ftpservice.service.tap", "An FTP service over virtual filesystems.", "ftpservice"
)
passwd = PasswdFactory()
