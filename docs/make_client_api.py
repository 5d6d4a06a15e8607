"""Writes ``docs/client-api.md`` from the docstrings.

Run it after a change of any: ``PYTHONPATH=.:client .venv/bin/python docs/make_client_api.py``.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ftpservice_client
from ftpservice_client import blocking, results
from ftpservice_client.local import sources, targets
from ftpservice_client.testing import service

__all__ = ["PAGE", "described", "made"]

PAGE = Path(__file__).with_name("client-api.md")
HEAD = """# The client library: reference

Made from the code; [the client library](client.md) shows how it is used. Everything is imported
from `ftpservice_client`, what is for tests from `ftpservice_client.testing`, and the calls that
block from `ftpservice_client.blocking`. Calls that return a `Deferred` raise their errors through
it.
"""
SECTIONS = {
    "Connecting": (
        "connect",
        "connect_endpoint",
        "connect_pool",
        "connect_without_login",
        "PendingLogin",
        "Settings",
        "ExplicitTLS",
        "Trust",
    ),
    "Calls": ("Client",),
    "Results": (
        *(
            "TransferResult",
            "Digest",
            "Listing",
            "Entry",
            "Kind",
            "MirrorResult",
            "MirrorStep",
            "MirrorProgress",
        ),
        "Reply",
    ),
    "Places": ("Destination", "Scheme", "parse_url"),
}
ALIASES = {"Readable": sources, "Writable": targets, "ProgressCallback": results}
BLOCKING = (
    "connect",
    "connect_endpoint",
    "connect_pool",
    "connect_without_login",
    "BlockingPendingLogin",
)
BLOCKING_CLIENT = """### `blocking.BlockingClient`

The calls and attributes of [`Client`](#client), with results in place of Deferreds. Leaving a
`with` block calls `quit`.
"""
FOR_TESTS = ("MemoryService", "Fault")
ATTRIBUTE = re.compile(
    r'^    (\w+)(?:: [^\n]+?)?(?: = [^\n]+?)?\n    """(.*?)"""', re.DOTALL | re.MULTILINE
)


def made() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *(_section(ftpservice_client, name) for name in names)]
    parts += [
        "## Sources and targets of transfers\n",
        *(_alias(name, home) for name, home in ALIASES.items()),
    ]
    parts += ["## Errors\n", _errors()]
    parts += ["## Blocking calls\n", *(_section(blocking, name, "blocking.") for name in BLOCKING)]
    parts += [BLOCKING_CLIENT]
    parts += ["## For tests\n", *(_section(service, name) for name in FOR_TESTS)]
    return "\n".join(parts).rstrip() + "\n"


def described() -> set[str]:
    """Return the names that the page documents."""
    errors = {kind.__name__ for kind, _ in _tree(ftpservice_client.ClientError)}
    return {*errors, *ALIASES, *(name for names in SECTIONS.values() for name in names)}


def _section(module: Any, name: str, prefix: str = "") -> str:
    thing = getattr(module, name)
    parts = [f"### `{prefix}{name}`\n", f"```text\n{name}{_signature(thing)}\n```\n", _text(thing)]
    if inspect.isclass(thing):
        parts += [_attributes(thing), *_methods(thing)]
    return "\n".join(part for part in parts if part)


def _alias(name: str, home: Any) -> str:
    """Return the section of a type alias, from the source of its module."""
    found = re.search(rf'^{name} = ([^\n]+)\n"""(.*?)"""', inspect.getsource(home), re.M | re.S)
    assert found is not None
    return f"### `{name}`\n\n```text\n{name} = {found[1]}\n```\n\n{found[2]}\n"


def _signature(thing: Any) -> str:
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return ""
    signature = inspect.signature(thing)
    kept = [
        one.replace(default=...) if "factory" in repr(one.default) else one
        for one in signature.parameters.values()
        if one.name != "self"
    ]
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature.replace(parameters=kept)))
    text = re.sub(r"ForwardRef\('(.*?)'\)", r"\1", text)
    text = re.sub(r"PosixPath\('(.*?)'\)", r'Path("\1")', text).replace("Ellipsis", "...")
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(\w+)", r"\1", text)
    if len(text) < 80:
        return text
    inner, _, rest = text[1:].rpartition(")")
    return "(\n    " + re.sub(r", (?=\*?\w+[:=,]|\*,)", ",\n    ", inner) + f",\n){rest}"


def _text(thing: Any) -> str:
    return f"{inspect.getdoc(thing)}\n"


def _attributes(kind: type) -> str:
    """Return the attributes with a docstring in the source, and the properties."""
    lines = []
    fields = {field.name for field in dataclasses.fields(kind)} if _is_dataclass(kind) else set()
    fields |= set(getattr(kind, "_fields", ()))
    for name, text in ATTRIBUTE.findall(inspect.getsource(kind)):
        if name in fields or isinstance(kind, enum.EnumMeta):
            lines.append(f"- `{name}`: {' '.join(text.split())}")
    for name, member in sorted(_members(kind), key=lambda one: one[0]):
        if isinstance(member, property):
            lines.append(f"- `{name}`: {' '.join((inspect.getdoc(member) or '').split())}")
    return "\n".join(lines) + "\n" if lines else ""


def _is_dataclass(kind: type) -> bool:
    return dataclasses.is_dataclass(kind)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    rooms = ("ftpservice_client", "ftpservice.testing")
    owners = [one for one in kind.__mro__ if one.__module__.startswith(rooms)]
    for owner in owners:
        yield from ((name, one) for name, one in vars(owner).items() if name[0] != "_")


def _methods(kind: type) -> Iterator[str]:
    for name, member in _members(kind):
        if inspect.isfunction(member):
            shown = f"```text\n{name}{_signature(member)}\n```\n"
            yield f"#### `{kind.__name__}.{name}`\n\n{shown}\n{_text(member)}"


def _tree(top: type) -> Iterator[tuple[type, int]]:
    def below(kind: type, depth: int) -> Iterator[tuple[type, int]]:
        yield kind, depth
        for one in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
            if one.__module__ == "ftpservice_client.errors":
                yield from below(one, depth + 1)

    return below(top, 0)


def _errors() -> str:
    lines = []
    for kind, depth in _tree(ftpservice_client.ClientError):
        text = " ".join((inspect.getdoc(kind) or "").split())
        lines.append(f"{'  ' * depth}- `{kind.__name__}`: {text}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(made(), encoding="utf-8")
