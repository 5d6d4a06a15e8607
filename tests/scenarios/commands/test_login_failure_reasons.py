"""The event of a failed login has the reason; the reply is the same for every reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import FilePasswordDB
from twisted.cred.error import UnhandledCredentials
from twisted.internet.defer import fail
from zope.interface import implementer

from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable, PasswordFileChecker
from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.accounts.defence.login_refusal import LoginRefused, combined_refusal, refusal_for
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.portal_checkers import PasswordCheckers
from ftpservice.accounts.realm import Realm
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.mounts.mount_rules import MountRules
from ftpservice.events import LoginFailed, LoginRefusal
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import TLSPolicy
from ftpservice.simple.error_answers import answer_for
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import ErrorCode
from tests.accounts.doubles import SECRET, InlinePool
from tests.support.ftp_dialogue import FTPDialogue

FILE = f"""# accounts
ann:{SECRET}:/:full
former:{SECRET}:/:full:disabled
expired:{SECRET}:/:full:expires=2027-01-30
office:{SECRET}:/:full:from=10.0.0.0/8
tls:{SECRET}:/:full:tls=required
cert:{SECRET}:/:full:tls-cert=required
broken:{SECRET}:/:raed
expiredoffice:{SECRET}:/:full:from=10.0.0.0/8,expires=2027-01-30
weekday:{SECRET}:/:full:hours=Mon-Sat 00\\:00-24\\:00
weekdayoffice:{SECRET}:/:full:from=10.0.0.0/8,hours=Mon-Sat 00\\:00-24\\:00
"""
SUNDAY = datetime(2027, 1, 31, 12).timestamp()
CLEAR = TLSPolicy(plaintext=True)
Started = Callable[..., FTPDialogue]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "passwd.db"
    path.write_text(FILE, "utf-8")
    return path


@pytest.fixture
def checker(path: Path) -> PasswordFileChecker:
    file = PasswordFile(str(path), lambda _text: None)
    return PasswordFileChecker(file, InlinePool(), lambda: SUNDAY)


@pytest.fixture
def dialogue(checker: PasswordFileChecker) -> FTPDialogue:
    settings = SessionSettings(tls=CLEAR, max_sessions_per_user=1)
    started = FTPDialogue(settings, host="192.0.2.1", checkers=[PasswordCheckers([checker])])
    started.replies()
    return started


@pytest.mark.parametrize(
    ("name", "password", "reason", "detail"),
    [
        ("ann", "wrong", "wrong password", "line 2 of {path}"),
        ("nobody", "secret", "unknown name", "not in {path}"),
        ("former", "secret", "disabled", "line 3 of {path}"),
        ("former", "wrong", "wrong password", "also: disabled; line 3 of {path}"),
        ("expired", "secret", "expired", "on 2027-01-30; line 4 of {path}"),
        ("office", "secret", "wrong network", "only from 10.0.0.0/8; line 5 of {path}"),
        ("tls", "secret", "no TLS", "the account requires it; line 6 of {path}"),
        ("cert", "secret", "no client certificate", "the account requires it; line 7 of {path}"),
        ("broken", "secret", "unusable line", "line 8: "),
        ("expiredoffice", "secret", "expired", "on 2027-01-30; also: wrong network; line 9"),
        ("weekday", "wrong", "wrong password", "also: outside its hours; line 10 of {path}"),
        (
            "weekdayoffice",
            "secret",
            "wrong network",
            "only from 10.0.0.0/8; also: outside its hours; line",
        ),
        ("anonymous", "me@example.org", "anonymous login not allowed", "not in {path}"),
    ],
)
def test_the_event_has_the_reason_and_the_reply_has_not(
    dialogue: FTPDialogue, path: Path, name: str, password: str, reason: str, detail: str
) -> None:
    assert dialogue.codes(f"USER {name}", f"PASS {password}") == [331]
    dialogue.reactor.advance(0.49)
    assert dialogue.replies() == []
    dialogue.reactor.advance(0.02)
    assert dialogue.replies() == ["530 Login failed."]
    [event] = dialogue.of(LoginFailed)
    assert (event.user, event.reason) == (name, LoginRefusal(reason))
    assert event.detail.startswith(detail.format(path=path))


def test_outside_its_hours_an_account_is_told_but_only_with_its_password(
    dialogue: FTPDialogue, path: Path
) -> None:
    assert dialogue.codes("USER weekday", "PASS secret") == [331]
    dialogue.reactor.advance(0.51)
    assert dialogue.replies() == ["530 The account may not log in at this time."]
    [event] = dialogue.of(LoginFailed)
    assert event.reason is LoginRefusal.OUTSIDE_HOURS
    assert event.detail == f"only Mon-Sat 00:00-24:00; line 10 of {path}"


def test_logins_outside_the_hours_are_no_failed_logins(dialogue: FTPDialogue) -> None:
    for _ in range(40):
        protocol, _transport = dialogue.connect("192.0.2.1")
        protocol.dataReceived(b"USER weekday\r\nPASS secret\r\n")
    dialogue.reactor.advance(0.51)
    events = dialogue.of(LoginFailed)
    assert [event.reason for event in events] == [LoginRefusal.OUTSIDE_HOURS] * 40
    bans = BanList(lambda: 0.0, BanRules(limit=1.0))
    for event in events:
        bans.count_failure(event)
    assert bans.refusal("192.0.2.1") is None
    dialogue.login("ann")


def test_reason_certificate_with_another_name(checker: PasswordFileChecker) -> None:
    credentials = PeerCredentials(b"cert", b"secret", "10.0.0.1", True, frozenset(["ann"]))
    seen: list[Any] = []
    checker.requestAvatarId(credentials).addErrback(lambda failure: seen.append(failure.value))
    [error] = seen
    assert error.reason is LoginRefusal.OTHER_CERTIFICATE
    assert error.detail.startswith("the certificate names ann; line 7 of ")


def test_reason_too_many_sessions(dialogue: FTPDialogue) -> None:
    dialogue.login("ann")
    first = dialogue.protocol
    dialogue.protocol, dialogue.transport = dialogue.connect("192.0.2.1")
    assert dialogue.codes("USER ann", "PASS secret")[-1] == 421
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (LoginRefusal.TOO_MANY_SESSIONS, "1 at a time")
    assert first is not dialogue.protocol


def test_reason_too_many_failures(dialogue: FTPDialogue) -> None:
    for _ in range(20):
        dialogue.factory.services().login_attempts.failed("192.0.2.1")
    waiting = [dialogue.connect("192.0.2.1") for _ in range(12)]
    for protocol, _transport in waiting:
        protocol.dataReceived(b"USER ann\r\nPASS wrong\r\n")
    dialogue.reactor.advance(0)
    reasons = [event.reason for event in dialogue.of(LoginFailed)]
    assert LoginRefusal.THROTTLED in reasons


def test_reason_too_many_checks(checker: PasswordFileChecker) -> None:
    class Full:
        credentialInterfaces = checker.credentialInterfaces

        def requestAvatarId(self, credentials: Any) -> Any:
            return fail(LoginBusy("full"))

    dialogue = FTPDialogue(checkers=[Full()])
    assert dialogue.codes("USER ann", "PASS secret")[-1] == 421
    assert [event.reason for event in dialogue.of(LoginFailed)] == [LoginRefusal.BUSY]


class Unavailing:
    """A checker whose store is down."""

    credentialInterfaces = PasswordFileChecker.credentialInterfaces

    def __init__(self, is_guess: bool = False) -> None:
        self.is_guess = is_guess

    def requestAvatarId(self, _credentials: Any) -> Any:
        return fail(LoginUnavailable("the store: it is down", self.is_guess))


def test_reason_unavailable_store() -> None:
    dialogue = FTPDialogue(checkers=[Unavailing()])
    dialogue.replies()
    assert dialogue.say("USER ann", "PASS secret")[-1] == (
        "421 Accounts cannot be checked at the moment; try again later."
    )
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (
        LoginRefusal.STORE_UNAVAILABLE,
        "the store: it is down",
    )
    assert answer_for(LoginUnavailable()).code is ErrorCode.BUSY  # type: ignore[union-attr]


@pytest.mark.parametrize("is_guess", [False, True])
def test_only_a_guess_at_another_store_counts_while_a_store_is_down(is_guess: bool) -> None:
    dialogue = FTPDialogue(checkers=[Unavailing(is_guess)])
    for _ in range(30):
        protocol, transport = dialogue.connect("192.0.2.1")
        protocol.dataReceived(b"USER ann\r\nPASS guess\r\n")
    dialogue.reactor.advance(0)
    assert (b"Accounts cannot be checked" not in transport.value()) is is_guess


def test_reason_unavailable_storage() -> None:
    dialogue = FTPDialogue()
    dialogue.replies()

    def unavailable(*_arguments: object) -> Any:
        return fail(Unavailable(VirtualPath(), "the disk is gone"))

    dialogue.realm.requestAvatar = unavailable  # type: ignore[method-assign]
    assert dialogue.codes("USER ann", "PASS secret") == [331, 451]
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (
        LoginRefusal.NO_FILES,
        "the storage failed (the disk is gone)",
    )


@implementer(IStorageSource)
class PlainSource:
    """The source of a storage that has no trash."""

    async def storage(self, owner: str, top: VirtualPath) -> RestrictedStorage:
        return RestrictedStorage(MemoryStorage(), PRESETS["full"])

    def describe(self) -> str:
        return "plain:"

    async def stop(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize("mount", ["", ",mount=/in=/kept"])
def test_an_account_with_a_trash_needs_a_storage_that_keeps_files(
    tmp_path: Path, mount: str
) -> None:
    """A file that should be kept would be lost, so there is no login."""
    path = tmp_path / "passwd.db"
    path.write_text(f"bin:{SECRET}:/:full:trash=30d{mount}\nann:{SECRET}:/:full\n", "utf-8")
    checker = PasswordFileChecker(PasswordFile(str(path), lambda _text: None), InlinePool())
    dialogue = FTPDialogue(checkers=[checker])
    realm = Realm(PlainSource(), [checker], open_source=lambda _text: PlainSource())
    realm.mount_rules = MountRules(dialogue.reactor)
    dialogue.factory.portal.realm = realm
    dialogue.replies()
    _user, refused = dialogue.say("USER bin", "PASS secret")
    assert refused == "504 The storage of this directory does not support that."
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (
        LoginRefusal.NO_FILES,
        "the storage cannot do that (the storage cannot keep deleted files (trash))",
    )
    assert dialogue.codes("USER ann", "PASS secret") == [331, 230]


def test_reason_of_another_checker(tmp_path: Path) -> None:
    (tmp_path / "pw.txt").write_text("ann:right\n")
    stock = PasswordCheckers([FilePasswordDB(str(tmp_path / "pw.txt"))], InlinePool())
    dialogue = FTPDialogue(checkers=[stock])
    dialogue.codes("USER ann", "PASS wrong")
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (LoginRefusal.REFUSED, "by checker FilePasswordDB")
    plain = FTPDialogue()
    plain.codes("USER ann", "PASS wrong")
    assert [(one.reason, one.detail) for one in plain.of(LoginFailed)] == [
        (LoginRefusal.REFUSED, "no")
    ]


def test_reason_no_password_checker() -> None:
    dialogue = FTPDialogue(checkers=[])
    dialogue.factory.portal.checkers.clear()
    with pytest.raises(UnhandledCredentials):
        dialogue.factory.portal.login(
            PeerCredentials(b"a", b"b", None, False), None
        ).result.raiseException()
    dialogue.codes("USER ann", "PASS secret")
    [event] = dialogue.of(LoginFailed)
    assert (event.reason, event.detail) == (LoginRefusal.REFUSED, "no checker supports such logins")


def test_reason_of_several_checkers() -> None:
    unknown = LoginRefused(LoginRefusal.UNKNOWN_NAME, "not in a")
    other = LoginRefused(LoginRefusal.REFUSED, "by checker B")
    expired = refusal_for([(LoginRefusal.EXPIRED, "on 2027-01-30")], "line 3 of a")
    assert combined_refusal([unknown, expired, other]) is expired
    both = combined_refusal([unknown, other])
    assert (both.reason, both.detail) == (LoginRefusal.REFUSED, "not in a; by checker B")
    assert combined_refusal([unknown, unknown]).reason is LoginRefusal.UNKNOWN_NAME
    assert str(expired) == str(both)
