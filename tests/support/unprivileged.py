"""Runs steps of a test in a process without root privileges."""

import os
import sys
import traceback

import pytest

__all__ = ["NOBODY", "as_user", "needs_root"]

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
