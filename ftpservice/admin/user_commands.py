"""``ftpservice user``: add, change, list and remove the accounts of a store."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import click

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import IAccountStore, IPasswordStore
from ftpservice.accounts.checkers import password_bytes
from ftpservice.accounts.passwd_line import (
    LISTS,
    OPTIONS,
    check_name,
    parse_option,
    parse_rights_text,
    parse_root,
)
from ftpservice.accounts.password_hash import hash_password, verify
from ftpservice.admin.account_view import account_json, account_lines, account_table
from ftpservice.admin.command_group import CommandGroup
from ftpservice.admin.password_input import check_strength, read_password
from ftpservice.admin.store_options import FAILED_STATUS, account_command

__all__ = ["user"]

NONE_WORD = "none"
"""As the value of an option: not set."""
OPTION_HELP = {
    "max-sessions": ("NUMBER", "Sessions that the account may have at a time."),
    "rate-down": ("SIZE", "Bytes per second of all its downloads together, such as 20M."),
    "rate-up": ("SIZE", "Bytes per second of all its uploads together."),
    "quota": ("SIZE", "Bytes that the files below its root may take up, such as 10G."),
    "quota-files": ("NUMBER", "Files, directories and links that there may be below its root."),
    "expires": ("DATE", "Last day of logins, such as 2027-01-31."),
    "hours": (
        "HOURS",
        "When it may log in, such as 'Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00'.",
    ),
    "from": ("NETWORK", "Network to accept logins from; may be given more than once."),
    "mount": (
        "PATH=STORAGE[,read-only]",
        "Storage at a path of the account's tree, such as /archive=local:/mnt/archive,read-only; "
        "may be given more than once.",
    ),
    "hide": (
        "PATTERNS",
        "Names that the account does not see, with semicolons, such as '.git; *.tmp'.",
    ),
    "refuse": ("PATTERNS", "Names that it cannot create, such as '*.exe; *.bat'."),
    "umask": ("MASK", "Permission bits to clear in its new files and directories, such as 027."),
    "ascii": ("on|off", "Convert line ends in TYPE A."),
    "tls": ("required", "Require TLS on both connections."),
    "tls-cert": ("required|login", "Use of a client certificate with the name of the account."),
}
"""The options of an account in ``passwd.db``, but for ``disabled`` (``user lock``)."""
DEFAULTS = {
    field.name: field.default for field in fields(AccountRecord) if field.default is not MISSING
}

Command = Callable[..., Any]


@click.group(cls=CommandGroup)
def user() -> None:
    """Add, change, list and remove accounts.

    Changes are in force within a few seconds, also for sessions that run. Without --store and
    --config: passwd:passwd.db.
    """


def account_options(function: Command) -> Command:
    """Add the options that describe an account."""
    for key, (metavar, text) in reversed(OPTION_HELP.items()):
        decorate = click.option(
            f"--{key}",
            key.replace("-", "_"),
            metavar=metavar,
            help=text,
            multiple=key in OPTIONS and OPTIONS[key][0] in LISTS,
        )
        function = decorate(function)
    rights = (
        "Preset (full, read, upload-only, read-append) or operations, with commas; then those to "
        "directories: 'read; /in: upload-only'."
    )
    function = click.option("--rights", metavar="RIGHTS", help=rights)(function)
    root = "Directory below the root of the service, or a storage such as local:/srv/attic."
    return click.option("--root", metavar="PATH", help=root)(function)


password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


def new_password(function: Command) -> Command:
    """Add the options for a new password; ``read_hash`` is called to ask for it and hash it."""

    @password_stdin
    @click.option("--force", is_flag=True, help="Accept a weak password.")
    @functools.wraps(function)
    def run(
        *store: IAccountStore, name: str, password_stdin: bool, force: bool, **others: Any
    ) -> None:
        def read_hash() -> str:
            password = read_password(password_stdin)
            if not force:
                check_strength(password, name)
            return hash_password(password)

        function(*store, name=name, read_hash=read_hash, **others)

    return run


name_argument = click.argument("name")


@user.command("add")
@name_argument
@account_options
@account_command
@new_password
def add_user(
    store: IAccountStore, *, name: str, as_json: bool, read_hash: Callable[[], str], **options: Any
) -> None:
    """Add an account; asks for its password."""
    changes = _changes(options)
    _check_name(name)
    record = replace(AccountRecord(name, read_hash()), **changes)
    store.add(record)
    _report(record, as_json, f"account {name!r} added to {store.place}")


@user.command("passwd")
@name_argument
@account_command
@new_password
def change_password(
    store: IAccountStore, *, name: str, as_json: bool, read_hash: Callable[[], str]
) -> None:
    """Change the password of an account."""
    store.find(name)
    _change(store, name, {"password_hash": read_hash()}, as_json, "has a new password")


@user.command("set", short_help="Change the root, rights or options of an account.")
@name_argument
@account_options
@account_command
def set_user(store: IAccountStore, *, name: str, as_json: bool, **options: Any) -> None:
    """Change the root, rights or options of an account; the value 'none' removes an option."""
    changes = _changes(options)
    if not changes:
        raise click.UsageError("nothing to change; give at least one option")
    _change(store, name, changes, as_json, "changed")


@user.command("lock")
@name_argument
@account_command
def lock_user(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Refuse the logins of an account."""
    _change(store, name, {"disabled": True}, as_json, "locked")


