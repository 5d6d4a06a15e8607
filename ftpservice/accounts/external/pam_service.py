"""Accounts of a PAM service: its modules check the password (auth) and the account (account).

No PAM session is opened, and the service does not become the user: files are those of the service.
A module cannot be interrupted, so each conversation has a thread that is abandoned when it hangs.
The delay after a wrong password is the service's own: PAM's would hold a thread for seconds.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Sequence
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_uint, c_void_p, cast, pointer
from dataclasses import dataclass, replace
from typing import Any

import pamela
from zope.interface import implementer

from ftpservice.accounts.account import IPeerCredentials
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    FoundAccount,
    IPeerAccountLookup,
    StoreUnavailable,
)
from ftpservice.accounts.external.account_terms import (
    COMMON_KEYS,
    NO_ACCOUNT,
    NO_HASH,
    AccountTerms,
    require_plain_name,
    terms_of,
    unusable_account,
)
from ftpservice.accounts.external.bounded_calls import BoundedCalls
from ftpservice.accounts.external.external_accounts import ExternalAccounts, not_listed
from ftpservice.accounts.external.group_terms import (
    IN_NO_GROUP,
    GroupTerms,
    parse_group_terms,
    require_defined,
)
from ftpservice.accounts.external.recent_accounts import RecentAccounts
from ftpservice.accounts.external.store_string import BadStoreString, parse_store_string

__all__ = ["PAMService", "PAMSettings", "pam_settings"]

ANSWER_SECONDS = 1.8
"""How long a login waits for the modules."""
MOST_CONVERSATIONS = 16
SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
SERVICE_DIRECTORIES = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d")

PAM_SUCCESS, PAM_AUTH_ERR, PAM_USER_UNKNOWN = 0, 7, 10
PAM_FAIL_DELAY = 10
PAM_SILENT, PAM_DISALLOW_NULL_AUTHTOK = 0x8000, 0x0001
FLAGS = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK
REFUSALS = frozenset({6, PAM_AUTH_ERR, 8, 11, 12, 13, 16, 19, 27})
"""Results that refuse this name or password: permission denied, authentication error, insufficient
credentials, too many tries, new password required, account or credentials expired, conversation
error, password expired. Others mean that PAM or a module cannot tell."""


NO_ANSWERS = pamela.new_simple_password_conv((), "utf-8")
START_IN_DIRECTORY = pamela.LIBPAM.pam_start_confdir
START_IN_DIRECTORY.restype = c_int
START_IN_DIRECTORY.argtypes = [
    *(c_char_p, c_char_p, POINTER(pamela.PamConv), c_char_p, POINTER(pamela.PamHandle)),
]


NO_DELAY = CFUNCTYPE(None, c_int, c_uint, c_void_p)(lambda *_arguments: None)
"""What PAM calls instead of its delay after a failure."""


@dataclass(frozen=True)
class PAMSettings:
    """The settings of a PAM service as a store of accounts.

    ``directory`` has the file of the service; None for the system's.
    """

    service: str
    directory: str | None
    terms: AccountTerms
    groups: tuple[GroupTerms, ...] = ()
    """What members of Unix groups get; the first one counts."""
    cache_seconds: float = 0.0
    watches: bool = True
    """Whether the account phase is run again for sessions that run."""


def pam_settings(text: str) -> PAMSettings:
    """Parse a store string (may read a file); raises `BadStoreString`."""
    keys = ("directory", "watch", "group", *COMMON_KEYS)
    described = parse_store_string(text, "service", keys)
    if not SERVICE_NAME.fullmatch(described.target):
        raise BadStoreString(f"{described.target!r} is not the name of a PAM service")
    watches = described.word("watch", ("on", "off")) != "off"
    directory = described.path("directory")
    groups = tuple(parse_group_terms(one, "UNIX-GROUP") for one in described.many("group"))
    terms = terms_of(described, needs_rights=not groups)
    require_defined(groups, terms)
    return PAMSettings(
        described.target, directory, terms, groups, described.seconds("cache"), watches
    )


@dataclass(frozen=True)
class PAMResult:
    """The result of a conversation: the code of the phase that failed, or success."""

    code: int
    is_right: bool
    """Whether the password was right."""
    name: str
    """The name that the modules use."""
    user: int | None
    """The number of the system's user; None for a name that the system does not know."""
    group: GroupTerms | None = None
    """The first of the groups in the settings that the account is in."""


