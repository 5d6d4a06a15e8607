"""The options of ``twistd ftpservice``: the table's rows, the command line before the TOML file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.cred import strcred
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.python import usage

from ftpservice import __version__
from ftpservice.service.settings.errors import error_text
from ftpservice.service.settings.setting import Setting, SettingKind
from ftpservice.service.settings.settings import ServiceSettings, SettingsConflict, settings_from
from ftpservice.service.settings.table import SETTINGS, SETTINGS_BY_NAME
from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

__all__ = ["ServiceOptions"]

PASSWORD_FILE = "passwd.db"
NO_LOGIN_TEXT = (
    f"nobody could log in: there is no {PASSWORD_FILE} here; give --auth passwd:FILE for "
    "accounts, or --anonymous to let everybody read"
)


CHECK = (
    "Only see whether the service would start with these settings, and say what is wrong (exit "
    "status 1); nothing is made, and no port is bound."
)


def _help(setting: Setting) -> str:
    default = setting.default
    if setting.kind is SettingKind.FLAG or default is None or default == ():
        return setting.help
    shown = ", ".join(default) if isinstance(default, tuple) else default
    return f"{setting.help} [default: {shown}]"


def _repeatable(name: str) -> Callable[[ServiceOptions, str], None]:
    """Return the method for an option that may be given more than once."""

    def add(self: ServiceOptions, text: str) -> None:
        self._add(name, text)

    add.__doc__ = f"{_help(SETTINGS_BY_NAME[name])} May be given more than once."
    return add


class ServiceOptions(usage.Options, strcred.AuthOptionMixin):
    """Reads a command line; afterwards ``settings`` holds what was decided.

    ``parseOptions`` raises `usage.UsageError` with one line that says what to do.
    """

    supportedInterfaces = (IUsernamePassword, IAnonymous)
    synopsis = "[options]"
    longdesc = (
        "Serves files over FTP. Every option may also stand in a TOML file (--config) under the "
        "same name; paths are relative to the directory that the service is started in."
    )
    optFlags = [
        ["check", None, CHECK],
        *(
            [setting.name, None, _help(setting)]
            for setting in SETTINGS
            if setting.kind is SettingKind.FLAG
        ),
    ]
    optParameters = [
        ["config", "c", None, "A TOML file with settings; options override it."],
        *(
            [setting.name, None, None, _help(setting)]
            for setting in SETTINGS
            if setting.kind not in (SettingKind.FLAG, SettingKind.TEXTS)
        ),
    ]
    settings: ServiceSettings
    decided: dict[str, Any]
    """The values that the file and the command line have given, by name."""

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, tuple[Any, ...]] = {}

    opt_listen = _repeatable("listen")
    opt_implicit = _repeatable("implicit")
    opt_simple = _repeatable("simple")
    opt_simple_tls = _repeatable("simple-tls")
    opt_certificate = _repeatable("certificate")
    opt_key = _repeatable("key")
    opt_passive_address = _repeatable("passive-address")
    opt_host_names = _repeatable("host-names")

    def opt_auth(self, description: str) -> None:  # noqa: D102 - the table has its words
        try:
            self.addChecker(strcred.makeChecker(description))
        except strcred.InvalidAuthType:
            kind = description.partition(":")[0]
            raise usage.UsageError(f"--auth {kind}: unknown kind; --help-auth lists them") from None
        except strcred.UnsupportedInterfaces:
            raise usage.UsageError(f"--auth {description}: FTP has no such logins") from None
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
            raise usage.UsageError(f"--auth: {error_text(error)}") from None

    opt_auth.__doc__ = f"{_help(SETTINGS_BY_NAME['auth'])} May be given more than once."

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"ftpservice {__version__}")  # noqa: T201 - this is what was asked for
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        """Refuse words that belong to no option."""
        if words:
            raise usage.UsageError(f"what is {words[0]!r}? Options begin with --; see --help")

    def postOptions(self) -> None:
        """Read the TOML file, put the command line before it, see that somebody can log in."""
        self._directory = os.getcwd()
        self.decided = values = self.reread_values()
        if not self.checkers:
            for description in values.get("auth", ()):
                self.opt_auth(description)
        if not self.checkers and not values["anonymous"]:
            if not os.path.exists(PASSWORD_FILE):
                raise usage.UsageError(NO_LOGIN_TEXT)
            self.opt_auth(f"passwd:{PASSWORD_FILE}")
        values["anonymous"] |= bool(self._anonymous_checkers())
        self.settings = self.settings_of(values)

    def reread_values(self) -> dict[str, Any]:
        """Read the TOML file (blocks), and put the command line before it."""
        values = self._from_file() | self._given()
        values["anonymous"] = values.get("anonymous", False) or bool(self._anonymous_checkers())
        return values

    def settings_of(self, values: Mapping[str, Any]) -> ServiceSettings:
        """Return the settings for values by name; raises `usage.UsageError`."""
        given = {name: value for name, value in values.items() if name != "auth"}
        try:
            return settings_from(given, self._directory)
        except SettingsConflict as error:
            raise usage.UsageError(str(error)) from None

    @property
    def checkers(self) -> list[Any]:
        """The credentials checkers, in the order they were given."""
        return list(self.get("credCheckers", []))

    def _anonymous_checkers(self) -> list[Any]:
        return list(self.get("credInterfaces", {}).get(IAnonymous, []))

    def _add(self, name: str, text: str) -> None:
        self._lists[name] = self._lists.get(name, ()) + tuple(_read(name, text))

    def _from_file(self) -> dict[str, Any]:
        if self["config"] is None:
            return {}
        moved = os.getcwd() != self._directory
        path = os.path.join(self._directory, self["config"]) if moved else self["config"]
        try:
            return load_toml(path)
        except BadConfiguration as error:
            raise usage.UsageError(f"--config {error}") from None

    def _given(self) -> dict[str, Any]:
        """Return what the command line set."""
        given: dict[str, Any] = dict(self._lists)
        for setting in SETTINGS:
            if setting.kind is SettingKind.FLAG and self[setting.name]:
                given[setting.name] = True
            elif setting.name in self and setting.kind not in (SettingKind.FLAG, SettingKind.TEXTS):
                text = self[setting.name]
                given |= {} if text is None else {setting.name: _read(setting.name, text)}
        return given


def _read(name: str, text: str) -> Any:
    try:
        return SETTINGS_BY_NAME[name].from_text(text)
    except ValueError as error:
        raise usage.UsageError(f"--{name}: {error_text(error)}") from None
