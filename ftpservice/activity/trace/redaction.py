"""What a transcript shows of a command: no password, and by choice no names.

Only what is known to hold no secret is shown. A mistyped command may be a password.
"""

from __future__ import annotations

import re

from ftpservice.commands.extensions import site_verbs
from ftpservice.commands.table import VERB_TABLE
from ftpservice.control.dispatch import shown_verb
from ftpservice.session.verb_table import ArgumentKind
from ftpservice.wire.commands import Command

__all__ = ["REDACTED", "Redactor"]

REDACTED = "***"
SECRET_VERBS = ("PASS", "ACCT", "ADAT")
MAX_NAMES = 100_000
"""Names that are told apart; further ones are not."""
NAMED_KINDS = (ArgumentKind.PATH, ArgumentKind.OPTIONAL_PATH, ArgumentKind.PATH_OR_ROOT)
NO_NAMES = frozenset(
    [
        *("ALLO", "AUTH", "EPRT", "EPSV", "HELP", "LANG", "MODE", "OPTS", "PBSZ", "PORT"),
        *("PROT", "RANG", "REST", "STRU", "TYPE", "SITE HELP", "SITE UMASK"),
    ]
)
"""Verbs whose argument has no name of a file or account."""
BEFORE_NAME = {
    "LIST": re.compile(r"(?:-\S* *)*"),
    "NLST": re.compile(r"(?:-\S* *)*"),
    "STAT": re.compile(r"(?:-\S* *)*"),
    "MDTM": re.compile(r"(?:\d{14}\S* )?"),
    "MFCT": re.compile(r"\S* ?"),
    "MFMT": re.compile(r"\S* ?"),
    "MFF": re.compile(r"\S* ?"),
    "MLST": re.compile(""),
    "MLSD": re.compile(""),
    "SITE CHMOD": re.compile(r"\S* ?"),
}
"""What stands before the name in the argument of a verb."""


class Redactor:
    """Shows commands; ``user`` is the account of the trace, the only name of USER that is shown.

    With ``hides_names`` each part of a path becomes ``name-1`` and so on, the same part always the
    same word, so that the transcript can still be replayed.
    """

    def __init__(self, user: str, hides_names: bool) -> None:
        self.user = user
        self.hides_names = hides_names
        self._names: dict[str, str] = {}

    def command(self, command: Command) -> str:
        """Return the line of a command without secrets."""
        verb, argument = shown_verb(command.verb), command.argument
        if not verb:
            return REDACTED
        if argument is None:
            return verb
        row = VERB_TABLE.rows.get(verb)
        if row is None or verb in SECRET_VERBS:
            return f"{verb} {REDACTED}"
        if row.name == "SITE":
            return self._site(argument)
        if row.name == "USER":
            is_shown = argument == self.user and not self.hides_names
            return f"{verb} {argument if is_shown else REDACTED}"
        return f"{verb} {self._argument(row.alias_of or row.name, row.argument, argument)}"

    def _site(self, text: str) -> str:
        """Return a SITE command; of one that is not known, nothing is shown."""
        word, space, rest = text.partition(" ")
        row = site_verbs.rows.get(f"SITE {word.upper()}")
        if row is None:
            return f"SITE {REDACTED}"
        if not space:
            return row.name
        return f"{row.name} {self._argument(row.name, row.argument, rest)}"

    def _argument(self, verb: str, kind: ArgumentKind, text: str) -> str:
        if kind is ArgumentKind.NONE:
            return REDACTED
        if not self.hides_names or kind is ArgumentKind.NUMBER or verb in NO_NAMES:
            return text
        if kind in NAMED_KINDS:
            return self.path(text)
        before = BEFORE_NAME.get(verb)
        if before is None:
            return REDACTED
        found = before.match(text)
        end = found.end() if found is not None else 0
        return text[:end] + self.path(text[end:])

    def path(self, text: str) -> str:
        """Return a path, with other names if they are hidden."""
        if not self.hides_names:
            return text
        return "/".join(self._name(part) for part in text.split("/"))

    def _name(self, part: str) -> str:
        if part in ("", ".", ".."):
            return part
        if len(self._names) >= MAX_NAMES:
            return self._names.get(part, REDACTED)
        return self._names.setdefault(part, f"name-{len(self._names) + 1}")
