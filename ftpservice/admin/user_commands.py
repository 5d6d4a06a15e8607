"""``ftpservice user``: add, change, list and remove the accounts of a store."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import click

from ftpservice.accounts.account_changes import new_record
from ftpservice.accounts.account_json import account_json, origins_json
from ftpservice.accounts.account_record import AccountRecord, renamed
from ftpservice.accounts.account_store import (
    AccountStoreError,
    IAccountStore,
    InvalidAccount,
    IPasswordStore,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.checkers import password_bytes
from ftpservice.accounts.groups.group_names import is_group
from ftpservice.accounts.groups.home_template import has_fields
from ftpservice.accounts.passwd_line import check_name
from ftpservice.accounts.password_hash import hash_password, verify
from ftpservice.accounts.password_strength import check_strength
from ftpservice.accounts.storage_problems import storage_problems
from ftpservice.admin.account_data import AccountData, data_option
from ftpservice.admin.accounts.account_options import account_options, changes_of, groups_option
from ftpservice.admin.accounts.account_view import (
    account_lines,
    account_table,
)
from ftpservice.admin.command_output import (
    FAILED_STATUS,
    AdminCommandError,
    CommandGroup,
    show_warning,
)
from ftpservice.admin.password_input import read_password
from ftpservice.admin.store_options import account_command

__all__ = ["user"]

Command = Callable[..., Any]


@click.group(cls=CommandGroup)
def user() -> None:
    """Add, change, list and remove accounts.

    An account inherits values from its groups (ftpservice group).
    Changes are in force within a few seconds, also for sessions that run. Without --store and
    --config: passwd:passwd.db.
    """


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


def _account_name(_context: object, _parameter: object, name: str) -> str:
    if is_group(name):
        raise click.UsageError(f"{name!r} is a group; see: ftpservice group")
    return name


name_argument = click.argument("name", callback=_account_name)


@user.command("add")
@name_argument
@groups_option
@account_options
@account_command
@data_option
@new_password
def add_user(
    store: IAccountStore,
    *,
    name: str,
    as_json: bool,
    read_hash: Callable[[], str],
    data: AccountData,
    **options: Any,
) -> None:
    """Add an account; asks for its password."""
    changes = changes_of(options)
    _check_name(name)
    record = new_record(store, AccountRecord(name, read_hash()), changes)
    new, refused = data.new_accounts(store, [record], as_json)
    if refused:
        raise AdminCommandError(refused[name], "NameTaken")
    record = new[0]
    store.add(record)
    _report(record, as_json, f"account {name!r} added to {store.place}")
    needs_look = not record.root or record.groups or has_fields(record.root)
    warn_of_storages(store.find(name) if needs_look else record, as_json)
    _warn_of_refusals(store, name, as_json)


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
@groups_option
@click.option("--no-groups", is_flag=True, help="The account has no groups any more.")
@account_options
@account_command
def set_user(store: IAccountStore, *, name: str, as_json: bool, **options: Any) -> None:
    """Change the root, rights, options or groups of an account.

    The value 'none' removes an option, whatever the groups of the account have; 'inherit' makes
    the value that of its groups.
    """
    changes = changes_of(options)
    if not changes:
        raise click.UsageError("nothing to change; give at least one option")
    record = _change(store, name, changes, as_json, "changed")
    warn_of_storages(record, as_json)
    _warn_of_refusals(store, name, as_json)


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
    _warn_of_refusals(store, name, as_json)


@user.command("rename", short_help="Give an account another name.")
@name_argument
@click.argument("new_name")
@account_command
@data_option
def rename_user(
    store: IAccountStore, *, name: str, new_name: str, as_json: bool, data: AccountData
) -> None:
    """Give an account another name.

    Its root, password, trash, second factors and share links stay those of the account. But a root
    with {user} in it is another one then; files are not moved. If the command is interrupted, run
    it again.
    """
    _check_name(new_name)
    try:
        before = store.find(name)
    except NoSuchAccount:
        if not _is_renamed(store, new_name) or not data.finish_rename(name, new_name):
            raise
        text = f"account {new_name!r} now has the second factors and share links of {name!r}"
        _report(store.find(new_name), as_json, text)
        return
    data.check_rename(new_name)
    record = store.change(name, renamed(before, new_name))
    data.rename(name, new_name, as_json)
    _report(record, as_json, f"account {name!r} is now {new_name!r}")
    if record.root != before.root:
        text = f"its root was {before.root} and is now {record.root}; move the files"
        show_warning(text, as_json)


def _is_renamed(store: IAccountStore, name: str) -> bool:
    """Return whether there is an account of that name which had another one before."""
    try:
        record = store.find(name)
    except NoSuchAccount:
        return False
    return record.files_owner != name


@user.command("remove")
@name_argument
@account_command
@data_option
def remove_user(store: IAccountStore, *, name: str, as_json: bool, data: AccountData) -> None:
    """Remove an account, with its second factors and share links; its files stay.

    If the command is interrupted, run it again.
    """
    data.check()
    data.remove(store, name, as_json)
    click.echo(json.dumps({"removed": name}) if as_json else f"account {name!r} removed")


@user.command("show")
@name_argument
@account_command
def show_user(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Show an account, and which group each inherited value comes from."""
    record = store.find(name)
    shown = account_json(record) | {"origins": origins_json(record)}
    click.echo(json.dumps(shown) if as_json else "\n".join(account_lines(record)))


