"""The commands ``ftpservice certificate show`` and ``renew``, answered by the running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from ftpservice.activity.text_table import printable_text, table_lines, time_text
from ftpservice.admin.command_output import CommandGroup
from ftpservice.admin.service_commands import RequestRefused, service_command
from ftpservice.wire.units import count_text

__all__ = ["certificate"]

RENEWAL_SECONDS = 660.0
"""How long a command waits for a certificate: somewhat longer than an attempt may take."""
HEADINGS = ("NAMES", "EXPIRES (UTC)", "SHA-256")
MAX_LENGTH = 200


@click.group(cls=CommandGroup)
def certificate() -> None:
    """Show the certificates in use, or renew that of ACME."""


@certificate.command("show")
@service_command
def show(send: Callable[..., Any], *, as_json: bool) -> None:
    """Show the certificates in use and, with ACME, the next attempt and what has failed."""
    _print(send("certificate"), as_json)


@certificate.command("renew")
@click.option("--force", is_flag=True, help="Also if the certificate is not due for renewal.")
@service_command
def renew(send: Callable[..., Any], *, force: bool, as_json: bool) -> None:
    """Get the certificate of ACME now, without waiting for the next attempt.

    The exit status is 1 if the attempt fails. Authorities limit attempts: Let's Encrypt allows
    five failed ones an hour, and five certificates of the same names a week.
    """
    found = send("certificate", renew=True, force=force, seconds=RENEWAL_SECONDS)
    acme = found["acme"]
    if acme["problem"]:
        text = printable_text(acme["problem"], MAX_LENGTH)
        when = time_text(acme["next_attempt"])
        raise RequestRefused(f"{text}; the next attempt is at {when} UTC")
    _print(found, as_json)


def _print(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    rows = [
        (
            printable_text(", ".join(one["names"]), MAX_LENGTH),
            time_text(one["not_after"]),
            one["fingerprint"],
        )
        for one in found["certificates"]
    ]
    click.echo("\n".join(table_lines(HEADINGS, rows)))
    acme = found["acme"]
    if acme is None:
        return
    what = "renewal" if acme["is_good"] else "attempt"
    click.echo(f"\nACME: the next {what} is at {time_text(acme['next_attempt'])} UTC")
    click.echo(f"  names      {', '.join(acme['names'])}")
    click.echo(f"  authority  {acme['directory']}")
    if acme["problem"]:
        text = printable_text(acme["problem"], MAX_LENGTH)
        click.echo(f"  failed     {count_text(acme['failures'], 'time')}, the last time: {text}")
