"""The phases of a session and the transitions between them (RFC 959 §5.4, §6).

A verb of the table is legal only in the phases listed with it; elsewhere it is refused with 503.
All other verbs are legal in every phase that the login column of their row allows. They end a
rename that was begun, because RNTO must follow RNFR directly, except for those that only ask or do
nothing: clients keep their connection alive with NOOP at any time.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "BY_CERTIFICATE",
    "NEUTRAL_VERBS",
    "SEQUENCED_VERBS",
    "TRANSITIONS",
    "Phase",
    "phase_after",
    "state_diagram",
]

BY_CERTIFICATE = "USER by certificate"
"""The transition of a USER that needs no PASS (232, RFC 2228 §5.1)."""


class Phase(Enum):
    """A phase of a session."""

    GREETED = "greeted"
    NAMED = "named"
    LOGGED_IN = "logged in"
    RENAMING = "renaming"

    __hash__ = object.__hash__  # by identity: `Enum` hashes the name, in Python


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.GREETED, "HOST"): Phase.GREETED,
    (Phase.GREETED, "USER"): Phase.NAMED,
    (Phase.NAMED, "USER"): Phase.NAMED,
    (Phase.LOGGED_IN, "USER"): Phase.NAMED,
    (Phase.RENAMING, "USER"): Phase.NAMED,
    (Phase.NAMED, "PASS"): Phase.LOGGED_IN,
    (Phase.LOGGED_IN, "RNFR"): Phase.RENAMING,
    (Phase.RENAMING, "RNFR"): Phase.RENAMING,
    (Phase.RENAMING, "RNTO"): Phase.LOGGED_IN,
    (Phase.GREETED, "REIN"): Phase.GREETED,
    (Phase.NAMED, "REIN"): Phase.GREETED,
    (Phase.LOGGED_IN, "REIN"): Phase.GREETED,
    (Phase.RENAMING, "REIN"): Phase.GREETED,
    (Phase.GREETED, "AUTH"): Phase.GREETED,
    (Phase.NAMED, "AUTH"): Phase.GREETED,
    (Phase.LOGGED_IN, "AUTH"): Phase.GREETED,
    (Phase.RENAMING, "AUTH"): Phase.GREETED,
    (Phase.GREETED, BY_CERTIFICATE): Phase.LOGGED_IN,
    (Phase.NAMED, BY_CERTIFICATE): Phase.LOGGED_IN,
    (Phase.LOGGED_IN, BY_CERTIFICATE): Phase.LOGGED_IN,
    (Phase.RENAMING, BY_CERTIFICATE): Phase.LOGGED_IN,
}

SEQUENCED_VERBS = frozenset(verb for _, verb in TRANSITIONS)
"""The verbs of the table; all others are legal in every phase."""
PHASE_KEEPING_VERBS = frozenset(("AUTH",))
"""Verbs of the table that keep the phase when they fail."""
NEUTRAL_VERBS = frozenset(("NOOP", "STAT", "ABOR", "HELP", "FEAT", "SYST", "CLNT", "PWD", "XPWD"))
"""Verbs that may come between RNFR and RNTO."""
FALLBACK_PHASES = {Phase.NAMED: Phase.GREETED, Phase.RENAMING: Phase.LOGGED_IN}
"""The phase after a failed transition, where it changes."""


def phase_after(phase: Phase, verb: str, succeeded: bool) -> Phase:
    """Return the phase that a verb of the table, legal in ``phase``, leads to."""
    if succeeded:
        return TRANSITIONS[phase, verb]
    if verb not in PHASE_KEEPING_VERBS:
        return FALLBACK_PHASES.get(phase, phase)
    return Phase.LOGGED_IN if phase is Phase.RENAMING else phase


def state_diagram() -> str:
    """Return the table as a Mermaid state diagram, for the documentation."""
    rows = [
        f"    {old.name} --> {new.name}: {verb}"
        for (old, verb), new in TRANSITIONS.items()
        if old is not new
    ]
    return "\n".join(["stateDiagram-v2", "    [*] --> GREETED", *rows])
