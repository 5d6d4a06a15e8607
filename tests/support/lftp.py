"""How lftp is run: a script of jobs, and what it said to the service."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.client_programs import Ended, program, run
from tests.support.raw_client import Served

__all__ = ["lftp", "said", "sent"]

SETTINGS = (
    *("set cmd:fail-exit yes", "set net:max-retries 2", "set net:timeout 20"),
    "set ftp:ssl-allow no",  # else it goes under TLS by itself, where FEAT has it
)


def lftp(
    served: Served,
    tmp_path: Path,
    *commands: str,
    host: str = "127.0.0.1",
    port: int = 0,
    status: int | None = 0,
) -> Ended:
    """Run commands in the directory ``here``; what was said is in the error output."""
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    where = f"open -u demo,demo -p {port or served.port} {host}"
    script = "\n".join([*SETTINGS, "debug 5", where, *commands, ""])
    return run(
        [program("lftp"), "-f", "/dev/stdin"], tmp_path, cwd=here, told=script, status=status
    )


def said(ended: Ended) -> list[str]:
    """Return the commands that were sent."""
    return re.findall(r"^---> (.*)$", ended.stderr, re.MULTILINE)


def sent(ended: Ended, *verbs: str) -> list[str]:
    """Return the commands that begin with one of these words."""
    return [command for command in said(ended) if command.startswith(verbs)]
