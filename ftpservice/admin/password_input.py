"""Passwords for the commands: from the terminal or from stdin, never from the command line."""

from __future__ import annotations

import sys

import click

__all__ = ["WeakPassword", "check_strength", "read_password"]

MAX_PASSWORD_BYTES = 1024
MIN_STRENGTH = 2
"""Of the scores 0 to 4 of zxcvbn: 2 takes more than a million guesses."""
MAX_ESTIMATED_CHARACTERS = 72
"""zxcvbn refuses more."""


class WeakPassword(Exception):
    """A password is too easy to guess; ``str`` of it says why."""


def read_password(from_stdin: bool, *, twice: bool = True) -> str:
    """Ask for a password, or read the first line of stdin; raises `click.UsageError`."""
    if from_stdin:
        line = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES + 2)
        password = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
    elif sys.stdin.isatty():
        password = click.prompt(
            "Password",
            hide_input=True,
            confirmation_prompt="Repeat the password" if twice else False,
            err=True,
        )
    else:
        raise click.UsageError("stdin is not a terminal; give the password with --password-stdin")
    if not password:
        raise click.UsageError("the password is empty")
    if len(password.encode("utf-8", "surrogateescape")) > MAX_PASSWORD_BYTES:
        raise click.UsageError(f"the password has more than {MAX_PASSWORD_BYTES} bytes")
    if any(character in "\r\n\0" for character in password):
        raise click.UsageError("the password has a character that FTP cannot carry (CR, LF or NUL)")
    return password


def check_strength(password: str, name: str) -> None:
    """Raise `WeakPassword` if a password is easy to guess."""
    from zxcvbn import zxcvbn

    printable = password.encode("utf-8", "replace").decode()
    estimate = zxcvbn(printable[:MAX_ESTIMATED_CHARACTERS], user_inputs=[name, "ftpservice"])
    if estimate["score"] < MIN_STRENGTH:
        reason = estimate["feedback"]["warning"].rstrip(".") or "It can be guessed easily"
        raise WeakPassword(f"the password is too weak: {reason[0].lower()}{reason[1:]}")
