"""Commands about the running program: ``upgrade``, ``reload``, and the ``nodes`` of a cluster."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from ftpservice.activity.text_table import duration_text, printable_text, table_lines
from ftpservice.admin.activity.node_answers import ask_nodes
from ftpservice.admin.service_commands import (
    NODE_OPTION,
    RequestRefused,
    ServiceUnreachable,
    service_command,
)
from ftpservice.wire.units import count_text

__all__ = ["PROGRAM_COMMANDS"]

HEADINGS = ("NODE", "STATE", "SESSIONS", "UP", "VERSION", "ADDRESS")
UPGRADE_SECONDS = 120.0
"""The longest time of a trial, or until the service answers again."""
UPGRADE_POLL_SECONDS = 0.2
ENDED_TEXT = "the service has ended during its upgrade: see its log"


@click.command("upgrade", short_help="Change to the installed version; transfers go on.")
@service_command
def upgrade(send: Callable[..., Any], *, as_json: bool) -> None:
    """Replace the running program by the installed one, with the current settings.

    It needs workers (2 or more). Running transfers are finished by the old workers. If the
    installed version does not start, nothing changes, and the status is 1.
    """
    begun = send("upgrade", seconds=UPGRADE_SECONDS)
    with _watched(begun["process"]) as has_ended:
        state = _upgraded(send, begun, has_ended)
    if as_json:
        click.echo(json.dumps(state))
        return
    left = state["earlier_sessions"]
    go = "goes" if left == 1 else "go"
    sessions = f"{count_text(left, 'session')} {go} on in the old workers"
    click.echo(f"upgraded to {state['version']}; {sessions}")


def _upgraded(
    send: Callable[..., Any], begun: Mapping[str, Any], has_ended: Callable[[float], bool]
) -> Any:
    """Return the state of the service when it has changed; raises `RequestRefused`.

    Transfers over HTTP may finish within the grace period before that.
    """
    until = time.monotonic() + begun.get("grace", 0) + UPGRADE_SECONDS
    while time.monotonic() < until:
        try:
            state = send("upgrade", ask=True)
        except ServiceUnreachable:
            if has_ended(UPGRADE_POLL_SECONDS):
                raise RequestRefused(ENDED_TEXT) from None
            continue
        if state["generation"] > begun["generation"] and state["is_serving"]:
            return state
        time.sleep(UPGRADE_POLL_SECONDS)
    raise RequestRefused("the service does not answer after its upgrade: see its log")


@contextmanager
def _watched(process: int) -> Iterator[Callable[[float], bool]]:
    """Yield what waits some seconds for the end of a process, and tells whether it has ended.

    It has, even if nobody has noticed yet (a zombie). One that is not seen, as in another
    container, does not end.
    """
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        yield _sleep
        return
    try:
        yield lambda seconds: bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@click.command("nodes")
@service_command
def nodes(send: Callable[..., Any], *, as_json: bool) -> None:
    """List the nodes of the cluster with their state, sessions, version and address."""
    found = send("nodes")
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    rows = [
        (
            printable_text(one["name"]),
            one["health"] if one["is_alive"] else f"gone for {duration_text(one['gone'])}",
            str(one["sessions"] if one["is_alive"] else 0),
            duration_text(one["up"]) if one["is_alive"] else "",
            printable_text(one["version"]),
            printable_text(one["address"]),
        )
        for one in found
    ]
    click.echo("\n".join(table_lines(HEADINGS, rows)))


@click.command("reload")
@NODE_OPTION
@service_command
def reload(send: Callable[..., Any], *, node: str | None, as_json: bool) -> None:
    """Read the files of settings and certificates again, as SIGHUP does; the log has the result."""
    names = [name for name, _none in ask_nodes(send, "reload", node=node)]
    if as_json:
        click.echo(json.dumps({"nodes": names}))
    else:
        click.echo(f"told {', '.join(names)}" if any(names) else "told")


PROGRAM_COMMANDS = (upgrade, reload, nodes)
