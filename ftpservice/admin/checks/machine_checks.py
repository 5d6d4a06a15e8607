"""Checks of the machine for ``ftpservice doctor``: limits, disk, clock, ports. They block."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pwd
import resource
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ftpservice.activity.text_table import size_text
from ftpservice.admin.checks.finding import Finding, error, good, warning
from ftpservice.wire.units import count_text

__all__ = [
    "check_clock",
    "check_descriptors",
    "check_directory",
    "check_file_system",
    "check_home",
    "check_passive_ports",
    "check_processes",
    "reserved_ports",
]

DESCRIPTORS_PER_SESSION = 4
"""Control connection, data connection, file and pipe."""
OTHER_DESCRIPTORS = 200
MIN_PROCESSES = 256
"""Threads count as processes."""
MIN_FREE_BYTES = 1 << 30
MIN_FREE_SHARE = 0.05
CLOCK_UNSYNCHRONIZED = 5
"""TIME_ERROR of adjtimex(2)."""
TIMEX_BYTES = 256
"""More than ``struct timex`` has; a zeroed one asks and changes nothing."""
PROC_NET = Path("/proc/sys/net/ipv4")
MAX_TRIED_PORTS = 1000
PROBE_PREFIX = ".ftpservice.probe-"
"""Hidden from clients, where a file cannot be made without a name."""
PROBE_ATTRIBUTE = "user.ftpservice.probe"


def check_descriptors(max_sessions: int) -> Iterator[Finding]:
    """Compare the limit on open files with the number of sessions."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_sessions * DESCRIPTORS_PER_SESSION + OTHER_DESCRIPTORS
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        yield good(
            "descriptors",
            f"{count_text(max_sessions, 'session')} may use {wanted}; the limit is {limit}",
        )
        return
    possible = max(0, limit - OTHER_DESCRIPTORS) // DESCRIPTORS_PER_SESSION
    raised = f"LimitNOFILE={wanted} in the unit" + (
        f" or ulimit -n {wanted}" if hard == resource.RLIM_INFINITY or hard >= wanted else ""
    )
    yield warning(
        "descriptors",
        f"the limit of {limit} open files is enough for {possible} of "
        f"{count_text(max_sessions, 'session')}",
        f"set {raised}, or lower max-sessions",
    )


