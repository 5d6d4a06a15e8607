"""The options of ``twistd ftpservice``, made from `SETTINGS`; they override the TOML file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.cred import strcred
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.python import usage

from ftpservice import __version__
from ftpservice.accounts.stores.url_passwords import (
    IN_COMMAND_LINE_TEXT,
    has_password,
    without_password,
)
from ftpservice.service.settings.errors import SettingsConflict, error_text
from ftpservice.service.settings.setting import FLAG, TABLES, TEXTS, Setting
from ftpservice.service.settings.settings import (
    SETTINGS,
    ServiceSettings,
    settings_from,
)
from ftpservice.service.settings.toml_file import BadConfiguration, read_toml, values_of
from ftpservice.workers.handover import Handover

__all__ = ["ServiceOptions", "UnexpectedArgument"]

PASSWORD_FILE = "passwd.db"
DATABASES = ("journal", "cluster")
"""Settings that may have a password in a URL."""
NO_ACCOUNTS_TEXT = (
    f"no accounts: there is no {PASSWORD_FILE} in this directory; give --auth passwd:FILE, or "
    "--anonymous for read-only access without an account"
)
CHECK_HELP = (
    "Check whether the service would start with these settings, print what is wrong and exit "
    "(status 1 if it would not start); creates no file and binds no port."
)


def _help(setting: Setting) -> str:
    default = setting.default
    if setting.kind is FLAG or default is None or default == ():
        return setting.help
    shown = ", ".join(default) if isinstance(default, tuple) else default
    return f"{setting.help} [default: {shown}]"


class UnexpectedArgument(usage.UsageError):
    """A word that is not an option."""


class ServiceOptions(usage.Options, strcred.AuthOptionMixin):
    """Parses a command line into ``settings``.

    ``parseOptions`` raises `usage.UsageError` with one line that says what to do.
    """

    is_for_command = False
    """Whether a command of this program parses them; without ``parent``, an embedding one does."""
    supportedInterfaces = (IUsernamePassword, IAnonymous)
    synopsis = "[options]"
    longdesc = (
        "Serves files over FTP. Every option can also be set in a TOML file (--config), as a key "
        "of the same name. Relative paths start at the directory of the start."
    )
    optFlags = [
        ["check", None, CHECK_HELP],
        *(
            [name, None, _help(setting)]
            for name, setting in SETTINGS.items()
            if setting.kind is FLAG
        ),
    ]
    optParameters = [
        ["config", "c", None, "TOML file with settings; options override it."],
        *(
            [name, None, None, _help(setting)]
            for name, setting in SETTINGS.items()
            if setting.kind not in (FLAG, TABLES, TEXTS)
        ),
    ]
    settings: ServiceSettings

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, tuple[Any, ...]] = {}
        self.stores: list[str] = []
        """The ``--auth`` strings of the checkers, in their order."""
        self.words: list[str] = []
        """The command line."""
        self.read_configuration: Callable[[str], str] = read_toml
        """Returns the text of the TOML file of a path; raises `ValueError`."""
        self.handover: Handover | None = None
        """What the program before this one has handed over."""
        self.configuration: str | None = None
        """The text that was read last; None without a file."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse a command line; raises `usage.UsageError`."""
        self.words = list(sys.argv[1:] if options is None else options)
        super().parseOptions(self.words)

    def getSynopsis(self) -> str:
        """Return the first line of the help: the command may be ``ftpservice serve``."""
        synopsis = getattr(self.parent, "ftpservice_synopsis", None)
        return synopsis or str(super().getSynopsis())

    def opt_auth(self, description: str) -> None:  # noqa: D102 - its help is that of the setting
        if has_password(description):
            raise usage.UsageError(f"--auth: {IN_COMMAND_LINE_TEXT}")
        self._add_store(description)

    def _add_store(self, description: str) -> None:
        try:
            self.addChecker(strcred.makeChecker(description))
            self.stores.append(description)
        except strcred.InvalidAuthType:
            kind = description.partition(":")[0]
            raise usage.UsageError(f"--auth {kind}: unknown kind; see --help-auth") from None
        except strcred.UnsupportedInterfaces:
            shown = without_password(description)
            raise usage.UsageError(
                f"--auth {shown}: it checks neither passwords nor anonymous logins"
            ) from None
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
            raise usage.UsageError(f"--auth: {error_text(error)}") from None

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"ftpservice {__version__}")  # noqa: T201 - the output that was asked for
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        """Refuse arguments that are not options."""
        if words:
            raise UnexpectedArgument(f"unexpected argument {words[0]!r}; see --help")

    def postOptions(self) -> None:
        """Read the TOML file and require that some login is possible."""
        self.directory = os.getcwd()
        settings = self.read_settings()
        if not self.checkers:
            for description in settings.auth:
                self._add_store(description)
        if not self.checkers and not settings.anonymous:
            if not os.path.exists(PASSWORD_FILE):
                raise usage.UsageError(NO_ACCOUNTS_TEXT)
            self.opt_auth(f"passwd:{PASSWORD_FILE}")
        self.settings = self._with_anonymous(settings)

    def read_settings(self) -> ServiceSettings:
        """Read the TOML file (blocks), and apply the options; raises `usage.UsageError`."""
        try:
            settings = settings_from(self._from_file() | self._given(), self.directory)
        except SettingsConflict as error:
            raise usage.UsageError(str(error)) from None
        return self._with_anonymous(settings)

    @property
    def checkers(self) -> list[Any]:
        """The credentials checkers, in the order of the options."""
        return list(self.get("credCheckers", []))

    def _with_anonymous(self, settings: ServiceSettings) -> ServiceSettings:
        """Return settings where a checker for anonymous logins counts as ``--anonymous``."""
        offered = bool(self.get("credInterfaces", {}).get(IAnonymous))
        return replace(settings, anonymous=settings.anonymous or offered)

    def _from_file(self) -> dict[str, Any]:
        if self["config"] is None:
            return {}
        moved = os.getcwd() != self.directory
        path = os.path.join(self.directory, self["config"]) if moved else self["config"]
        try:
            self.configuration = self.read_configuration(path)
            return values_of(self.configuration, path)
        except BadConfiguration as error:
            raise usage.UsageError(f"--config {error}") from None

    def _given(self) -> dict[str, Any]:
        """Return the values of the command line, by name."""
        given: dict[str, Any] = dict(self._lists)
        for name, setting in SETTINGS.items():
            if setting.kind is FLAG and self[name]:
                given[name] = True
            elif setting.kind not in (FLAG, TABLES, TEXTS) and self[name] is not None:
                if name in DATABASES and has_password(self[name]):
                    raise usage.UsageError(f"--{name}: {IN_COMMAND_LINE_TEXT}")
                given[name] = _parsed(setting, self[name])
        return given


def _parsed(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        raise usage.UsageError(f"--{setting.name}: {error_text(error)}") from None


def _repeatable(setting: Setting) -> Callable[[ServiceOptions, str], None]:
    """Return the method of an option that may be given more than once."""

    def add(self: ServiceOptions, text: str) -> None:
        self._lists[setting.name] = self._lists.get(setting.name, ()) + _parsed(setting, text)

    return add


for _name, _setting in SETTINGS.items():
    if _setting.kind is TEXTS:
        _method = f"opt_{_name.replace('-', '_')}"
        if not hasattr(ServiceOptions, _method):
            setattr(ServiceOptions, _method, _repeatable(_setting))
        getattr(ServiceOptions, _method).__doc__ = f"{_help(_setting)} May be given more than once."
