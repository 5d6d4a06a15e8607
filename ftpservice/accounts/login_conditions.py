"""Whether the owner of the right password may log in: by date, network, TLS and certificate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ftpservice.accounts.account import IPeerCredentials
from ftpservice.accounts.account_record import AccountRecord, CertificateUse
from ftpservice.accounts.login_refusal import Problem
from ftpservice.accounts.networks import is_in_networks
from ftpservice.accounts.passwd_line import PasswdContents
from ftpservice.events import LoginRefusal

__all__ = ["login_problems"]


def login_problems(
    contents: PasswdContents, record: AccountRecord, origin: IPeerCredentials, today: date
) -> Iterator[Problem]:
    """Yield every reason to refuse ``record``, an account of ``contents``, a login now."""
    if record.disabled:
        yield _closed(contents, record)
    if record.expires is not None and today > record.expires:
        yield LoginRefusal.EXPIRED, f"on {record.expires.isoformat()}"
    if record.networks and not is_in_networks(origin.peer, record.networks):
        allowed = ", ".join(map(str, record.networks))
        yield LoginRefusal.WRONG_NETWORK, f"only from {allowed}"
    if record.tls_required and not origin.secured:
        yield LoginRefusal.NO_TLS, "the account requires it"
    if (
        record.certificate is CertificateUse.REQUIRED
        and record.name not in origin.certificate_names
    ):
        yield _uncertified(origin)


def _closed(contents: PasswdContents, record: AccountRecord) -> Problem:
    """Return why an account is disabled: by its owner, or because its line cannot be read."""
    if record.name in contents.closed:
        lines = [str(line) for line in contents.malformed if line.name == record.name]
        return LoginRefusal.UNUSABLE_LINE, "; ".join(lines)
    return LoginRefusal.DISABLED, ""


def _uncertified(origin: IPeerCredentials) -> Problem:
    if not origin.certificate_names:
        return LoginRefusal.NO_CERTIFICATE, "the account requires it"
    return (
        LoginRefusal.OTHER_CERTIFICATE,
        f"the certificate names {', '.join(sorted(origin.certificate_names))}",
    )
