"""The strcred name ``passwd:``; light enough for twistd to import with every command it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from ftpservice.accounts.checkers import PasswordFileChecker

__all__ = ["PasswdFactory"]

HELP = """
Checks names and passwords against a file with one account a line:

    name:argon2id-hash:root:rights:options

The options may be left out; the rights are required, "full" for all of them, and
the last line needs a line end, so that a file that was cut short opens nothing.
Empty lines and lines that begin with # are skipped. The file is read again when it
changes. A malformed line is logged and closes its account only.
"""


@implementer(ICheckerFactory, IPlugin)
class PasswdFactory:
    """Makes a `PasswordFileChecker` of ``passwd:passwd.db``.

    The checker wants to be started before the first login (`IStartable`).
    """

    authType = "passwd"
    authHelp = HELP
    argStringFormat = "Path of a file of accounts, like passwd.db."
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> PasswordFileChecker:
        """Read the file (blocks); raises `InvalidAuthArgumentString` when it is of no use."""
        from twisted.logger import Logger

        from ftpservice.accounts.checkers import PasswordFileChecker
        from ftpservice.accounts.passwd_file import PasswordFile

        path = argstring.strip()
        if not path:
            raise InvalidAuthArgumentString("passwd: wants a file, as in passwd:passwd.db")
        log = Logger("ftpservice.accounts")
        file = PasswordFile(path, lambda text: log.warn("{text}", text=text))
        try:
            contents = file.load()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidAuthArgumentString(
                f"passwd: cannot read {path!r}: {reason}; name a file with a line "
                "name:argon2id-hash for each account"
            ) from error
        if contents.malformed and not contents.accounts:
            raise InvalidAuthArgumentString(
                f"passwd: no account in {path!r} can be used: {contents.malformed[0]}"
            )
        return PasswordFileChecker(file)
