"""Commands to a running service over its control socket: ``who``, ``kick``, ``ban``, ``drain``."""

from __future__ import annotations

import functools
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from ftpservice.activity.text_table import table_lines
from ftpservice.admin.activity.node_answers import (
    RequestRefused,
    ask_nodes,
    node_sessions,
    session_of_node,
)
from ftpservice.admin.activity.session_table import session_lines
from ftpservice.admin.command_output import (
    FAILED_STATUS,
    UNAVAILABLE_STATUS,
    AdminCommandError,
    access_advice,
)
from ftpservice.linux import short_socket_path
from ftpservice.wire.units import count_text, parse_duration

__all__ = [
    "NODE_OPTION",
    "SERVICE_COMMANDS",
    "RequestRefused",
    "ServiceUnreachable",
    "request",
    "service_command",
]

ANSWER_SECONDS = 15.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
DRAIN_POLL_SECONDS = 0.5

Command = Callable[..., None]


class ServiceUnreachable(Exception):
    """The control socket does not answer; ``str`` of it says why."""


def request(path: str, command: str, *, seconds: float = ANSWER_SECONDS, **parameters: Any) -> Any:
    """Send a request to the control socket at ``path``; return the result within ``seconds``.

    Raises `ServiceUnreachable`, `RequestRefused`.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            with short_socket_path(path) as short:
                connection.connect(short)
            connection.sendall(json.dumps({"command": command} | parameters).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline(MAX_ANSWER_BYTES)
        if not line:
            raise ServiceUnreachable(f"{path}: the service has ended without an answer")
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from None
    if not answer["ok"]:
        raise RequestRefused(answer["error"])
    return answer["result"]


def unreachable(path: str, error: Exception) -> ServiceUnreachable:
    """Return the error of a control socket that cannot be used."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    advice = access_advice(error) or "; is the service running?"
    return ServiceUnreachable(f"{path}: {reason}{advice}")


