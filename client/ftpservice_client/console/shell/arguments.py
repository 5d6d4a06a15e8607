"""The arguments of a shell command: options (``-x``, ``--long``) and positional arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftpservice_client.console.session.errors import UsageError
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.options import Option

__all__ = ["ParsedArguments", "parse_options"]

END_OF_OPTIONS = "--"


@dataclass(frozen=True)
class ParsedArguments:
    """Positional arguments, values of options by long name, and the text as typed."""

    positional: tuple[ShellArgument, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rest: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the positional arguments."""
        return tuple(argument.text for argument in self.positional)

    def text(self, index: int) -> str:
        """Return the text of a positional argument; empty if there is none."""
        return self.positional[index].text if index < len(self.positional) else ""

    def has(self, option: Option) -> bool:
        """Return whether an option was given."""
        return option.name in self.options

    def values(self, option: Option) -> tuple[str, ...]:
        """Return the values of an option in the order in which they were given."""
        return self.options.get(option.name, ())


def parse_options(
    arguments: Sequence[ShellArgument], known: Sequence[Option], rest: str
) -> ParsedArguments:
    """Separate options from positional arguments, up to ``--``.

    Quoted arguments are never options. Raises `UsageError` for an unknown option.
    """
    by_switch = {f"-{option.letter}": option for option in known}
    by_switch |= {f"--{option.name}": option for option in known}
    found: dict[str, tuple[str, ...]] = {}
    positional: list[ShellArgument] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        if argument == (END_OF_OPTIONS, False):
            positional += pending
            break
        if argument.literal or not argument.text.startswith("-") or argument.text == "-":
            positional.append(argument)
            continue
        for option in _options_in(argument.text, by_switch):
            if option.value and not pending:
                raise UsageError(f"Option -{option.letter} requires a value: {option.value}")
            value = pending.pop(0).text if option.value else ""
            found[option.name] = (*found.get(option.name, ()), value)
    return ParsedArguments(tuple(positional), found, rest)


def _options_in(text: str, by_switch: Mapping[str, Option]) -> list[Option]:
    """Return the option ``text``, or the options whose letters it combines (``-cv``)."""
    if text in by_switch:
        return [by_switch[text]]
    letters = [by_switch.get(f"-{letter}") for letter in text[1:]]
    options = [option for option in letters if option is not None]
    if text.startswith("--") or len(options) < len(letters):
        raise UsageError(f"Unknown option: {text} (put a name that begins with - in quotes)")
    return options
