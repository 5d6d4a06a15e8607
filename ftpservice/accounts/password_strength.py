"""Whether a new password is easy to guess."""

from __future__ import annotations

__all__ = ["WeakPassword", "check_strength"]

MIN_STRENGTH = 2
"""Of the scores 0 to 4 of zxcvbn: 2 takes more than a million guesses."""
MAX_ESTIMATED_CHARACTERS = 72
"""zxcvbn refuses more."""


class WeakPassword(Exception):
    """A password is too easy to guess; ``str`` of it says why."""


def check_strength(password: str, name: str) -> None:
    """Raise `WeakPassword` if a password is easy to guess."""
    from zxcvbn import zxcvbn

    printable = password.encode("utf-8", "replace").decode()
    estimate = zxcvbn(printable[:MAX_ESTIMATED_CHARACTERS], user_inputs=[name, "ftpservice"])
    if estimate["score"] < MIN_STRENGTH:
        reason = estimate["feedback"]["warning"].rstrip(".") or "It can be guessed easily"
        raise WeakPassword(f"the password is too weak: {reason[0].lower()}{reason[1:]}")