def service_command(function: Command) -> Command:
    """Give a command the options of a running service; its first argument sends requests.

    These are ``--socket``, ``--data-dir`` and ``--config``, one at most, and ``--json``.

    An error ends the command (`AdminCommandError`), with status 1 if the service has refused the
    request and 3 if it cannot be reached.
    """

    @click.option("--socket", "path", metavar="PATH", help="Control socket of the service.")
    @click.option(
        "--config", metavar="FILE", help="Settings file of the service, which names the socket."
    )
    @click.option(
        "--data-dir", metavar="DIR", help="Data directory of the service, with its socket."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def run(path: str | None, config: str | None, data_dir: str | None, **arguments: Any) -> None:
        if sum(one is not None for one in (path, config, data_dir)) > 1:
            raise click.UsageError("give one of --socket, --data-dir and --config")
        place = path if path is not None else _configured_socket(config, data_dir)
        try:
            function(functools.partial(request, place), **arguments)
        except (RequestRefused, ServiceUnreachable) as error:
            status = FAILED_STATUS if isinstance(error, RequestRefused) else UNAVAILABLE_STATUS
            raise AdminCommandError(str(error), type(error).__name__, status) from None

    return run


def _configured_socket(config: str | None, data_dir: str | None) -> str:
    from ftpservice.service.settings.errors import SettingsConflict
    from ftpservice.service.settings.settings import settings_from
    from ftpservice.service.settings.toml_file import BadConfiguration, load_toml

    try:
        values = load_toml(config) if config is not None else {}
        if data_dir is not None:
            values = {"data-dir": data_dir}
        settings = settings_from(values, os.getcwd())
    except (BadConfiguration, SettingsConflict) as error:
        raise click.UsageError(f"--config {error}") from None
    path = settings.control_socket_path
    if path is None:
        raise click.UsageError(f"{config} has no data-dir and no control-socket; give --socket")
    return path


NODE_OPTION = click.option(
    "--node", metavar="NAME", help="The node of the cluster that is meant; all: every node."
)


@click.command("who")
@NODE_OPTION
@click.option("--watch", "watches", is_flag=True, help="Refresh the list; q ends.")
@service_command
def who(send: Callable[..., Any], *, node: str | None, watches: bool, as_json: bool) -> None:
    """List the sessions, with the progress and rate of their transfers.

    In a cluster the list has the sessions of all nodes, unless --node is given.
    """
    if watches:
        from ftpservice.admin.activity.watch_screen import NoTerminal, watch

        try:
            watch(lambda: node_sessions(send, node), time.time)
        except NoTerminal as error:
            raise click.UsageError(f"--watch {error}") from None
        return
    sessions = node_sessions(send, node)
    if as_json:
        click.echo(json.dumps(sessions, indent=1))
    else:
        click.echo("\n".join(session_lines(sessions, time.time())))


@click.command("kick", short_help="End sessions with 421.")
@click.argument("session", required=False, callback=session_of_node)
@click.option("--user", metavar="NAME", help="End all sessions of an account.")
@click.option("--from", "network", metavar="NETWORK", help="End all sessions from a network.")
@NODE_OPTION
@service_command
def kick(
    send: Callable[..., Any],
    *,
    session: tuple[str | None, int] | None,
    node: str | None,
    as_json: bool,
    **others: str | None,
) -> None:
    """End a session with 421, as 'who' names it; its transfer is aborted.

    In a cluster that is the name of its node and a number, such as ftp2:17; a number alone is one
    of this node, or of --node. --user and --from apply to all nodes.
    """
    own_node, number = session or (None, None)
    if own_node is not None and node not in (None, own_node):
        raise click.UsageError(f"session {own_node}:{number} is not one of {node}")
    node = own_node or node
    given = {"session": number, **others}
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if len(chosen) != 1:
        raise click.UsageError("give a session, --user or --from")
    answers = ask_nodes(send, "kick", node=node, everywhere=session is None, **chosen)
    if not any(ended for _name, ended in answers):
        raise RequestRefused("there is no such session")
    _print_ended(answers, as_json)


@click.command("ban")
@click.argument("network")
@click.option("--for", "duration", metavar="TIME", help="Duration, such as 2h; else until 'unban'.")
@click.option("--reason", metavar="TEXT", help="Reason, which is sent to the client.")
@service_command
def ban(
    send: Callable[..., Any],
    *,
    network: str,
    duration: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Refuse the connections of an address or network, and end its sessions.

    In a cluster it applies to all nodes.
    """
    if duration is not None:
        try:
            parse_duration(duration, needs_unit=True)
        except ValueError as error:
            raise click.UsageError(f"--for: {error}") from None
    words: dict[str, Any] = {"network": network, "duration": duration, "reason": reason}
    answers = ask_nodes(send, "ban", everywhere=True, **words)
    made = answers[0][1]
    if as_json:
        ended = [number for _name, one in answers for number in one["ended"]]
        click.echo(json.dumps(made | {"ended": ended}))
    else:
        click.echo(f"{made['network']} is banned {_until(made['until'])}")
        _print_ended([(name, one["ended"]) for name, one in answers], as_json)


@click.command("unban")
@click.argument("network")
@service_command
def unban(send: Callable[..., Any], *, network: str, as_json: bool) -> None:
    """Lift the ban of an address or network."""
    ask_nodes(send, "unban", everywhere=True, is_quiet=True, network=network)
    click.echo(json.dumps({"unbanned": network}) if as_json else f"{network} is no longer banned")


@click.command("bans")
@service_command
def bans(send: Callable[..., Any], *, as_json: bool) -> None:
    """List the bans in force."""
    found = send("bans")
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    rows = [(each["network"], _until(each["until"]), each["reason"]) for each in found]
    click.echo("\n".join(table_lines(("NETWORK", "UNTIL", "REASON"), rows)))


@click.command("drain")
@click.option("--undo", is_flag=True, help="Accept sessions again.")
@click.option("--wait", is_flag=True, help="Wait until no session is left.")
@NODE_OPTION
@service_command
def drain(
    send: Callable[..., Any], *, undo: bool, wait: bool, node: str | None, as_json: bool
) -> None:
    """Refuse new sessions with 421, and end the others after their transfers.

    In a cluster it applies to this node, or to --node.
    """
    if undo and wait:
        raise click.UsageError("--undo does not wait: give --wait without it")
    state = _drained(send, node, undo=undo)
    while wait and state["sessions"]:
        time.sleep(DRAIN_POLL_SECONDS)
        state = _drained(send, node, ask=True)
    if as_json:
        click.echo(json.dumps(state))
    elif undo:
        click.echo("sessions are accepted")
    else:
        click.echo(f"no sessions are accepted; {count_text(state['sessions'], 'session')} left")


def _drained(send: Callable[..., Any], node: str | None, **words: bool) -> dict[str, Any]:
    """Return whether sessions are accepted, and the number of those that are left."""
    states = [state for _name, state in ask_nodes(send, "drain", node=node, **words)]
    accepts = all(state["accepts"] for state in states)
    return {"accepts": accepts, "sessions": sum(state["sessions"] for state in states)}


@click.command("report", short_help="Report what has happened, today by default.")
@click.option("--data-dir", metavar="DIR", help="Data directory of the service.")
@click.option("--config", metavar="FILE", help="Settings file of the service.")
@click.option("--socket", metavar="PATH", help="Ask the service at this control socket.")
@click.option("--since", metavar="TIME", default="", help="Begin: 2026-11-29, yesterday, 12h ago.")
@click.option("--until", metavar="TIME", default="", help="End; a day counts as a whole.")
@click.option("--user", metavar="NAME", default="", help="One account only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--html", "html", metavar="FILE", help="Write a page with plots; - for stdout.")
def report(*, as_json: bool, as_csv: bool, html: str | None, **options: Any) -> None:
    """Report what has happened, from the journal: while the service runs, or not.

    Times are UTC: 2026-11-29, 2026-11-29T13:00, today, yesterday, or so long ago (12h, 7d).
    """
    from ftpservice.admin.activity.report_command import ReportFailed, ReportRequest, print_report

    forms = {"json": as_json, "csv": as_csv, "html": html is not None}
    chosen = [form for form, is_chosen in forms.items() if is_chosen]
    if len(chosen) > 1:
        raise click.UsageError("give one of --json, --csv and --html")
    wanted = ReportRequest(form=chosen[0] if chosen else "text", file=html, **options)
    try:
        print_report(wanted, request)
    except ReportFailed as error:
        text = f"{error}{access_advice(error.__cause__)}"
        raise AdminCommandError(text, type(error).__name__, UNAVAILABLE_STATUS) from None
    except (RequestRefused, ServiceUnreachable) as error:
        is_refused = isinstance(error, RequestRefused)
        status = FAILED_STATUS if is_refused else UNAVAILABLE_STATUS
        raise AdminCommandError(str(error), type(error).__name__, status) from None


@click.command("log", short_help="Follow events of the running service.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Show events as they happen.")
@click.option("--user", metavar="NAME", help="Events of one account only.")
@click.option("--failed", is_flag=True, help="Problems only: failed, refused, interrupted.")
@NODE_OPTION
@service_command
def log(
    send: functools.partial[Any], *, follows: bool, as_json: bool, **wanted: str | bool | None
) -> None:
    """Show events as the log has them, until Ctrl-C; what has happened before is in 'report'.

    In a cluster these are the events of all nodes, about two seconds later, unless --node is given.
    """
    from ftpservice.admin.activity.event_follow import FollowEnded, follow

    if not follows:
        raise click.UsageError("give -f to follow events; 'report' tells what has happened before")
    path = send.args[0]
    try:
        follow(path, {**wanted, "everywhere": True}, as_json, click.echo)
    except FollowEnded as error:
        raise RequestRefused(str(error)) from None
    except (KeyboardInterrupt, BrokenPipeError):
        return
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from None


@click.command("trace", short_help="Write a transcript of a session or an account.")
@click.argument("target", metavar="USER|SESSION")
@click.option("-o", "--output", "file", metavar="FILE", help="Write a new file, not stdout.")
@click.option("--redact-names", is_flag=True, help="Hide names of files and the account.")
@click.option("--user", "is_user", is_flag=True, help="USER is an account, even a number.")
@NODE_OPTION
@service_command
def trace(
    send: functools.partial[Any],
    *,
    target: str,
    file: str | None,
    as_json: bool,  # noqa: ARG001 - it is JSON in any case; errors follow the option
    **options: str | bool | None,
) -> None:
    """Write commands, replies, times and sizes of a session, or of all sessions of an account.

    Passwords and contents of files are not in it. A trace of a session ends with the session, that
    of an account with Ctrl-C. 'replay' plays it. Each line is a JSON object in any case.

    In a cluster an account is traced at all nodes, unless --node is given. A session is NODE:NUMBER
    as in 'who', its id, or a number of this node.
    """
    from ftpservice.admin.activity.event_follow import FollowEnded
    from ftpservice.admin.activity.trace_command import TraceFailed, write_trace

    path = send.args[0]
    try:
        write_trace(path, {"target": target, **options}, file)
    except TraceFailed as error:
        raise AdminCommandError(str(error), type(error).__name__) from None
    except FollowEnded as error:
        raise RequestRefused(str(error)) from None
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from None


SERVICE_COMMANDS = (who, kick, ban, unban, bans, drain, report, log, trace)


def _print_ended(answers: Sequence[tuple[str, Sequence[int]]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ended": [number for _name, ended in answers for number in ended]}))
        return
    for name, ended in answers:
        if ended:
            place = f" ({name})" if name else ""
            numbers = ", ".join(map(str, ended))
            click.echo(f"ended: session{'s' * (len(ended) != 1)} {numbers}{place}")


def _until(until: float | None) -> str:
    if until is None:
        return "until it is lifted"
    return f"until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%S} UTC"
