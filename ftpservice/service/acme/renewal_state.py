"""What is known of the attempts to get a certificate, over restarts.

An attempt is written down before it begins, with the time of the next one: a service that crashes
in each attempt does not exceed the limits of the authority.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

__all__ = ["RenewalState", "parse_state"]


@dataclass(frozen=True)
class RenewalState:
    """The state; the one without arguments is that before the first attempt."""

    directory: str = ""
    """The authority of the attempts, and ..."""
    names: tuple[str, ...] = ()
    """... the names."""
    failures: int = 0
    """Failed attempts in a row; one in progress counts."""
    is_unreachable: bool = False
    """Whether the authority could not be reached in the last of them."""
    next_attempt: float = 0.0
    """The earliest time of the next attempt, in seconds since the epoch."""
    problem: str = ""
    """Why the last attempt failed; empty if it was interrupted or succeeded."""
    order: str = ""
    """The URL of an order that is not complete; its key is kept."""
    issued_by: str = ""
    """The directory of the authority of the certificate."""

    def for_attempts(self, directory: str, names: tuple[str, ...]) -> RenewalState:
        """Return the state for an authority and names: new, unless they are those before."""
        if (self.directory, self.names) == (directory, names):
            return self
        return RenewalState(directory, names, issued_by=self.issued_by)

    def with_failure(
        self, is_unreachable: bool, next_attempt: float, problem: str = ""
    ) -> RenewalState:
        """Return the state after one more attempt; another kind of failure counts from 1."""
        same_kind = self.is_unreachable == is_unreachable
        return replace(
            self,
            failures=self.failures + 1 if same_kind else 1,
            is_unreachable=is_unreachable,
            next_attempt=next_attempt,
            problem=problem,
        )

    def to_json(self) -> bytes:
        """Return the content of the file."""
        return json.dumps(asdict(self), indent=1).encode()


def parse_state(content: bytes) -> RenewalState:
    """Return the state in a file; raises `ValueError`."""
    try:
        table: dict[str, Any] = json.loads(content)
        given = {field.name: table[field.name] for field in fields(RenewalState)}
        given["names"] = tuple(given["names"])
        state = RenewalState(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a state: {error!r}") from None
    default = RenewalState()
    for field in fields(RenewalState):
        kind = type(getattr(default, field.name))
        value = getattr(state, field.name)
        if not isinstance(value, (int, float) if kind is float else kind):
            raise ValueError(f"{field.name} is {value!r}")
    return state
