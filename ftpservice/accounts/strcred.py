"""The strcred plugin ``passwd:``; twistd imports it with every command, so it imports little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString
from twisted.plugin import IPlugin
from zope.interface import implementer

from ftpservice.accounts.account_store import IAccountStoreFactory

if TYPE_CHECKING:
    from ftpservice.accounts.checkers import PasswordFileChecker
    from ftpservice.accounts.passwd_store import PasswordFileStore

__all__ = ["PasswdFactory"]

HELP = """
Accounts in a file, one line each:

    name:argon2id-hash:root:rights:options

The options are optional; the rights are required ("full" for all). The last line
must end with a line end, so that a truncated file grants nothing. Empty lines and
lines that begin with # are ignored; lines that begin with @ are groups. The file is
read again when it changes. A malformed line is logged and disables its account, or
the accounts of its group.
"""


@implementer(ICheckerFactory, IAccountStoreFactory, IPlugin)
class PasswdFactory:
    """Creates a `PasswordFileChecker` for ``passwd:passwd.db``.

    Start the checker before the first login (`IStartable`).
    """

    authType = "passwd"
    authHelp = HELP
    argStringFormat = "Path of a file of accounts, like passwd.db."
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> PasswordFileChecker:
        """Read the file (blocks); raises `InvalidAuthArgumentString` if it cannot be used."""
        from twisted.logger import Logger

        from ftpservice.accounts.checkers import PasswordFileChecker
        from ftpservice.accounts.passwd_file import PasswordFile
        from ftpservice.accounts.passwd_store import PasswordFileStore

        path = _path(argstring)
        log = Logger("ftpservice.accounts")
        file = PasswordFile(path, lambda text: log.warn("{text}", text=text))
        try:
            contents = file.load()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidAuthArgumentString(
                f"passwd: cannot read {path!r}: {reason}; ftpservice user add makes such a file"
            ) from error
        problems = contents.problems()
        if problems and not contents.accounts:
            raise InvalidAuthArgumentString(
                f"passwd: no account in {path!r} can be used: {problems[0]}"
            )
        return PasswordFileChecker(file, store=PasswordFileStore(path))

    def openStore(self, argstring: str) -> PasswordFileStore:
        """Return the accounts of the file, to be changed; it need not exist."""
        from ftpservice.accounts.passwd_store import PasswordFileStore

        return PasswordFileStore(_path(argstring))


def _path(argstring: str) -> str:
    path = argstring.strip()
    if not path:
        raise InvalidAuthArgumentString("passwd: the file is missing, as in passwd:passwd.db")
    return path
