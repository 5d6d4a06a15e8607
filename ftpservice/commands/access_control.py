"""Access control commands: login, logout, working directory (RFC 959 §4.1.1, RFC 7151)."""

from __future__ import annotations

from twisted.cred.credentials import Anonymous
from twisted.cred.error import LoginFailed as Refused
from twisted.cred.error import UnhandledCredentials

from ftpservice.accounts.account import CertificateCredentials, PeerCredentials
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.accounts.defence.login_attempts import (
    MAX_FAILURES_PER_SESSION,
    TooManyAttempts,
    delay_after,
)
from ftpservice.accounts.defence.login_refusal import LoginRefused
from ftpservice.events import LoggedIn, LoginFailed, LoginRefusal
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import ReplyError, log_detail
from ftpservice.session.verb_table import ArgumentKind, VerbTable
from ftpservice.storage.errors import NotDirectory, StorageError
from ftpservice.storage.interfaces import IEnter
from ftpservice.wire import codes
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.replies import Reply, reply, verbatim_reply

__all__ = ["publish_login_refused", "verbs"]

verbs = VerbTable()

TLS_REQUIRED_TEXT = "TLS is required; send AUTH TLS first, or use implicit TLS."
OUTSIDE_HOURS_TEXT = "The account may not log in at this time."
HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:[]")


@verbs.add("HOST", ArgumentKind.TEXT, rfc="7151", syntax="<host name>", login=False, feature="HOST")
async def host(context: SessionContext, name: str) -> Reply:
    """Name the virtual host; all hosts have the same accounts and files."""
    host_name = name.strip().lower()
    if not 0 < len(host_name) <= 255 or not HOST_CHARACTERS.issuperset(host_name):
        raise ReplyError(codes.BAD_ARGUMENT, "That is not a host name.")
    served = context.services.settings.host_names
    if served and host_name.rstrip(".") not in served:
        raise ReplyError(codes.BAD_PARAMETER, "That host is not served here.")
    return reply(codes.READY, "Host accepted.")


@verbs.add("USER", ArgumentKind.TEXT, rfc="959 4.1.1", syntax="<name>", login=False)
async def user(context: SessionContext, name: str) -> Reply:
    """Name the user to log in; ends the previous login."""
    anonymous = _is_anonymous(context, name)
    if not _may_log_in(context, anonymous):
        publish_login_refused(
            context, LoginRefusal.NO_TLS, "plaintext logins are not allowed", name
        )
        return await _refuse_login(context, TLS_REQUIRED_TEXT)
    context.forget_login()
    context.user = name
    if anonymous:
        return reply(codes.NEED_PASSWORD, "Anonymous login; send any password.")
    if name in context.tls_state.names and await _log_in_by_certificate(context):
        code = codes.LOGGED_IN_BY_CERTIFICATE
        return _begin_login(context, code) or await _begin_leased_login(context, code)
    return reply(codes.NEED_PASSWORD, "Password required.")


def _may_log_in(context: SessionContext, anonymous: bool) -> bool:
    """Return whether the TLS policy allows the login, whatever the account."""
    policy, secured = context.services.settings.tls, context.tls_state.control
    if anonymous:
        return policy.allows_anonymous(secured)
    return policy.allows_password(secured, context.peer.host)


async def _log_in_by_certificate(context: SessionContext) -> bool:
    """Log in if the client certificate is enough for the account; return whether it was."""
    name = context.user.encode("utf-8", "surrogateescape")
    names = context.tls_state.names
    credentials = CertificateCredentials(name, context.peer.host, names)
    try:
        await context.portal_login.login(context.services.portal, credentials, context.user)
    except LoginRefused as error:
        if not error.is_vague:  # otherwise the client sends PASS
            publish_login_refused(context, error.reason, f"by certificate; {error.detail}")
        return False
    except (Refused, UnhandledCredentials):
        return False
    except (LoginBusy, LoginUnavailable) as error:
        _publish_not_checked(context, error)
        raise
    return True


def _is_anonymous(context: SessionContext, name: str) -> bool:
    return context.services.settings.anonymous and _means_anonymous(context, name)


def _means_anonymous(context: SessionContext, name: str) -> bool:
    """Return whether ``name`` is one of the names of anonymous users."""
    return name.lower() in (context.services.user_anonymous.lower(), "anonymous", "ftp")


