"""The options that choose an account store, and how errors of a store end a command."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from ftpservice.accounts.account_store import (
    AccountStoreError,
    IAccountStore,
    IAccountStoreFactory,
    IReadOnlyStoreFactory,
    StoreUnavailable,
)
from ftpservice.accounts.password_strength import WeakPassword
from ftpservice.accounts.stores.url_passwords import (
    IN_COMMAND_LINE_TEXT,
    has_password,
    without_password,
)
from ftpservice.admin.command_output import FAILED_STATUS, UNAVAILABLE_STATUS, AdminCommandError

__all__ = ["account_command"]

DEFAULT_STORE = "passwd:passwd.db"

Command = Callable[..., None]


def account_command(function: Command) -> Command:
    """Give a command ``--store``, ``--config`` and ``--json``, and the store as first argument.

    An error of the store ends the command (`AdminCommandError`).
    """

    @click.option(
        "--store", metavar="STORE", help="Account store as in --auth: passwd:FILE, sql:URL."
    )
    @click.option(
        "--config",
        metavar="FILE",
        help="Settings file of the service; its 'auth' names the store without --store.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def run(store: str | None, config: str | None, as_json: bool, **arguments: Any) -> None:
        try:
            function(open_store(store, config), as_json=as_json, **arguments)
        except (AccountStoreError, WeakPassword) as error:
            is_unavailable = isinstance(error, StoreUnavailable)
            status = UNAVAILABLE_STATUS if is_unavailable else FAILED_STATUS
            raise AdminCommandError(str(error), type(error).__name__, status) from None

    return run


def open_store(store: str | None, config: str | None) -> IAccountStore:
    """Return the store of ``--store``, of ``--config`` or the default; raises `UsageError`."""
    if store is not None:
        if has_password(store):
            raise click.UsageError(f"--store: {IN_COMMAND_LINE_TEXT}")
        return _opened(store)
    descriptions = _configured(config) if config is not None else [DEFAULT_STORE]
    stores = [text for text in descriptions if _factory(text) is not None]
    changeable = [text for text in stores if not IReadOnlyStoreFactory.providedBy(_factory(text))]
    writable = changeable or stores
    if len(writable) != 1:
        found = (
            "no account store"
            if not writable
            else f"the stores {', '.join(map(without_password, writable))}"
        )
        raise click.UsageError(f"{config} has {found}; choose one with --store")
    return _opened(writable[0])


def _configured(path: str) -> Sequence[str]:
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        settings = load_toml(path)
    except BadConfiguration as error:
        raise click.UsageError(f"--config {error}") from None
    return settings.get("auth") or [DEFAULT_STORE]


def _opened(description: str) -> IAccountStore:
    from twisted.cred.strcred import InvalidAuthArgumentString

    kind, _, argument = description.partition(":")
    factory = _factory(description)
    if factory is None:
        raise click.UsageError(f"--store {kind}: its accounts cannot be changed with this command")
    try:
        return factory.openStore(os.path.expanduser(argument))
    except InvalidAuthArgumentString as error:
        raise click.UsageError(f"--store {error}") from None


def _factory(description: str) -> IAccountStoreFactory | None:
    """Return the factory of a kind of checkers; None if its accounts cannot be changed."""
    from twisted.cred import strcred

    kind = description.partition(":")[0]
    for factory in strcred.findCheckerFactories():
        if factory.authType == kind:
            return IAccountStoreFactory(factory, None)
    raise click.UsageError(f"unknown kind of accounts: {kind!r}; use passwd:FILE or sql:URL")
