"""Options of the shell's words: ``-x`` and ``--long``, with a value or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftpservice_client.console.session.errors import Usage
from ftpservice_client.console.session.line_parser import Argument

__all__ = ["Given", "Option", "sorted_out"]

END = "--"


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
class Given:
    """What stood behind a word: arguments, options by their long names, and the text as typed."""

    arguments: tuple[Argument, ...] = ()
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


def sorted_out(arguments: Sequence[Argument], known: Sequence[Option], rest: str) -> Given:
    """Tell options from arguments, up to ``--``; raises `Usage` for one that is not known."""
    by_name = {f"-{option.letter}": option for option in known}
    by_name |= {f"--{option.name}": option for option in known}
    found: dict[str, tuple[str, ...]] = {}
    plain: list[Argument] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == (END, False):
            plain += waiting
            break
        if argument.literal or not argument.text.startswith("-") or argument.text == "-":
            plain.append(argument)
            continue
        for option in _known(argument.text, by_name):
            value = _value(option, waiting) if option.value else ""
            found[option.name] = (*found.get(option.name, ()), value)
    return Given(tuple(plain), found, rest)


def _known(text: str, by_name: Mapping[str, Option]) -> list[Option]:
    """Return the option that ``text`` is, or the several whose letters it holds."""
    if text in by_name:
        return [by_name[text]]
    letters = [by_name.get(f"-{letter}") for letter in text[1:]]
    options = [option for option in letters if option is not None]
    if text.startswith("--") or len(options) < len(letters):
        raise Usage(f"There is no option {text} here; a name that begins with - stands in quotes.")
    return options


def _value(option: Option, waiting: list[Argument]) -> str:
    if not waiting:
        raise Usage(f"-{option.letter} wants a {option.value} behind it.")
    return waiting.pop(0).text