def check_processes() -> Iterator[Finding]:
    """Check the limit on processes and threads of the user."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit == resource.RLIM_INFINITY or limit >= MIN_PROCESSES:
        yield good("processes", "the limit on processes and threads is high enough")
    else:
        yield warning(
            "processes",
            f"the user may have only {limit} processes and threads",
            f"set TasksMax={MIN_PROCESSES} in the unit or raise ulimit -u",
        )


def check_clock() -> Iterator[Finding]:
    """Ask the kernel whether a time service keeps the clock right."""
    library = ctypes.CDLL(None, use_errno=True)
    state = library.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    if state == CLOCK_UNSYNCHRONIZED:
        yield warning(
            "clock",
            "no time service keeps the clock right; file times and certificates depend on it",
            "enable systemd-timesyncd, chrony or ntpd",
        )
    elif state < 0:
        yield good("clock", "the kernel does not tell whether the clock is right")
    else:
        yield good("clock", "a time service keeps it right")


def check_directory(subject: str, path: str) -> Iterator[Finding]:
    """Check that a directory can be used, and the free space and files of its file system."""
    if not os.path.isdir(path):
        yield warning(subject, f"{path} does not exist yet", "it is created at the start")
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        advice = "change its owner or mode; run this command as the user of the service"
        yield error(subject, f"{path}: this user may not read and write it", advice)
        return
    space = os.statvfs(path)
    if space.f_flag & os.ST_RDONLY:
        yield error(subject, f"{path} is on a read-only file system", "mount it for writing")
        return
    free, total = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    shown = f"{path}: {size_text(free)} free"
    if free < MIN_FREE_BYTES or free < total * MIN_FREE_SHARE:
        yield warning(subject, shown, "free space, or limit accounts by a quota")
    elif space.f_files and space.f_favail < space.f_files * MIN_FREE_SHARE:
        text = f"{path}: only {space.f_favail} more files are possible"
        yield warning(subject, text, "remove files, or use a file system with more inodes")
    else:
        yield good(subject, shown)


def check_file_system(subject: str, path: str) -> Iterator[Finding]:
    """Try what interrupted uploads need, with a file that is removed: attributes and locks."""
    if not os.path.isdir(path):
        return
    try:
        with tempfile.TemporaryFile(dir=path, prefix=PROBE_PREFIX) as probe:
            yield _attributes_finding(subject, path, probe.fileno())
            yield _locks_finding(subject, path, probe.fileno())
    except OSError as caught:
        advice = "without the right to create files there, uploads fail"
        yield warning(subject, f"{path}: no file can be created: {caught.strerror}", advice)


def check_home(root: str) -> Iterator[Finding]:
    """Check that clients cannot write settings of libraries, such as ``.aws``, into a home."""
    served = os.path.realpath(root)
    for home in dict.fromkeys(map(os.path.realpath, _homes())):
        if os.path.commonpath((served, home)) == served:
            yield warning(
                "home",
                f"{home}, the home directory of this user, is below {served}: clients may put "
                "files there that libraries read, such as .aws/config and .pgpass",
                "give the user another one (usermod --home), and the unit Environment=HOME=",
            )


def _homes() -> Iterator[str]:
    if home := os.environ.get("HOME"):
        yield home
    with contextlib.suppress(KeyError):  # a number without a name
        yield pwd.getpwuid(os.geteuid()).pw_dir


def _attributes_finding(subject: str, path: str, opened: int) -> Finding:
    try:
        os.setxattr(opened, PROBE_ATTRIBUTE, b"1")
    except OSError as caught:
        return warning(
            subject,
            f"{path}: no extended attributes ({caught.strerror}); after a kill, and at other nodes "
            "and workers, an interrupted upload over an existing file cannot be resumed",
            "mount it with them (JuiceFS: --enable-xattr)",
        )
    return good(subject, f"{path}: extended attributes work")


def _locks_finding(subject: str, path: str, opened: int) -> Finding:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as caught:
        text = f"{path}: no locks ({caught.strerror}); several nodes or workers may write one file"
        return warning(subject, text, "mount it with flock, or use one process for each account")
    return good(subject, f"{path}: locks (flock) work")


def reserved_ports() -> set[int]:
    """Return the ports that the kernel never assigns automatically."""
    found: set[int] = set()
    try:
        text = (PROC_NET / "ip_local_reserved_ports").read_text(encoding="ascii")
    except OSError:
        return found
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def check_passive_ports(
    ports: tuple[int, int] | None, max_sessions: int, shared: int | None = None
) -> Iterator[Finding]:
    """Check the range of passive ports: its size, and whether other programs use it.

    ``shared`` is the port of all sessions, if there is one; then there need not be a range.
    """
    subject = "passive ports"
    if shared is not None:
        yield good(subject, f"port {shared} is that of the data connections of all sessions")
        return
    if ports is None:
        text = "any free port is used for data connections"
        yield warning(
            subject, text, "behind a firewall or NAT set passive-ports, and open that range"
        )
        return
    first, last = ports
    size = last - first + 1
    if size < min(max_sessions, 50):
        allow = "1 port allows" if size == 1 else f"{size} ports allow"
        transfers, sessions = count_text(size, "transfer"), count_text(max_sessions, "session")
        text = f"{allow} {transfers} at a time, for {sessions}"
        yield warning(subject, text, "enlarge passive-ports, or lower max-sessions")
    low, high = map(int, (PROC_NET / "ip_local_port_range").read_text(encoding="ascii").split())
    exposed = set(range(max(first, low), min(last, high) + 1)) - reserved_ports()
    if exposed:
        yield warning(
            subject,
            f"the kernel may give {len(exposed)} of them to outgoing connections of any program",
            f"sysctl net.ipv4.ip_local_reserved_ports={first}-{last}",
        )
    taken = [
        port for port in range(first, min(last + 1, first + MAX_TRIED_PORTS)) if _is_used(port)
    ]
    if taken:
        text = f"{len(taken)} are in use, by the service or another program: {taken[0]}"
        yield good(subject, text)
    else:
        yield good(subject, f"{first}-{last} are free")


def _is_used(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
