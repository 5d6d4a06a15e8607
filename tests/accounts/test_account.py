"""Accounts and credentials are what their interfaces say."""

from twisted.cred.credentials import IUsernamePassword
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import Account, IAccount, IPeerCredentials, PeerCredentials
from ftpservice.storage.rights import PRESETS
from ftpservice.wire.paths import ROOT
from tests.accounts.doubles import Token


def test_an_account_starts_at_its_root_without_limits():
    account = Account("alice", Token(), PRESETS["read"])
    assert verifyObject(IAccount, account)
    assert (account.home, account.max_sessions, account.anonymous) == (ROOT, None, False)


def test_credentials_with_a_peer_do_wherever_a_name_and_password_do():
    credentials = PeerCredentials(b"alice", b"secret", "192.0.2.1", True)
    assert verifyObject(IPeerCredentials, credentials)
    assert IUsernamePassword.providedBy(credentials)
    assert credentials.checkPassword(b"secret")
    assert not credentials.checkPassword(b"wrong")
