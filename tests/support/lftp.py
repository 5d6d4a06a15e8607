"""Runs lftp with a script, and reads the commands that it sent."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.client_programs import CompletedProgram, program, run
from tests.support.raw_client import RunningService

__all__ = ["all_sent", "lftp", "sent"]

SETTINGS = (
    *("set cmd:fail-exit yes", "set net:max-retries 2", "set net:timeout 20"),
    "set ftp:ssl-allow no",  # by default it uses TLS if FEAT lists it
)


def lftp(
    served: RunningService,
    tmp_path: Path,
    *commands: str,
    host: str = "127.0.0.1",
    port: int = 0,
    status: int | None = 0,
) -> CompletedProgram:
    """Run commands in the directory ``here``; the dialogue is in the error output."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    where = f"open -u demo,demo -p {port or served.port} {host}"
    script = "\n".join([*SETTINGS, "debug 5", where, *commands, ""])
    return run(
        [program("lftp"), "-f", "/dev/stdin"], tmp_path, cwd=here, stdin=script, status=status
    )


def all_sent(ended: CompletedProgram) -> list[str]:
    """Return all commands that were sent."""
    return re.findall(r"^---> (.*)$", ended.stderr, re.MULTILINE)


def sent(ended: CompletedProgram, *verbs: str) -> list[str]:
    """Return the sent commands with one of these verbs."""
    return [command for command in all_sent(ended) if command.startswith(verbs)]