@verbs.add("PASS", ArgumentKind.OPTIONAL_TEXT, rfc="959 4.1.1", syntax="<password>", login=False)
async def password(context: SessionContext, text: str | None) -> Reply:
    """Send the password of the user named by USER."""
    try:
        await context.services.login_attempts.admit(context.peer.label)
    except TooManyAttempts:
        publish_login_refused(context, LoginRefusal.THROTTLED, "of this address")
        return reply(codes.SERVICE_UNAVAILABLE, "Too many failed logins from your address.")
    try:
        await _log_in(context, _credentials(context, text or ""))
    except (Refused, UnhandledCredentials) as error:
        publish_login_refused(context, *_refusal_of(context, error))
        is_outside_hours = isinstance(error, LoginRefused) and error.is_outside_hours
        text = OUTSIDE_HOURS_TEXT if is_outside_hours else "Login failed."
        return await _refuse_login(context, text)
    except (LoginBusy, LoginUnavailable, StorageError) as error:
        _publish_not_checked(context, error)
        raise
    begun = _begin_login(context, codes.LOGGED_IN)
    return begun or await _begin_leased_login(context, codes.LOGGED_IN)


def _publish_not_checked(context: SessionContext, error: Exception) -> None:
    """Publish that a login failed for a reason that is not the client's."""
    reason = LoginRefusal.NO_FILES
    if isinstance(error, LoginBusy):
        reason = LoginRefusal.BUSY
    elif isinstance(error, LoginUnavailable):
        reason = LoginRefusal.STORE_UNAVAILABLE
    publish_login_refused(context, reason, log_detail(error))
    context.published_error = error


def _refusal_of(context: SessionContext, error: Exception) -> tuple[LoginRefusal, str]:
    """Return the reason for which the portal refused a login, as far as it is known."""
    if isinstance(error, LoginRefused):
        reason, detail, is_vague = error.reason, error.detail, error.is_vague
    elif isinstance(error, UnhandledCredentials):
        reason, detail, is_vague = LoginRefusal.REFUSED, "no checker supports such logins", True
    else:
        reason, detail, is_vague = LoginRefusal.REFUSED, str(error), True
    if is_vague and _means_anonymous(context, context.user):
        return LoginRefusal.NO_ANONYMOUS, detail
    return reason, detail


def publish_login_refused(
    context: SessionContext, reason: LoginRefusal, detail: str = "", name: str | None = None
) -> None:
    """Publish that a login is refused, and why; the reply does not give the reason."""
    context.events.publish(LoginFailed, reason, detail, user=context.user if name is None else name)


def _begin_login(context: SessionContext, code: int, is_counted: bool = False) -> Reply | None:
    """Begin the login of the account that the portal granted, unless it has too many sessions.

    None: a place for the session has to be asked for.
    """
    account, limits = context.portal_login.account, context.services.session_limits
    assert account is not None
    limit = account.max_sessions or context.services.settings.max_sessions_per_user
    if not is_counted and not limits.take("user", account.name, limit):
        return None if limits.may_obtain else _refuse_session(context, limit)
    limits.waiting.discard(context.peer.limit_key, context.peer.session)
    context.begin_login(account)
    context.events.publish(LoggedIn, context.tls_state.description)
    return reply(code, "Logged in.")


async def _begin_leased_login(context: SessionContext, code: int) -> Reply:
    """Ask for a place, and begin the login."""
    account, limits = context.portal_login.account, context.services.session_limits
    assert account is not None
    limit = account.max_sessions or context.services.settings.max_sessions_per_user
    is_counted = await limits.obtain("user", account.name, limit)
    begun = _begin_login(context, code, is_counted=True) if is_counted else None
    return begun or _refuse_session(context, limit)


def _refuse_session(context: SessionContext, limit: int) -> Reply:
    """Return the reply to a login over the limit of sessions."""
    context.portal_login.logout()
    publish_login_refused(context, LoginRefusal.TOO_MANY_SESSIONS, f"{limit} at a time")
    return reply(codes.SERVICE_UNAVAILABLE, "Too many sessions of that user.")


