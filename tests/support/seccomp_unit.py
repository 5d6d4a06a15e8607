"""Runs a command under the system call filter of a systemd unit, without systemd.

``python seccomp_unit.py UNIT COMMAND...`` reads the unit as systemd does, asks
``systemd-analyze`` for the calls in a set, and loads the filter with libseccomp. It emulates
``SystemCallFilter``,
``RestrictAddressFamilies``, ``RestrictNamespaces`` (no ``clone3``, as with systemd),
``MemoryDenyWriteExecute`` and ``NoNewPrivileges``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EQUAL = 4
PR_SET_NO_NEW_PRIVS = 38
PR_SET_MDWE = 65


class Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def values(unit: Path, key: str) -> list[str]:
    """Return the values of a key, in order."""
    lines = [line.partition("=") for line in unit.read_text().splitlines()]
    return [value for name, _, value in lines if name == key]


def members(name: str) -> set[str]:
    """Return the calls of a set; a name without ``@`` is a set of one call."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[1:]
    words = [line.strip() for line in shown if line.strip() and not line.strip().startswith("#")]
    return set().union(*map(members, words))


def allowed(unit: Path) -> set[str]:
    """Return the calls that the unit's filter allows."""
    calls = members("@default")
    for value in values(unit, "SystemCallFilter"):
        named = set().union(*map(members, value.lstrip("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def load(calls: set[str], families: list[int]) -> None:
    """Load the filter for this process and the programs that it executes."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0, "Linux 6.3 or newer"
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ERRNO | errno.EPERM)))

    def rule(action: int, name: str, *comparisons: Comparison) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # a call of another architecture
        array = (Comparison * len(comparisons))(*comparisons)
        result = seccomp.seccomp_rule_add_array(
            context, ctypes.c_uint32(action), number, len(comparisons), array
        )
        assert result == 0, (name, result)

    rule(ERRNO | errno.ENOSYS, "clone3")
    for name in sorted(calls - {"socket", "clone3"}):
        rule(ALLOW, name)
    for family in families:
        rule(ALLOW, "socket", Comparison(0, EQUAL, family, 0))
    assert seccomp.seccomp_load(context) == 0


def main() -> None:
    unit = Path(sys.argv[1])
    [families] = values(unit, "RestrictAddressFamilies")
    load(allowed(unit), [getattr(socket, name) for name in families.split()])
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
