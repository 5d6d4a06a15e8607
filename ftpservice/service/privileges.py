"""The user that the service runs as: refuses root, and drops its privileges before serving.

Listeners are bound and files are created as the user of the start. `Privileges.drop` runs after
that and before the reactor accepts a connection, so no byte of a client is read as root. It
changes the real, effective and saved ids and the groups of the process, and then checks that they
have changed and that root cannot be taken back.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.password_hash import needs_rehash
from ftpservice.linux import set_dumpable
from ftpservice.service.settings.directories import NO_CHANGE, Owner, acting_as, groups_of
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings

__all__ = ["Privileges", "ServiceUser", "owner_for", "service_user"]

ROOT = 0
MAX_ID = 2**32 - 2
"""The next number means "unchanged" to the kernel."""
CAP_SETUID = 7
"""The bit of the capability to become any user (capabilities(7))."""
CAP_SETGID = 6
"""That to change the groups of the process."""
MODULE_FILES = (os.__file__, __file__)
"""Of the standard library and of this package: further modules are loaded when they are needed."""
REFUSED_TEXT = (
    "refusing to serve as root - start it as another user (User= in its unit), or give --uid USER "
    "to become that user after the ports are bound, or --allow-root to serve as root"
)
ROOT_GROUP_TEXT = (
    "--uid: the process is in the group of root (0), which {name} is not - start it without, by "
    "setpriv --init-groups or by User= in its unit"
)
GROUP_TEXT = (
    "the process is in the group of root (0) and can use files of that group - start it by User= "
    "in its unit, or by setpriv --init-groups"
)
ALLOWED_TEXT = "warning: serving as root (--allow-root); --uid USER drops its privileges"


@dataclass(frozen=True)
class ServiceUser:
    """The user and group to become; ``name`` is that of the user or its number."""

    uid: int
    gid: int
    name: str

    @property
    def owner(self) -> Owner:
        """The owner of what the start creates."""
        return self.uid, self.gid


def service_user(options: ServiceOptions) -> ServiceUser | None:
    """Return the user to become, by the settings or the options of twistd; raises `CannotStart`.

    None: the process keeps its user.
    """
    uid, gid = options.settings.uid, options.settings.gid
    parent = options.parent
    if parent is None and not options.is_for_command:
        if uid is not None or gid is not None:
            raise CannotStart("--uid: the program that embeds the service changes the user itself")
        return None
    program = [None if parent is None else parent.get(name) for name in ("uid", "gid")]
    if program != [None, None]:
        if uid is not None or gid is not None:
            raise CannotStart("--uid and --gid: give them to twistd or to ftpservice, not to both")
        uid, gid = (None if number is None else str(number) for number in program)
    if uid is None:
        if gid is not None:
            raise CannotStart("--gid needs --uid: give the user as well")
        return None
    if parent is not None and parent.get("euid"):
        raise CannotStart("--euid: the service could become root again; leave it out")
    return _found_user(uid, gid)


def _found_user(user: str, group: str | None) -> ServiceUser:
    entry = _user_entry(user)
    uid = _number(user) if entry is None else entry.pw_uid
    if uid is None:
        raise CannotStart(f"--uid {user}: there is no such user")
    if group is not None:
        gid = _group(group)
    elif entry is not None:
        gid = entry.pw_gid
    else:
        raise CannotStart(f"--uid {user}: no user has this number; give --gid as well")
    return ServiceUser(uid, gid, user if entry is None else entry.pw_name)


def _user_entry(text: str) -> pwd.struct_passwd | None:
    """Return the user of a name or a number."""
    with suppress(KeyError):
        return pwd.getpwnam(text)
    number = _number(text)
    with suppress(KeyError):
        return None if number is None else pwd.getpwuid(number)
    return None


def _group(text: str) -> int:
    """Return the number of a group; raises `CannotStart`."""
    with suppress(KeyError):
        return grp.getgrnam(text).gr_gid
    number = _number(text)
    if number is None:
        raise CannotStart(f"--gid {text}: there is no such group")
    return number


def _number(text: str) -> int | None:
    """Return the user or group id that a text spells; None for a name."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))
    return int(text) if is_number and int(text) <= MAX_ID else None


def owner_for(options: ServiceOptions) -> Owner:
    """Return the owner of what the service creates: the user that it becomes, if it does.

    Raises `CannotStart`.
    """
    user = service_user(options)
    return NO_CHANGE if user is None else user.owner


