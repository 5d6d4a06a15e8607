"""Options of the shell's words: ``-x`` and ``--long``, with a value or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftpservice_client.console.session.errors import ShellUsageError
from ftpservice_client.console.session.line_parser import ShellArgument

__all__ = ["Option", "ParsedArguments", "parse_options"]

END_OF_OPTIONS = "--"


@dataclass(frozen=True)
class Option:
    """One option; ``value`` names what stands behind it, and is empty for a mere switch."""

    letter: str
    name: str
    help: str
    value: str = ""

    @property
    def switches(self) -> str:
        """Return both ways to give it, for HELP."""
        return f"-{self.letter}, --{self.name}" + (f" <{self.value}>" if self.value else "")

    @property
    def shown(self) -> str:
        """Return it as the syntax of a word shows it."""
        return f"[-{self.letter} <{self.value}>]" if self.value else f"[-{self.letter}]"


@dataclass(frozen=True)
class ParsedArguments:
    """What stood behind a word: arguments, options by their long names, and the text as typed."""

    arguments: tuple[ShellArgument, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rest: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The arguments, wildcards or not."""
        return tuple(argument.text for argument in self.arguments)

    def text(self, number: int) -> str:
        """Return an argument, counted from 0; empty if there is none."""
        return self.texts[number] if number < len(self.arguments) else ""

    def has(self, name: str) -> bool:
        """Tell whether an option was given."""
        return name in self.options

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of an option, one for each time it was given."""
        return self.options.get(name, ())


def parse_options(
    arguments: Sequence[ShellArgument], known: Sequence[Option], rest: str
) -> ParsedArguments:
    """Tell options from arguments, up to ``--``.

    Raises `ShellUsageError` for one that is not known.
    """
    by_name = {f"-{option.letter}": option for option in known}
    by_name |= {f"--{option.name}": option for option in known}
    found: dict[str, tuple[str, ...]] = {}
    plain: list[ShellArgument] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == (END_OF_OPTIONS, False):
            plain += waiting
            break
        if argument.literal or not argument.text.startswith("-") or argument.text == "-":
            plain.append(argument)
            continue
        for option in _options_in(argument.text, by_name):
            value = _option_value(option, waiting) if option.value else ""
            found[option.name] = (*found.get(option.name, ()), value)
    return ParsedArguments(tuple(plain), found, rest)


def _options_in(text: str, by_name: Mapping[str, Option]) -> list[Option]:
    """Return the option that ``text`` is, or the several whose letters it holds."""
    if text in by_name:
        return [by_name[text]]
    letters = [by_name.get(f"-{letter}") for letter in text[1:]]
    options = [option for option in letters if option is not None]
    if text.startswith("--") or len(options) < len(letters):
        raise ShellUsageError(
            f"There is no option {text} here; a name that begins with - stands in quotes."
        )
    return options


def _option_value(option: Option, waiting: list[ShellArgument]) -> str:
    if not waiting:
        raise ShellUsageError(f"-{option.letter} wants a {option.value} behind it.")
    return waiting.pop(0).text
