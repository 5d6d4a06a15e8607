"""Runs steps of a test in a process without root privileges."""

import os
import sys
import traceback
from pathlib import Path

import pytest

from tests.support.service_process import CHECKOUT

__all__ = ["NOBODY", "as_user", "needs_root", "opened_for_all"]

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")


def as_user(steps, user=NOBODY, groups=()):
    """Call ``steps`` in a child process of that user; it must not raise."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(groups)
            os.setgid(user)
            os.setuid(user)
            steps()
            status = 0
        except BaseException:  # noqa: BLE001 - nothing may escape into the parent's tests
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see the child's traceback"


OPEN_DIRECTORY = """
set -e
closed=$1 scratch=$2 count=$3; shift 3
mount -t tmpfs -o mode=755 tmpfs "$scratch"
while [ "$count" -gt 0 ]; do
    mkdir -p "$scratch${1#"$closed"}"
    mount --bind "$1" "$scratch${1#"$closed"}"
    count=$((count - 1)); shift
done
mount --rbind "$scratch" "$closed"
exec "$@"
"""


def opened_for_all(command: list[str], scratch: Path) -> list[str]:
    """Return a command that runs where every user can read Python and this checkout.

    A directory above them that only root can enter is replaced in a mount namespace of its own,
    by one with nothing else in it; ``scratch`` is an empty directory for that. Needs root.
    """
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), CHECKOUT}
    by_closed: dict[Path, list[str]] = {}
    for path in sorted(needed):
        closed = [one for one in path.parents if not one.stat().st_mode & 0o001]
        if closed:
            by_closed.setdefault(closed[-1], []).append(str(path))
    for number, (closed_one, paths) in enumerate(by_closed.items()):
        place = scratch / str(number)
        place.mkdir(parents=True)
        given = [str(closed_one), str(place), str(len(paths)), *paths]
        command = ["sh", "-c", OPEN_DIRECTORY, "sh", *given, *command]
    if by_closed:
        command = ["unshare", "--mount", "--propagation", "private", *command]
    return command
