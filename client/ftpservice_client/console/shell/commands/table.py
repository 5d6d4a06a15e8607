"""The table of all shell commands, and the command ``help``."""

from __future__ import annotations

from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import (
    ArgumentSpec,
    CompletionSource,
    ShellCommand,
    ShellCommandTable,
)
from ftpservice_client.console.shell.commands import connection, local, remote_files, transfers

__all__ = ["SHELL_COMMANDS", "commands_markdown"]

SHELL_COMMANDS = ShellCommandTable().include(
    connection.commands, remote_files.commands, transfers.commands, local.commands
)


@SHELL_COMMANDS.add(
    "help", "?", arguments=ArgumentSpec("[<command>]", (CompletionSource.COMMANDS,), max_count=1)
)
async def show_help(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """List the commands, or show the usage of one."""
    if arguments.positional:
        session.screen.print_lines(_command_help(SHELL_COMMANDS.find(arguments.text(0))))
        return
    width = max(len(command.name) for command in SHELL_COMMANDS)
    session.screen.print_lines(
        f"{command.name:<{width}}  {command.help}" for command in SHELL_COMMANDS
    )
    session.screen.print_status(
        "Type help COMMAND for its usage. Tab completes, Ctrl-C cancels, Ctrl-D quits."
    )


def _command_help(command: ShellCommand) -> list[str]:
    width = max((len(option.switches) for option in command.options), default=0)
    options = [f"  {option.switches:<{width}}  {option.help}" for option in command.options]
    aliases = [f"Aliases: {', '.join(command.aliases)}"] if command.aliases else []
    return [f"Usage: {command.syntax}", command.help, *options, *aliases]


def commands_markdown() -> str:
    """Return the table of commands for the documentation."""
    return "\n".join(
        [
            "| command | aliases | description |",
            "| --- | --- | --- |",
            *map(_markdown_row, SHELL_COMMANDS),
        ]
    )


def _markdown_row(command: ShellCommand) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in command.aliases)
    options = "".join(f" `{option.switches}`: {option.help}." for option in command.options)
    syntax = command.syntax.replace("|", "\\|")
    return f"| `{syntax}` | {aliases} | {command.help}{options} |"
