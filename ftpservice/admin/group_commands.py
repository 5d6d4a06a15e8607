"""``ftpservice group``: add, change, list and remove the groups that accounts inherit from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from ftpservice.accounts.account_json import group_json
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import IAccountStore
from ftpservice.accounts.groups.group_names import (
    GROUP_HASH,
    GROUP_MARK,
    check_group_name,
    described,
    is_group,
)
from ftpservice.accounts.groups.inheritance import DEFAULT_GROUP, ValueWord, with_changes
from ftpservice.activity.text_table import printable_text, table_lines
from ftpservice.admin.accounts.account_options import account_options, changes_of
from ftpservice.admin.accounts.account_view import account_lines, unusable_text, values_text
from ftpservice.admin.command_output import CommandGroup, show_warning
from ftpservice.admin.store_options import account_command
from ftpservice.admin.user_commands import warn_of_storages

__all__ = ["group"]

MAX_TEXT = 120
"""Characters of the values of a group in a table."""


@click.group(cls=CommandGroup)
def group() -> None:
    """Add, change, list and remove groups, whose values accounts inherit.

    An account has its own values first, then those of its groups in the order in which it names
    them (user set --groups), then those of the group 'default', which is for all accounts of the
    store. In a root or a mount of a group, {user} is the name of the account and {group} that of
    its first group: /srv/{user}. Changes are in force within a few seconds, also for sessions that
    run.
    """


def _group_name(_context: object, _parameter: object, name: str) -> str:
    try:
        check_group_name(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return GROUP_MARK + name


name_argument = click.argument("name", callback=_group_name)


@group.command("add")
@name_argument
@account_options
@account_command
def add_group(store: IAccountStore, *, name: str, as_json: bool, **options: Any) -> None:
    """Add a group with the values that its accounts inherit."""
    nothing = {"root": ValueWord.INHERIT, "rights": ValueWord.INHERIT}
    record = AccountRecord(name, GROUP_HASH)
    record = with_changes(record, {**nothing, **changes_of(options)}, has_defaults=True)
    store.add(record)
    _report(record, as_json, f"group {_plain(name)!r} added to {store.place}")
    warn_of_storages(record, as_json)


@group.command("set", short_help="Change the values of a group.")
@name_argument
@account_options
@account_command
def set_group(store: IAccountStore, *, name: str, as_json: bool, **options: Any) -> None:
    """Change the values of a group.

    The value 'inherit' takes a value out of the group; 'none' makes it none for its accounts,
    whatever the groups after it have. A change that would make accounts unusable is refused.
    """
    changes = changes_of(options)
    if not changes:
        raise click.UsageError("nothing to change; give at least one option")
    _change(store, name, changes, as_json, "changed")


@group.command("lock")
@name_argument
@account_command
def lock_group(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Lock all accounts of a group; their sessions end."""
    _change(store, name, {"disabled": True}, as_json, "locked")


@group.command("unlock")
@name_argument
@account_command
def unlock_group(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Accept the logins of its accounts again."""
    _change(store, name, {"disabled": False}, as_json, "unlocked")


@group.command("show")
@name_argument
@account_command
def show_group(store: IAccountStore, *, name: str, as_json: bool) -> None:
    """Show the values of a group, and how many accounts have it."""
    record = store.find(name)
    count = len(store.accounts() if _plain(name) == DEFAULT_GROUP else store.members(_plain(name)))
    if as_json:
        click.echo(json.dumps(group_json(record) | {"accounts": count}))
    else:
        click.echo("\n".join(account_lines(record, accounts=count)))


@group.command("list", short_help="List the groups.")
@account_command
def list_groups(store: IAccountStore, *, as_json: bool) -> None:
    """List the groups and their values; those that cannot be used come last, with the reason."""
    records = store.groups()
    unusable = [one for one in store.listing().unusable if is_group(one.record.name)]
    if as_json:
        shown = [group_json(record) | {"unusable": None} for record in records]
        shown += [group_json(one.record) | {"unusable": one.reason} for one in unusable]
        click.echo(json.dumps(shown, indent=1))
    elif records or unusable:
        values = [(one.name, printable_text(values_text(one), MAX_TEXT)) for one in records]
        values += [(one.record.name, unusable_text(one)) for one in unusable]
        rows = [(printable_text(_plain(name), 40), text) for name, text in values]
        click.echo("\n".join(table_lines(("NAME", "VALUES"), rows)))
    for one in unusable:
        text = (
            f"{store.place}, {described(one.record.name)}: {one.reason}; its accounts cannot log in"
        )
        show_warning(text, as_json)


@group.command("remove")
@name_argument
@click.option(
    "--force", is_flag=True, help="Remove it although accounts name it; they cannot log in then."
)
@account_command
def remove_group(store: IAccountStore, *, name: str, as_json: bool, force: bool) -> None:
    """Remove a group; with --force also one that accounts name, which are listed."""
    before = _unusable_names(store) if force else set()
    store.remove(name, force=force)
    plain = _plain(name)
    click.echo(json.dumps({"removed": plain}) if as_json else f"group {plain!r} removed")
    disabled = sorted(_unusable_names(store) - before) if force else []
    if disabled:
        many = len(disabled) > 1
        show_warning(
            f"{'these accounts' if many else 'this account'} cannot log in any more:"
            f" {', '.join(disabled)}; change {'their' if many else 'its'} groups"
            " (ftpservice user set NAME --groups ..., or --no-groups) or give the rights that are"
            " missing (--rights)",
            as_json,
        )


def _unusable_names(store: IAccountStore) -> set[str]:
    return {one.record.name for one in store.listing().unusable if not is_group(one.record.name)}


def _plain(name: str) -> str:
    return name.removeprefix(GROUP_MARK)


def _change(
    store: IAccountStore, name: str, changes: Mapping[str, Any], as_json: bool, done: str
) -> None:
    record = store.change(name, changes)
    _report(record, as_json, f"group {_plain(name)!r} {done}")
    warn_of_storages(record, as_json)


def _report(record: AccountRecord, as_json: bool, text: str) -> None:
    click.echo(json.dumps(group_json(record)) if as_json else text)
