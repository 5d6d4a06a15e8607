"""Why a login is refused: for the operator only. The client gets one reply for all reasons."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.cred.error import UnauthorizedLogin

from ftpservice.events import LoginRefusal

__all__ = ["LoginRefused", "RefusalReason", "combined_refusal", "refusal_for"]

RefusalReason = tuple[LoginRefusal, str]
"""A reason, and details in words (may be empty)."""

VAGUE_REASONS = (LoginRefusal.UNKNOWN_NAME, LoginRefusal.REFUSED)
"""Reasons that do not imply that the checker has an account of that name."""


class LoginRefused(UnauthorizedLogin):
    """A login is refused for a known reason.

    ``str`` of it is the same for all reasons, because an embedding program may show it to clients.
    """

    def __init__(self, reason: LoginRefusal, detail: str = "") -> None:
        super().__init__("wrong name or password, or not allowed from there")
        self.reason = reason
        self.detail = detail

    @property
    def is_outside_hours(self) -> bool:
        """Whether everything is right, with the password, but the time: the client may be told."""
        return self.reason is LoginRefusal.OUTSIDE_HOURS

    @property
    def is_vague(self) -> bool:
        """Whether another checker may give a more precise reason."""
        return self.reason in VAGUE_REASONS


def refusal_for(reasons: Sequence[RefusalReason], where: str = "") -> LoginRefused:
    """Return the refusal for the first of several reasons; its detail lists the others.

    ``where`` is the place of the account record. The hours of an account come after all other
    reasons: see `LoginRefused.is_outside_hours`.
    """
    reasons = sorted(reasons, key=lambda one: one[0] is LoginRefusal.OUTSIDE_HOURS)
    reason, detail = reasons[0]
    others = ", ".join(str(other) for other, _ in reasons[1:])
    parts = [detail, f"also: {others}" if others else "", where]
    return LoginRefused(reason, "; ".join(part for part in parts if part))


def combined_refusal(refusals: Sequence[LoginRefused]) -> LoginRefused:
    """Combine the refusals of several checkers: the first that is not vague, or all."""
    for refusal in refusals:
        if not refusal.is_vague:
            return refusal
    details = "; ".join(refusal.detail for refusal in refusals if refusal.detail)
    is_unknown = all(refusal.reason is LoginRefusal.UNKNOWN_NAME for refusal in refusals)
    return LoginRefused(LoginRefusal.UNKNOWN_NAME if is_unknown else LoginRefusal.REFUSED, details)
