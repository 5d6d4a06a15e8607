"""Why a login is refused, told to the operator; the client gets one reply for all reasons."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.cred.error import UnauthorizedLogin

from ftpservice.events import LoginRefusal

__all__ = ["LoginRefused", "combined_refusal", "refusal_for"]

Problem = tuple[LoginRefusal, str]
"""A reason, and its circumstances in words; they may be empty."""

VAGUE_REASONS = (LoginRefusal.UNKNOWN_NAME, LoginRefusal.REFUSED)
"""Reasons that do not show that a checker knows the name."""


class LoginRefused(UnauthorizedLogin):
    """A login is refused for a known reason.

    ``str`` of it is the same for all reasons: an embedding program may show that to its clients.
    """

    def __init__(self, reason: LoginRefusal, detail: str = "") -> None:
        super().__init__("wrong name or password, or not allowed from there")
        self.reason = reason
        self.detail = detail

    @property
    def is_vague(self) -> bool:
        """Whether another checker may have more to say about the name."""
        return self.reason in VAGUE_REASONS


def refusal_for(problems: Sequence[Problem], where: str = "") -> LoginRefused:
    """Return the refusal for the first of several problems; its detail names the others.

    ``where`` says where the account is written down.
    """
    reason, detail = problems[0]
    others = ", ".join(str(other) for other, _ in problems[1:])
    parts = [detail, f"also: {others}" if others else "", where]
    return LoginRefused(reason, "; ".join(disconnect for disconnect in parts if disconnect))


def combined_refusal(refusals: Sequence[LoginRefused]) -> LoginRefused:
    """Return what several checkers' refusals come to: the first that knows the name, or all."""
    for one in refusals:
        if not one.is_vague:
            return one
    details = "; ".join(one.detail for one in refusals if one.detail)
    unknown = all(one.reason is LoginRefusal.UNKNOWN_NAME for one in refusals)
    return LoginRefused(LoginRefusal.UNKNOWN_NAME if unknown else LoginRefusal.REFUSED, details)
