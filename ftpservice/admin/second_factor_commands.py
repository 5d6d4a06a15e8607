"""``ftpservice user second-factor``: the second factors of accounts for the HTTP server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from shlex import quote
from typing import Any

import click

from ftpservice.accounts.second_factors.factor_changes import (
    with_code_secret,
    with_new_recovery_codes,
)
from ftpservice.accounts.second_factors.factor_file import (
    FACTOR_FILE,
    FactorFile,
    FactorFileError,
)
from ftpservice.accounts.second_factors.factor_records import SecondFactors
from ftpservice.accounts.second_factors.one_time_codes import (
    TOTP_EXTRA_TEXT,
    enrolment_uri,
    has_totp_extra,
    new_code_secret,
    qr_of,
)
from ftpservice.activity.text_table import printable_text, table_lines
from ftpservice.admin.command_group import CommandGroup
from ftpservice.admin.command_output import AdminCommandError, show_warning
from ftpservice.admin.token_commands import configured_directory, data_directory_command
from ftpservice.service.settings.directories import acting_as
from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile, ShareFileError

__all__ = ["AccountFactors", "factors_option", "second_factor"]

Command = Callable[..., Any]
UNKNOWN_TEXT = (
    "without --config and --data-dir, second factors and share links of {} stay; "
    "if there are any: {}"
)
ISSUER = "ftpservice"


@click.group("second-factor", cls=CommandGroup)
def second_factor() -> None:
    """Add, show, list and remove the second factors of accounts.

    They are for logins to the HTTP server, in the data directory of the service, whatever the
    store of the account. A running service knows a change at once.
    """


def _factor_file(directory: Path) -> FactorFile:
    return FactorFile(directory / FACTOR_FILE)


factor_command = data_directory_command(_factor_file, FactorFileError)


@second_factor.command("add", short_help="Add an app for one-time codes.")
@click.argument("name")
@factor_command
def add_factor(file: FactorFile, *, name: str, as_json: bool) -> None:
    """Add an app for one-time codes (TOTP) to an account, and print its secret and a QR code.

    They, and the recovery codes of an account that had no second factor, are shown this once:
    give them to the user in a safe way. Users can add apps and passkeys themselves, too, on the
    page /security.
    """
    if not has_totp_extra():
        raise AdminCommandError(TOTP_EXTRA_TEXT, "MissingExtra")
    secret = new_code_secret()

    def add_first(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
        if factors.code_secret is not None:
            text = f"account {name!r} has an app for one-time codes already; remove it first"
            raise FactorFileError(text)
        return with_code_secret(secret, time.time())(factors)

    codes, uri = file.change(name, add_first), enrolment_uri(secret, name, ISSUER)
    if as_json:
        click.echo(json.dumps({"name": name, "secret": secret, "uri": uri, "recovery": codes}))
        return
    picture = StringIO()
    qr_of(uri).terminal(out=picture, compact=True)
    click.echo(f"{picture.getvalue()}secret: {secret}\n{uri}")
    _show_codes(codes)


@second_factor.command("recovery-codes", short_help="Replace the recovery codes.")
@click.argument("name")
@factor_command
def renew_codes(file: FactorFile, *, name: str, as_json: bool) -> None:
    """Replace the recovery codes of an account; the new ones are shown this once."""

    def renew(factors: SecondFactors) -> tuple[SecondFactors, list[str]]:
        if not factors.is_on:
            raise FactorFileError(f"account {name!r} has no second factor")
        return with_new_recovery_codes(factors)

    codes = file.change(name, renew)
    if as_json:
        click.echo(json.dumps({"name": name, "recovery": codes}))
    else:
        _show_codes(codes)


@second_factor.command("show")
@click.argument("name")
@factor_command
def show_factors(file: FactorFile, *, name: str, as_json: bool) -> None:
    """Show which second factors an account has; no secrets."""
    factors = file.find(name)
    if as_json:
        click.echo(json.dumps(factors.public_json(name)))
        return
    secret = factors.code_secret
    lines = [] if secret is None else [f"app for one-time codes, since {_day(secret.added)}"]
    lines += [
        f"passkey {printable_text(one.name, 60)} for {one.rp_id}, since {_day(one.added)}"
        for one in factors.passkeys
    ]
    if factors.is_on:
        lines.append(f"recovery codes: {len(factors.recovery_hashes)} left")
    click.echo("\n".join(lines) or f"account {name!r} has no second factor")


@second_factor.command("list", short_help="List the accounts with second factors.")
@factor_command
def list_factors(file: FactorFile, *, as_json: bool) -> None:
    """List the accounts with second factors."""
    found = sorted(file.read().items())
    if as_json:
        click.echo(json.dumps([one.public_json(name) for name, one in found], indent=1))
        return
    rows = [
        (
            printable_text(name, 60),
            "yes" if one.code_secret is not None else "no",
            str(len(one.passkeys)),
            str(len(one.recovery_hashes)),
        )
        for name, one in found
    ]
    click.echo("\n".join(table_lines(("NAME", "APP", "PASSKEYS", "RECOVERY CODES"), rows)))


@second_factor.command("remove")
@click.argument("name")
@factor_command
def remove_factors(file: FactorFile, *, name: str, as_json: bool) -> None:
    """Remove all second factors of an account, for a user who has lost them."""
    if not file.remove(name):
        raise FactorFileError(f"account {name!r} has no second factor")
    shown = f"account {name!r} has no second factor any more"
    click.echo(json.dumps({"removed": name}) if as_json else shown)


@second_factor.command("rename")
@click.argument("name")
@click.argument("new_name")
@factor_command
def rename_factors(file: FactorFile, *, name: str, new_name: str, as_json: bool) -> None:
    """Give the second factors to another name, which 'ftpservice user rename' does, too."""
    file.rename(name, new_name)
    shown = f"the second factors of {name!r} are now those of {new_name!r}"
    click.echo(json.dumps({"renamed": name, "to": new_name}) if as_json else shown)


def _show_codes(codes: list[str]) -> None:
    if codes:
        click.echo("recovery codes, each for one login:\n" + "\n".join(codes))


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


class AccountFactors:
    """The second factors and share links of an account that ``ftpservice user`` removes or renames.

    An account that gets the name later must not have them, and one that is renamed must not lose
    them. They are in ``directory``; None: there is none, or it is not ``is_known``.
    """

    def __init__(self, directory: str | None, is_known: bool) -> None:
        self._directory = directory
        self._is_known = is_known

    def check_rename(self, new_name: str) -> None:
        """Make sure that another account can get this name; raises `AdminCommandError`."""
        with self._files() as (factors, shares):
            if factors is not None and new_name in factors.read():
                text = (
                    f"there are second factors of another account {new_name!r}; "
                    f"remove them first: ftpservice user second-factor remove {quote(new_name)}"
                )
                raise AdminCommandError(text, "FactorFileError")
            if shares is not None and any(one.user == new_name for one in shares.read().values()):
                text = (
                    f"there are share links of another account {new_name!r}; "
                    f"remove them first: ftpservice share remove --user {quote(new_name)}"
                )
                raise AdminCommandError(text, "ShareFileError")

    def check(self) -> None:
        """Make sure that the files can be read; raises `AdminCommandError`."""
        with self._files() as files:
            for file in files:
                if file is not None:
                    file.read()

    def rename(self, name: str, new_name: str, as_json: bool) -> None:
        """Give both to the new name of an account; raises `AdminCommandError`."""
        command = f"ftpservice user rename {quote(name)} {quote(new_name)}"
        self._warn_if_unknown(name, command, as_json)
        with self._files(f"; then run this again: {command}") as (factors, shares):
            if factors is not None and name in factors.read():
                factors.rename(name, new_name)
            if shares is not None:
                shares.rename(name, new_name)

    def finish_rename(self, name: str, new_name: str) -> bool:
        """Give both to a renamed account, after an interruption; return whether there were any.

        Raises `AdminCommandError`.
        """
        with self._files() as (factors, shares):
            has_factors = factors is not None and name in factors.read()
            has_shares = shares is not None and any(
                one.user == name for one in shares.read().values()
            )
            if shares is not None and has_shares:
                shares.rename(name, new_name)
            if factors is not None and has_factors:
                factors.rename(name, new_name)
        return has_factors or has_shares

    def remove(self, name: str, as_json: bool) -> None:
        """Remove both of an account; raises `AdminCommandError`."""
        command = f"ftpservice user second-factor remove {quote(name)}"
        self._warn_if_unknown(name, command, as_json)
        with self._files(f"; then: {command}") as (factors, shares):
            if factors is not None:
                factors.remove(name)
            if shares is not None:
                shares.remove_of(name)

    def _warn_if_unknown(self, name: str, command: str, as_json: bool) -> None:
        if not self._is_known:
            show_warning(UNKNOWN_TEXT.format(repr(name), f"{command} --data-dir DIR"), as_json)

    @contextmanager
    def _files(self, remedy: str = "") -> Iterator[tuple[FactorFile | None, ShareFile | None]]:
        """Act as the owner of the directory, with its files; None for one that is not there."""
        if self._directory is None:
            yield None, None
            return
        try:
            state = os.stat(self._directory)
            with acting_as((state.st_uid, state.st_gid)):
                factors = FactorFile(Path(self._directory, FACTOR_FILE))
                shares = ShareFile(Path(self._directory, SHARE_FILE), time.time)
                yield (
                    factors if factors.path.exists() else None,
                    shares if shares.path.exists() else None,
                )
        except OSError as error:
            text = f"second factors: {self._directory}: {error.strerror}{remedy}"
            raise AdminCommandError(text, "NoDataDirectory") from None
        except ShareFileError as error:
            raise AdminCommandError(f"share links: {error}", type(error).__name__) from None
        except FactorFileError as error:
            text = f"second factors: {error}{remedy}"
            raise AdminCommandError(text, type(error).__name__) from None


def factors_option(function: Command) -> Command:
    """Add ``--data-dir`` to an account command, which gets the `AccountFactors` as ``factors``."""

    def take(context: click.Context, _parameter: object, directory: str | None) -> AccountFactors:
        config = context.params.get("config")
        if directory is None and config is None:
            return AccountFactors(None, False)
        return AccountFactors(directory or configured_directory(str(config)), True)

    return click.option(
        "--data-dir",
        "factors",
        metavar="DIR",
        callback=take,
        help="Data directory of the service, which has the second factors and share links "
        "[default: of --config].",
    )(function)