class Privileges:
    """What the process of the service may do; ``write_line`` shows warnings to the operator."""

    def __init__(self, options: ServiceOptions, write_line: Callable[[str], object]) -> None:
        self._settings = options.settings
        self._checkers = options.checkers
        self._user = service_user(options)
        self._write_line = write_line

    def refuse_root(self) -> None:
        """Raise `CannotStart` if the service would run as root, or could not become its user."""
        user, uid = self._user, os.geteuid()
        if (uid if user is None else user.uid) == ROOT and not self._settings.allow_root:
            raise CannotStart(REFUSED_TEXT)
        if user is not None and uid != ROOT and user.owner != (uid, os.getegid()):
            raise CannotStart(
                f"--uid: only root can become {user.name}; start as root, or without it"
            )

    def check_drop(self) -> list[str]:
        """Return the warnings of `drop`; raises the `CannotStart` of it, and changes nothing."""
        if not self._settings.allow_root and os.geteuid() != ROOT:
            _require_no_root()
        return self.access_warnings()

    def drop(self) -> None:
        """Become the user of the settings and check it; raises `CannotStart`.

        Unless core dumps are allowed, only root can then read the memory of the process.
        """
        if self._user is not None:
            _become(self._user)
        for line in self.access_warnings():
            self._write_line(f"warning: {line}")
        if not self._settings.allow_root:
            _require_no_root()
        elif os.geteuid() == ROOT:
            self._write_line(ALLOWED_TEXT)
        set_dumpable(self._settings.core_dumps)  # a change of the user has reset it

    def access_warnings(self) -> list[str]:
        """Return what the new user cannot read again, or that the group of root is left over.

        Raises `CannotStart` for what it must read: without this the service would start, and
        later miss changes.
        """
        if self._user is None:
            in_group = ROOT in (os.getgid(), os.getegid(), *os.getgroups())
            return [GROUP_TEXT] if in_group and os.geteuid() != ROOT else []
        with acting_as(self._user.owner):
            for module in MODULE_FILES:
                self._require_readable(module, "install Python and ftpservice elsewhere")
            for path in self._watched_files():
                self._require_readable(path, "change its owner or mode")
            return [*_unreadable_keys(self._settings, self._user), *self._fixed_hashes(self._user)]

    def _require_readable(self, path: str, advice: str) -> None:
        if self._user is not None and not _may(path, os.R_OK):
            raise CannotStart(f"{path} cannot be read by {self._user.name} (--uid) - {advice}")

    def _watched_files(self) -> Iterator[str]:
        """Yield the files whose changes must take effect: accounts and lists of networks."""
        yield from (checker.file.path for checker in self._password_files())
        lists = (self._settings.allow_networks, self._settings.deny_networks)
        yield from (path for path in lists if path is not None)

    def _fixed_hashes(self, user: ServiceUser) -> Iterator[str]:
        """Yield a line for each file with hashes of other programs that cannot be replaced."""
        for checker in self._password_files():
            path = os.path.realpath(checker.file.path)
            records = checker.file.contents.accounts.values()
            if any(needs_rehash(record.password_hash) for record in records) and not (
                _may(os.path.dirname(path), os.W_OK | os.X_OK)
                and _may(path, os.W_OK)
                and os.stat(path).st_uid == user.uid
            ):
                yield (
                    f"{path}: password hashes of other programs stay in use: {user.name} (--uid) "
                    "does not own it or cannot write to its directory"
                )

    def _password_files(self) -> Iterable[PasswordFileChecker]:
        return (one for one in self._checkers if isinstance(one, PasswordFileChecker))


def _unreadable_keys(settings: ServiceSettings, user: ServiceUser) -> Iterator[str]:
    """Yield a line for each private key that cannot be read again."""
    for chain, key in settings.tls_files.certificates:
        path = key or chain
        if not _may(path, os.R_OK):
            yield (
                f"{path} cannot be read by {user.name} (--uid): a renewed certificate needs a "
                "restart"
            )


def _may(path: str | Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _become(user: ServiceUser) -> None:
    """Give up every id and group of the current user; raises `CannotStart`."""
    groups = groups_of(user.owner)
    has_ids = os.getresuid() == (user.uid,) * 3 and os.getresgid() == (user.gid,) * 3
    if has_ids and user.uid != ROOT:
        # Further groups may be wanted (SupplementaryGroups= of a unit); that of root is left over.
        if ROOT not in set(os.getgroups()) - {*groups, user.gid}:
            return
        if not _capabilities() >> CAP_SETGID & 1:
            raise CannotStart(ROOT_GROUP_TEXT.format(name=user.name))
    try:
        os.setgroups(groups)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        raise CannotStart(f"--uid: cannot become {user.name}: {error_text(error)}") from None
    has_ids = os.getresuid() == (user.uid,) * 3 and os.getresgid() == (user.gid,) * 3
    if not has_ids or not set(os.getgroups()) <= {*groups, user.gid}:
        raise CannotStart(f"--uid: not all ids and groups of the process are those of {user.name}")


def _require_no_root() -> None:
    """Raise `CannotStart` if the process is root or can become root again."""
    if ROOT in os.getresuid():
        raise CannotStart("the process can become root again: one of its user ids is 0")
    if _capabilities() >> CAP_SETUID & 1:
        raise CannotStart(
            "the process can become root again: it has CAP_SETUID - start it without, or give "
            "--allow-root"
        )


def _capabilities() -> int:
    """Return the capabilities that this thread has or can enable; none without ``/proc``."""
    try:
        text = Path("/proc/thread-self/status").read_bytes()
    except OSError:
        return 0
    lines = dict(line.partition(b":")[::2] for line in text.splitlines())
    return int(lines.get(b"CapPrm", b"0"), 16)
