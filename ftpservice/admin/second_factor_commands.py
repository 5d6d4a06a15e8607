"""``ftpservice user second-factor``: the second factors of accounts for the HTTP server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

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
from ftpservice.admin.command_output import AdminCommandError, CommandGroup
from ftpservice.admin.token_commands import data_directory_command
from ftpservice.state_files.private_json import DocumentStore

__all__ = ["second_factor"]

ISSUER = "ftpservice"


@click.group("second-factor", cls=CommandGroup)
def second_factor() -> None:
    """Add, show, list and remove the second factors of accounts.

    They are for logins to the HTTP server, in the data directory of the service, whatever the
    store of the account. A running service knows a change at once.
    """


def _factor_file(directory: Path, documents: DocumentStore) -> FactorFile:
    return FactorFile(directory / FACTOR_FILE, documents)


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
