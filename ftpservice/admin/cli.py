"""The command ``ftpservice``: its commands, and ``serve``, which is ``twistd -n ftpservice``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ftpservice import __version__
from ftpservice.admin.certificate_command import certificate
from ftpservice.admin.command_output import AdminCommands
from ftpservice.admin.config_commands import config
from ftpservice.admin.db_commands import db
from ftpservice.admin.doctor_command import doctor
from ftpservice.admin.file_commands import retention, trash
from ftpservice.admin.group_commands import group
from ftpservice.admin.import_command import import_users
from ftpservice.admin.program_commands import PROGRAM_COMMANDS
from ftpservice.admin.quota_command import quota
from ftpservice.admin.replay_command import replay
from ftpservice.admin.second_factor_commands import second_factor
from ftpservice.admin.service_commands import SERVICE_COMMANDS
from ftpservice.admin.share_commands import share
from ftpservice.admin.token_commands import token
from ftpservice.admin.user_commands import user

__all__ = ["main"]

EXIT_STATUSES = """\b
Exit status:
  0  done
  1  refused or failed; one line says why
  2  wrong command line
  3  the account store or the running service cannot be reached"""

SERVE_SYNOPSIS = "Usage: ftpservice serve [options]"


@click.group(cls=AdminCommands, epilog=EXIT_STATUSES)
@click.version_option(__version__, message="ftpservice %(version)s")
def ftpservice() -> None:
    """Serve files over FTP; manage accounts, settings and the running service.

    To run the service as a daemon: twistd ftpservice [options].
    """


@ftpservice.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[options]",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="")
def serve(options: Sequence[str]) -> None:
    """Serve in the foreground until Ctrl-C (serve --help).

    With --check, check the settings without starting.
    """
    from twisted.scripts import twistd

    program = twistd.ServerOptions()  # type: ignore[attr-defined]  # re-exported by platform
    program.ftpservice_synopsis = SERVE_SYNOPSIS  # type: ignore[attr-defined]
    program.parseOptions(["--nodaemon", "--pidfile=", "ftpservice", *options])
    twistd.runApp(program)


user.add_command(import_users)
user.add_command(second_factor)
ftpservice.add_command(user)
ftpservice.add_command(group)
ftpservice.add_command(db)
ftpservice.add_command(config)
ftpservice.add_command(doctor)
ftpservice.add_command(quota)
ftpservice.add_command(certificate)
ftpservice.add_command(retention)
ftpservice.add_command(trash)
ftpservice.add_command(token)
ftpservice.add_command(share)
ftpservice.add_command(replay)
for command in (*SERVICE_COMMANDS, *PROGRAM_COMMANDS):
    ftpservice.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, that of the process by default; ends with `SystemExit`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    ftpservice.main(words, prog_name="ftpservice", windows_expand_args=False)
