"""What a table ``[[hook]]`` of the TOML file says; each error names the key."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from ftpservice.backends.gates.path_patterns import PathPatterns
from ftpservice.wire.units import parse_duration

__all__ = ["EVENT_NAMES", "GATE_NAMES", "KEYS", "HookSettings", "parse_hook", "refuse_same_names"]

EVENT_NAMES = ("login", "upload", "download", "delete", "rename", "restore", "refusal", "ban")
EVENTS_WITH_PATHS = frozenset(EVENT_NAMES) - {"login", "ban"}
GATE_NAMES = ("upload", "delete", "login")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
PLUGIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
MAX_LIST = 256
MAX_TIME_LIMIT = 86_400.0
MAX_COUNT = 1_000_000


@dataclass(frozen=True)
class HookSettings:
    """One hook, or one gate."""

    name: str
    on: tuple[str, ...]
    """Some of `EVENT_NAMES`; of a gate some of `GATE_NAMES`."""
    gate: bool = False
    """Whether it is asked before, and may refuse; else it is told afterwards."""
    command: tuple[str, ...] = ()
    webhook: str = ""
    """A URL."""
    plugin: str = ""
    """The name of a plugin for Twisted, or a dotted name."""
    argument: str = ""
    """What the plugin is made with."""
    secret_file: str = ""
    accounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    time_limit: float = 30.0
    """Seconds, for a command, a request of a webhook, or an answer of a gate."""
    on_failure: str = "refuse"
    """What a gate does that fails: ``refuse`` or ``accept``."""
    max_running: int = 4
    """Commands at a time."""
    max_waiting: int = 1000
    """Events that wait, for a webhook on the disk; further ones are dropped and counted."""

    def from_directory(self, base: str) -> HookSettings:
        """Return the same with absolute paths; relative ones start at ``base``."""
        if not self.secret_file:
            return self
        return replace(self, secret_file=os.path.abspath(os.path.join(base, self.secret_file)))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("is not a string in quotes")
    return value


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or len(items) > MAX_LIST:
        raise ValueError(f"is not a list of 1 to {MAX_LIST} strings")
    return tuple(map(_text, items))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('is not a number of seconds, or a duration such as "30s"')
    if not math.isfinite(value) or not 0 < value <= MAX_TIME_LIMIT:
        raise ValueError("is not more than 0 and at most a day")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_COUNT:
        raise ValueError(f"is not a whole number from 1 to {MAX_COUNT}")
    return value


def _choice(value: object) -> str:
    if value not in ("refuse", "accept"):
        raise ValueError('is not "refuse" or "accept"')
    return str(value)


KEYS: dict[str, Callable[[object], Any]] = {
    "name": _text,
    "on": _texts,
    "gate": _flag,
    "command": _texts,
    "webhook": _text,
    "plugin": _text,
    "argument": _text,
    "secret-file": _text,
    "accounts": _texts,
    "groups": _texts,
    "paths": _texts,
    "time-limit": _seconds,
    "on-failure": _choice,
    "max-running": _count,
    "max-waiting": _count,
}


def parse_hook(table: Mapping[str, object]) -> HookSettings:
    """Return the hook of a table; raises `ValueError` with the reason."""
    label = f"hook {table['name']!r}" if isinstance(table.get("name"), str) else "a hook"
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            close = get_close_matches(key.replace("_", "-"), KEYS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"{label}: unknown key {key}{hint}")
        try:
            values[key.replace("-", "_")] = KEYS[key](value)
        except ValueError as error:
            raise ValueError(f"{label}: {key} {error}") from None
    for key in ("name", "on"):
        if key not in values:
            raise ValueError(f"{label} needs {key}")
    hook = HookSettings(**values)
    try:
        _check(hook, values)
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from None
    return hook


def _check(hook: HookSettings, given: Mapping[str, object]) -> None:
    if not NAME.fullmatch(hook.name):
        raise ValueError("name is not made of up to 63 letters, digits, - and _")
    known = GATE_NAMES if hook.gate else EVENT_NAMES
    for word in hook.on:
        if word not in known:
            what = "a gate can be asked about" if hook.gate else "the events are"
            raise ValueError(f"on: {word!r} is unknown; {what} {', '.join(known)}")
    ways = [key for key in ("command", "webhook", "plugin") if key in given]
    if len(ways) != 1:
        raise ValueError("give exactly one of command, webhook and plugin")
    _check_way(hook, ways[0], given)
    try:
        PathPatterns(hook.paths)
    except ValueError as error:
        raise ValueError(f"paths: {error}") from None
    if hook.paths and EVENTS_WITH_PATHS.isdisjoint(hook.on):
        raise ValueError("paths: none of its events has a path")


NEEDS = {"argument": "plugin", "secret_file": "webhook", "max_running": "command"}
"""Keys that belong to one way only."""


def _check_way(hook: HookSettings, way: str, given: Mapping[str, object]) -> None:
    for key, needed in NEEDS.items():
        if key in given and way != needed:
            raise ValueError(f"{key.replace('_', '-')} is for a {needed}")
    if "on_failure" in given and not hook.gate:
        raise ValueError("on-failure is for a gate (gate = true)")
    if way == "webhook":
        _check_webhook(hook)
    if way == "plugin" and not PLUGIN.fullmatch(hook.plugin):
        raise ValueError("plugin is not the name of a plugin, or a dotted name of Python")


def _check_webhook(hook: HookSettings) -> None:
    if hook.gate:
        raise ValueError("a gate is a command or a plugin, not a webhook")
    try:
        url = urlsplit(hook.webhook)
        is_usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not hook.webhook.isascii() or not hook.webhook.isprintable():
        raise ValueError("webhook is not a URL, such as https://example.com/hook")
    if " " in hook.webhook or url.fragment:
        raise ValueError("webhook is not a URL, such as https://example.com/hook")
    if url.username is not None:
        raise ValueError("webhook: no name and password in the URL; requests are signed")
    if not hook.secret_file:
        raise ValueError("a webhook needs secret-file, with the key of its signatures")


def refuse_same_names(hooks: tuple[HookSettings, ...]) -> None:
    """Raise `ValueError` if two hooks have one name."""
    seen: set[str] = set()
    for hook in hooks:
        if hook.name in seen:
            raise ValueError(f"two hooks have the name {hook.name!r}")
        seen.add(hook.name)