@user.command("unlock")
@name_argument
@account_command
def unlock_user(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Accept the logins of a locked account again."""
    _change(store, name, {"disabled": False}, as_json, "unlocked")


@user.command("rename")
@name_argument
@click.argument("new_name")
@account_command
def rename_user(store: IAccountStore, *, name: str, new_name: str, as_json: bool) -> None:
    """Give an account another name; its root and password stay."""
    _check_name(new_name)
    _change(store, name, {"name": new_name}, as_json, f"is now {new_name!r}")


@user.command("remove")
@name_argument
@account_command
def remove_user(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Remove an account; its files stay."""
    store.remove(name)
    click.echo(json.dumps({"removed": name}) if as_json else f"account {name!r} removed")


@user.command("show")
@name_argument
@account_command
def show_user(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Show an account."""
    record = store.find(name)
    shown = json.dumps(account_json(record)) if as_json else "\n".join(account_lines(record))
    click.echo(shown)


@user.command("list", short_help="List the accounts.")
@account_command
def list_users(store: IAccountStore, *, as_json: bool) -> None:
    """List the accounts; entries that cannot be used are named on stderr."""
    records = store.accounts()
    if as_json:
        click.echo(json.dumps([account_json(record) for record in records], indent=1))
    elif records:
        click.echo("\n".join(account_table(records)))
    for problem in store.problems():
        click.echo(f"ftpservice: warning: {problem}", err=True)


@user.command("check", short_help="Check the store, or a password.")
@click.argument("name", required=False)
@password_stdin
@account_command
def check_users(
    store: IAccountStore, *, name: str | None, as_json: bool, password_stdin: bool
) -> None:
    """Check the store for entries that cannot be used or, with NAME, a password of that account.

    The exit status is 1 if something is wrong.
    """
    problems = list(store.problems()) if name is None else []
    if name is not None:
        problems += _password_problems(store, name, password_stdin)
    if as_json:
        click.echo(json.dumps({"problems": problems}))
    else:
        click.echo("\n".join(problems) or "no problems")
    if problems:
        raise SystemExit(FAILED_STATUS)


def _password_problems(store: IAccountStore, name: str, password_stdin: bool) -> list[str]:
    """Ask for a password; return why a login with it would be refused."""
    if IPasswordStore.providedBy(store):
        password = password_bytes(read_password(password_stdin, twice=False))
        return list(IPasswordStore(store).check_password(name, password))
    record = store.find(name)
    password = password_bytes(read_password(password_stdin, twice=False))
    problems = [] if verify(record.password_hash, password) else [f"wrong password for {name!r}"]
    if record.disabled:
        problems.append(f"account {name!r} is locked")
    if record.hours is not None and not record.hours.contain(time.time()):
        problems.append(f"account {name!r} may log in at other hours only: {record.hours}")
    return problems


def _changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the options set; raises `click.UsageError`."""
    try:
        return _parsed(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _parsed(options: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, given in options.items():
        for value in given if isinstance(given, tuple) else (given,):
            if value is None:
                continue
            if key == "rights":
                changes |= parse_rights_text(value)
                continue
            field, parsed = _field_value(key.replace("_", "-"), value)
            changes[field] = changes.get(field, ()) + parsed if field in LISTS else parsed
    return changes


def _field_value(key: str, value: str) -> tuple[str, Any]:
    """Return the field of `AccountRecord` that an option sets, and its value."""
    if key == "root":
        return key, parse_root(value)
    if value == NONE_WORD:
        field, _ = OPTIONS[key]
        return field, DEFAULTS[field]
    return parse_option(key, value)


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _change(
    store: IAccountStore, name: str, changes: Mapping[str, Any], as_json: bool, done: str
) -> None:
    _report(store.change(name, changes), as_json, f"account {name!r} {done}")


def _report(record: AccountRecord, as_json: bool, text: str) -> None:
    click.echo(json.dumps(account_json(record)) if as_json else text)