async def _log_in(context: SessionContext, credentials: PeerCredentials | Anonymous) -> None:
    """Log in through the portal, and count the attempt."""
    attempts, address = context.services.login_attempts, context.peer.label
    ended = attempts.abandoned
    try:
        await context.portal_login.login(context.services.portal, credentials, context.user)
        ended = attempts.succeeded
    except (Refused, UnhandledCredentials) as error:
        is_outside_hours = isinstance(error, LoginRefused) and error.is_outside_hours
        ended = attempts.abandoned if is_outside_hours else attempts.failed
        raise
    except LoginUnavailable as error:
        ended = attempts.failed if error.is_guess else attempts.abandoned
        raise
    finally:
        ended(address)


def _credentials(context: SessionContext, text: str) -> PeerCredentials | Anonymous:
    if _is_anonymous(context, context.user):
        return Anonymous()
    name = context.user.encode("utf-8", "surrogateescape")
    secret = text.encode("utf-8", "surrogateescape")
    peer, tls = context.peer, context.tls_state
    credentials = PeerCredentials(name, secret, peer.host, tls.control, tls.names)
    credentials.protocol = peer.protocol
    return credentials


async def _refuse_login(context: SessionContext, text: str) -> Reply:
    """Delay the reply to a failed login, and end the session after the last one (RFC 2577 §5)."""
    context.failures += 1
    last = context.failures >= MAX_FAILURES_PER_SESSION
    await context.pause(delay_after(context.failures))
    if last:
        return reply(codes.SERVICE_UNAVAILABLE, "Too many failed logins.")
    return reply(codes.NOT_LOGGED_IN, text)


@verbs.add("ACCT", ArgumentKind.TEXT, rfc="959 4.1.1", syntax="<account>")
async def account_information(_context: SessionContext, _text: str) -> Reply:
    """Send account information; not needed here."""
    return reply(codes.SUPERFLUOUS, "No account information is needed.")


@verbs.add("REIN", rfc="959 4.1.1", login=False)
async def reinitialize(context: SessionContext, _none: None) -> Reply:
    """Log out and start again on the same connection; TLS stays."""
    context.forget_login()
    context.tls_state.reset()
    return reply(codes.READY, "Ready for a new user.")


@verbs.add("QUIT", rfc="959 4.1.1", login=False, allowed_during_transfer=True)
async def leave(context: SessionContext, _none: None) -> Reply:
    """End the session; a transfer in progress is finished first."""
    ending = " after the transfer" if context.running is not None else ""
    return reply(codes.GOODBYE, f"Goodbye{ending}.")


@verbs.add("SMNT", ArgumentKind.PATH, rfc="959 4.1.1")
async def structure_mount(_context: SessionContext, _path: VirtualPath) -> Reply:
    """Mount another filesystem; not implemented."""
    return reply(codes.NOT_IMPLEMENTED, "SMNT is not implemented.")


@verbs.add("CWD", ArgumentKind.PATH_OR_ROOT, rfc="959 4.1.1", syntax="[<directory>]")
async def change_directory(context: SessionContext, path: VirtualPath) -> Reply:
    """Change the working directory; without an argument to the root."""
    return await _change_directory(context, path)


@verbs.add("CDUP", rfc="959 4.1.1")
async def change_up(context: SessionContext, _none: None) -> Reply:
    """Change the working directory to its parent."""
    return await _change_directory(context, context.directory.parent)


async def _change_directory(context: SessionContext, path: VirtualPath) -> Reply:
    storage = IEnter(context.storage, None)
    if storage is not None:
        await storage.enter(path)
    elif (await context.storage.stat(path)).kind is not Kind.DIRECTORY:
        raise NotDirectory(path)
    context.directory = path
    return reply(codes.FILE_ACTION_OK, f"{path.quoted()} is the current directory.")


@verbs.add("PWD", rfc="959 4.1.3")
async def working_directory(context: SessionContext, _none: None) -> Reply:
    """Return the working directory."""
    return verbatim_reply(codes.PATHNAME, f"{context.directory.quoted()} is the current directory.")


ALIASES = {"XCWD": "CWD", "XCUP": "CDUP", "XPWD": "PWD", "CD": "CWD", "EXIT": "QUIT"}
for word, name in ALIASES.items():
    verbs.alias(word, name)
