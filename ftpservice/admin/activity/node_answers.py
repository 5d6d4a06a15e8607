"""Requests to the running service that other nodes of its cluster carry out, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

__all__ = ["RequestRefused", "ask_nodes", "node_sessions", "session_of_node"]

SESSION = re.compile(r"(?:(?P<node>[^:]+):)?(?P<number>[0-9]{1,15})")


def session_of_node(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[str | None, int] | None:
    """Return the node and the number of a session as `who` names it: ``ftp2:17``.

    Without a node it is one of the node that is asked; None for no session.
    """
    if text is None:
        return None
    found = SESSION.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no session such as 17 or ftp2:17")
    return found["node"], int(found["number"])


class RequestRefused(Exception):
    """The service has refused a request; ``str`` of it says why."""


def ask_nodes(
    send: Callable[..., Any],
    command: str,
    *,
    node: str | None = None,
    everywhere: bool = False,
    is_quiet: bool = False,
    **words: Any,
) -> list[tuple[str, Any]]:
    """Send a request; return the results with the names of the nodes, "" without a cluster.

    ``node``: to the node of this name, or all; otherwise ``everywhere``, or to the node itself.
    Nodes that do not answer or refuse are named on stderr, the latter unless ``is_quiet``; if none
    has a result, that raises `RequestRefused`.
    """
    if node is not None:
        words["node"] = node
    elif everywhere:
        words["everywhere"] = True
    answer = send(command, **words)
    if not isinstance(answer, dict) or "silent" not in answer:
        return [("", answer)]
    answers = answer["answers"]
    results = [(one["node"], one["result"]) for one in answers if "result" in one]
    errors = [(one["node"], one["error"]) for one in answers if "error" in one]
    if not results:
        raise RequestRefused(errors[0][1] if errors else "no node has answered")
    problems = [f"{name}: {text}" for name, text in errors if not is_quiet]
    problems += [f"{name} does not answer" for name in answer["silent"]]
    if answer["problem"]:
        problems.append(f"only this node was asked: {answer['problem']}")
    for line in problems:
        click.echo(line, err=True)
    return results


def node_sessions(send: Callable[..., Any], node: str | None) -> list[dict[str, Any]]:
    """Return the sessions of a node, or of all; in a cluster each has the name of its ``node``."""
    answers = ask_nodes(send, "who", node=node, everywhere=node is None)
    return [
        one | ({"node": name} if name else {}) for name, sessions in answers for one in sessions
    ]