@implementer(IPeerAccountLookup)
class PAMService(ExternalAccounts):
    """The accounts of one service."""

    changed_by = "in what the PAM service uses"
    finds_without_password = True

    def __init__(self, settings: PAMSettings) -> None:
        self.place = f"PAM service {settings.service}"
        self.cache_seconds = settings.cache_seconds
        self._settings = settings
        self._calls: BoundedCalls[PAMResult] = BoundedCalls(
            self.place, MOST_CONVERSATIONS, ANSWER_SECONDS
        )
        super().__init__(
            RecentAccounts(self._current if settings.watches else None), settings.terms
        )

    def look_up(self, name: str, password: bytes | None) -> FoundAccount:
        """Run both phases; only the account phase without a password."""
        return self._looked_up(name, password, None)

    def look_up_from(self, name: str, password: bytes, peer: IPeerCredentials) -> FoundAccount:
        """Run both phases, and tell the modules the address of the client."""
        return self._looked_up(name, password, peer.peer)

    def _looked_up(self, name: str, password: bytes | None, host: str | None) -> FoundAccount:
        try:
            require_plain_name(name)
        except ValueError:
            return NO_ACCOUNT
        if password is not None and (not password or b"\0" in password):
            return FoundAccount(None, False, "the password is empty or has a NUL")
        result = self._calls.call(lambda: self._converse(name, password, host))
        found = self._account(name, result)
        if password and found.is_right and found.record is not None and not found.unusable:
            self._recent.remember(found.record)
        return found if password is not None else replace(found, is_right=None)

    def listing(self) -> AccountListing:
        """Refuse: PAM has no call for that."""
        shown = "ftpservice user show NAME shows one"
        raise not_listed(self.place, "PAM is asked for single names only", shown)

    def reach(self) -> None:
        """Load the service; raises `StoreUnavailable`."""
        try:
            pamela.PAM_END(self._started("nobody", NO_ANSWERS), PAM_SUCCESS)
        except pamela.PAMError as error:
            raise StoreUnavailable(f"{self.place}: {error.message}") from None

    def warnings(self) -> list[str]:
        """Return a line if the service has no file of its own, and for each missing group."""
        lines = [
            f"the system has no group {one.name!r}, which 'group' names: logins are refused"
            for one in self._settings.groups
            if not _is_group(one.name)
        ]
        service, directory = self._settings.service, self._settings.directory
        directories = (directory,) if directory is not None else SERVICE_DIRECTORIES
        if any(os.path.exists(os.path.join(where, service)) for where in directories):
            return lines
        return [*lines, f"there is no {directories[0]}/{service}, so PAM uses 'other' in its place"]

    def _converse(self, name: str, password: bytes | None, host: str | None) -> PAMResult:
        """Run the phases, in a thread that may hang."""
        answers = pamela.new_simple_password_conv((password or b"",), "utf-8")
        try:
            handle = self._started(name, answers)
        except pamela.PAMError as error:
            raise StoreUnavailable(f"{self.place}: {error.message}") from None
        code = PAM_SUCCESS
        try:
            pamela.PAM_SET_ITEM(handle, PAM_FAIL_DELAY, cast(NO_DELAY, c_char_p))
            if host is not None:
                handle.set_item(pamela.PAM_RHOST, host)
            handle.set_item(pamela.PAM_TTY, "ftp")
            if password is not None:
                code = pamela.PAM_AUTHENTICATE(handle, FLAGS)
            is_right = code == PAM_SUCCESS
            if is_right:
                code = pamela.PAM_ACCT_MGMT(handle, FLAGS)
            result = _result(code, is_right, handle.get_item(pamela.PAM_USER) or name)
            return self._with_group(result) if code == PAM_SUCCESS else result
        except pamela.PAMError as error:
            raise StoreUnavailable(f"{self.place}: {error.message}") from None
        finally:
            pamela.PAM_END(handle, code)

    def _with_group(self, result: PAMResult) -> PAMResult:
        """Return the result with the group of the account (blocks); raises `StoreUnavailable`.

        A group that the system does not know could restrict the account, so it counts as no answer.
        """
        numbers = _group_numbers(result.name) if self._settings.groups else frozenset()
        for terms in self._settings.groups:
            try:
                group = grp.getgrnam(terms.name)
            except KeyError:
                raise StoreUnavailable(
                    f"{self.place}: the system has no group {terms.name!r}, which 'group' names"
                ) from None
            if group.gr_gid in numbers or result.name in group.gr_mem:
                return replace(result, group=terms)
        return result

    def _started(self, name: str, answers: Any) -> Any:
        """Return the handle of a new conversation; raises `pamela.PAMError`."""
        service, directory = self._settings.service, self._settings.directory
        if directory is None:
            return pamela.pam_start(service, name, conv_func=answers)
        handle = pamela.PamHandle()
        code = START_IN_DIRECTORY(
            service.encode(),
            name.encode(),
            pointer(pamela.PamConv(answers, 0)),
            os.fsencode(directory),
            byref(handle),
        )
        if code != PAM_SUCCESS:
            raise pamela.PAMError(errno=code)
        return handle

    def _account(self, name: str, result: PAMResult) -> FoundAccount:
        if result.code == PAM_USER_UNKNOWN:
            return NO_ACCOUNT
        if result.code != PAM_SUCCESS:
            reason = pamela.pam_strerror(pamela.PamHandle(), result.code)
            if result.code not in REFUSALS:
                raise StoreUnavailable(f"{self.place}: {reason}")
            if result.is_right:
                return unusable_account(name, True, f"PAM: {reason}")
            return FoundAccount(AccountRecord(name, NO_HASH, rights=frozenset()), is_right=False)
        if result.user == 0:
            return unusable_account(name, True, "accounts of user 0 do not log in")
        terms, group = self._settings.terms, result.group
        if group is None and self._settings.groups and terms.rights is None:
            return unusable_account(name, True, IN_NO_GROUP)
        return terms.found(result.name, group.words if group is not None else {}, True)

    def _current(self, names: Sequence[str]) -> dict[str, AccountRecord]:
        found = ((name, self.look_up(name, None).record) for name in names)
        return {name: record for name, record in found if record is not None}


def _is_group(name: str) -> bool:
    """Return whether the system has a group (blocks)."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _group_numbers(name: str) -> frozenset[int]:
    """Return the groups of a user of the system (blocks)."""
    try:
        return frozenset(os.getgrouplist(name, pwd.getpwnam(name).pw_gid))
    except (KeyError, ValueError):
        return frozenset()


def _result(code: int, is_right: bool, name: str) -> PAMResult:
    """Return a result with the system's spelling of the name, which may ignore case (blocks)."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return PAMResult(code, is_right, name, None)
    return PAMResult(code, is_right, entry.pw_name, entry.pw_uid)
