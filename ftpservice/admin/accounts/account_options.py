"""The options that describe an account or a group, and the fields that they set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from ftpservice.accounts.account_changes import parsed_changes
from ftpservice.accounts.passwd_line import (
    LISTS,
    OPTIONS,
)

__all__ = ["OPTION_HELP", "account_options", "changes_of", "groups_option"]

OPTION_HELP = {
    "max-sessions": ("NUMBER", "Sessions that the account may have at a time."),
    "rate-down": ("SIZE", "Bytes per second of all its downloads together, such as 20M."),
    "rate-up": ("SIZE", "Bytes per second of all its uploads together."),
    "quota": ("SIZE", "Bytes that the files below its root may take up, such as 10G."),
    "quota-files": ("NUMBER", "Files, directories and links that there may be below its root."),
    "retention": (
        "RULES",
        "Time after which files are deleted: '30d; /in: 7d; *.log: 90d; /archive: keep'.",
    ),
    "trash": (
        "TIME",
        "Time that deleted and overwritten files are kept, to be restored: 12h, 30d or 8w.",
    ),
    "expires": ("DATE", "Last day of logins, such as 2027-01-31."),
    "hours": (
        "HOURS",
        "When it may log in, such as 'Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00'.",
    ),
    "from": ("NETWORK", "Network to accept logins from; may be given more than once."),
    "mount": (
        "PATH=STORAGE[,read-only|,own-trash=TIME|off]",
        "Storage at a path of the account's tree, such as /archive=local:/mnt/archive,read-only; "
        "own-trash= has another time than --trash; may be given more than once.",
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
"""The options of an account in ``passwd.db``, but for ``disabled`` (``user lock``) and groups."""

Command = Callable[..., Any]


def account_options(function: Command) -> Command:
    """Add the options that describe an account or a group."""
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
    root = (
        "Directory below the root of the service, or a storage such as local:/srv/attic; {user} is "
        "the name of the account."
    )
    return click.option("--root", metavar="PATH", help=root)(function)


def groups_option(function: Command) -> Command:
    """Add the option for the groups of an account."""
    named = "Groups whose values it inherits, with commas; the first one counts most."
    return click.option("--groups", metavar="GROUPS", help=named)(function)


def changes_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the options set; raises `click.UsageError`."""
    others = dict(options)
    named, no_groups = others.pop("groups", None), others.pop("no_groups", False)
    if named is not None and no_groups:
        raise click.UsageError("choose one of --groups and --no-groups")
    try:
        changes = parsed_changes(others, named)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return changes | {"groups": ()} if no_groups else changes
