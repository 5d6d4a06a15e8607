"""``ftpservice log -f``: prints events of the running service as they happen."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator, Mapping
from typing import Any

import click

from ftpservice.activity.text_table import printable_text, time_text
from ftpservice.linux import short_socket_path

__all__ = ["FollowEnded", "follow", "received"]

ANSWER_SECONDS = 15.0
NOTICE = "events of the service follow"


class FollowEnded(Exception):
    """No more events come; ``str`` of it says why."""


def follow(
    path: str, wanted: Mapping[str, Any], as_json: bool, show: Callable[[str], object]
) -> None:
    """Show a line for each event, until the service ends it, or an interrupt.

    In a cluster the line has the node. Raises `FollowEnded`, and `OSError` if the service cannot be
    reached.
    """
    for event in received(path, {"command": "log", **wanted}, NOTICE):
        node = {"node": event["node"]} if "node" in event else {}
        if as_json:
            at, level = {"at": event["at"]}, {"level": event["level"]}
            show(json.dumps(at | level | node | event["fields"]))
        else:
            place = f"{printable_text(event['node'])}: " if node else ""
            mark = "" if event["level"] == "info" else f"{event['level']}: "
            show(f"{time_text(event['at'])} {place}{mark}{event['line']}")


def received(
    path: str, request: Mapping[str, Any], notice: str
) -> Generator[Mapping[str, Any], None, None]:
    """Yield what the service sends after it has accepted a request, until it ends.

    What it tells about the nodes of its cluster goes to stderr.

    Raises `FollowEnded`, and `OSError` if the service cannot be reached.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        with short_socket_path(path) as short:
            connection.connect(short)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as file:
            answer = json.loads(file.readline() or b"{}")
            if not answer.get("ok"):
                raise FollowEnded(answer.get("error") or "the service has closed the connection")
            connection.settimeout(None)
            click.echo(f"ftpservice: {notice}; Ctrl-C ends", err=True)
            yield from filter(_is_event, map(_event, file))
    raise FollowEnded("the service has stopped")


def _is_event(event: Mapping[str, Any]) -> bool:
    """Return whether it is no notice about the nodes; such a one is shown on stderr."""
    if "notice" in event:
        click.echo(f"ftpservice: {printable_text(event['notice'], 500)}", err=True)
    return "notice" not in event


def _event(line: bytes) -> Mapping[str, Any]:
    event: Mapping[str, Any] = json.loads(line)
    if "error" in event:
        raise FollowEnded(event["error"])
    return event