@user.command("list", short_help="List the accounts.")
@account_command
def list_users(store: IAccountStore, *, as_json: bool) -> None:
    """List the accounts; those that cannot be used come last, with the reason.

    In JSON the reason is the value of "unusable", which is null for others.
    """
    listing = store.listing()
    unusable = [one for one in listing.unusable if not is_group(one.record.name)]
    if as_json:
        shown = [account_json(record) | {"unusable": None} for record in listing.accounts]
        shown += [account_json(one.record) | {"unusable": one.reason} for one in unusable]
        click.echo(json.dumps(shown, indent=1))
    elif listing.accounts or unusable:
        click.echo("\n".join(account_table(listing.accounts, unusable)))
    for problem in listing.problems:
        show_warning(problem, as_json)


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
    problems = _store_problems(store) if name is None else []
    if name is not None:
        problems += _password_problems(store, name, password_stdin)
    if as_json:
        click.echo(json.dumps({"problems": problems}))
    else:
        click.echo("\n".join(problems) or "no problems")
    if problems:
        raise SystemExit(FAILED_STATUS)


def _store_problems(store: IAccountStore) -> list[str]:
    """Return what is wrong with a store, and with the storages of its accounts and groups."""
    if not IPasswordStore.providedBy(store):
        listing = store.listing()
        return [*listing.problems, *storage_problems([*listing.accounts, *store.groups()])]
    problems = list(store.problems())
    try:
        listing = store.listing()
    except StoreUnavailable:
        raise
    except AccountStoreError:  # it cannot list its accounts
        return problems
    return [*problems, *listing.problems, *storage_problems(listing.accounts)]


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


def _check_name(name: str) -> None:
    try:
        check_name(_account_name(None, None, name))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _change(
    store: IAccountStore, name: str, changes: Mapping[str, Any], as_json: bool, done: str
) -> AccountRecord:
    record = store.change(name, changes)
    _report(record, as_json, f"account {name!r} {done}")
    return record


def warn_of_storages(record: AccountRecord, as_json: bool) -> None:
    """Warn of each storage of an account that cannot be opened now."""
    for line in storage_problems([record]):
        show_warning(line, as_json)


def _warn_of_refusals(store: IAccountStore, name: str, as_json: bool) -> None:
    """Warn if the account cannot log in all the same."""
    try:
        record = store.find(name)
    except InvalidAccount as error:
        show_warning(f"{name!r} cannot log in: {error}", as_json)
        return
    group = dict(record.inherited).get("disabled")
    if group is not None:
        text = f"it stays locked, as the group {group!r} is (ftpservice group unlock {group})"
        show_warning(f"account {name!r}: {text}", as_json)
    if record.expires is not None and record.expires < date.today():
        text = f"it expired on {record.expires} (ftpservice user set {name} --expires DATE or none)"
        show_warning(f"account {name!r}: {text}", as_json)


def _report(record: AccountRecord, as_json: bool, text: str) -> None:
    click.echo(json.dumps(account_json(record)) if as_json else text)
