"""Templates of roots: ``/srv/{user}`` in a group is a directory of each of its accounts.

Those of an account itself are filled in, too.

A name must neither leave nor hide in the directory that a template names, nor add anything to the
storage string that it becomes a part of. Names that could are refused: the account cannot log in.
"""

from __future__ import annotations

import re

__all__ = ["MAX_NAME_BYTES", "check_template", "fill_template", "has_fields", "require_plain_name"]

MAX_NAME_BYTES = 255
"""The longest name of a directory."""
FIELD = re.compile(r"\{(?:user|group)\}")
BRACES = re.compile(r"\{[^{}]*\}?|\}")
FORBIDDEN = frozenset("/\\:{}")
"""Separators, and what a template would be filled in for a second time."""
STORAGE_NAME = re.compile(r"[\w.@+~ -]+")
"""Names without a character that separates anything in a storage string or a mount."""


def require_plain_name(name: str) -> None:
    """Raise `ValueError` for a name that cannot be the name of a directory."""
    is_plain = name.isprintable() and name == name.strip() and not name.startswith(".")
    if not (name and is_plain) or len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"{name!r} cannot be the name of a directory")
    if not FORBIDDEN.isdisjoint(name):
        raise ValueError(f"{name!r} cannot be the name of a directory")


def check_template(text: str) -> None:
    """Raise `ValueError` for braces that are not those of ``{user}`` or ``{group}``."""
    wrong = BRACES.search(FIELD.sub("", text)) if "{" in text or "}" in text else None
    if wrong is not None:
        raise ValueError(f"{wrong[0]!r} in {text!r} is not known; use {{user}} or {{group}}")


def has_fields(template: str) -> bool:
    """Return whether a text is a template."""
    return FIELD.search(template) is not None


def fill_template(template: str, user: str, group: str | None) -> str:
    """Return a path or a storage string with ``{user}`` and ``{group}`` filled in.

    Raises `ValueError` with the reason if a name cannot be put in, or if there is no group.
    """
    names = {"{user}": user, "{group}": group}
    for field in set(FIELD.findall(template)):
        name = names[field]
        if name is None:
            raise ValueError(f"{template!r} needs a group, and the account names none")
        try:
            require_plain_name(name)
        except ValueError:
            raise ValueError(f"the name cannot be put into {template!r}") from None
        if not template.startswith("/") and STORAGE_NAME.fullmatch(name) is None:
            raise ValueError(f"the name cannot be put into {template!r}")
    return FIELD.sub(lambda match: names[match[0]] or "", template)
