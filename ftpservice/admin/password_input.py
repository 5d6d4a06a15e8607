"""Passwords for the commands: from the terminal or from stdin, never from the command line."""

from __future__ import annotations

import sys

import click

__all__ = ["read_password"]

MAX_PASSWORD_BYTES = 1024


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
