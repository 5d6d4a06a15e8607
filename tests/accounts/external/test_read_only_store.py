"""A store whose accounts are changed elsewhere, as the command sees it."""

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountListing,
    AccountStoreError,
    FoundAccount,
    InvalidAccount,
    IPasswordStore,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.external.account_terms import AccountTerms
from ftpservice.accounts.external.external_accounts import (
    ExternalAccounts,
    IExternalAccounts,
    not_listed,
)
from ftpservice.accounts.external.read_only_store import ReadOnlyStore
from ftpservice.accounts.external.recent_accounts import RecentAccounts

ANN = AccountRecord("ann", "")
LOCKED = AccountRecord("ann", "", disabled=True)


@implementer(IExternalAccounts)
class Accounts(ExternalAccounts):
    """Returns ``found`` for every name."""

    place = "somewhere"
    changed_by = "in the test"
    cache_seconds = 0.0

    def __init__(self, found=None, finds=True):
        super().__init__(RecentAccounts(None), AccountTerms())
        self.found = found
        self.finds_without_password = finds
        self.problem = None
        self.listed = None

    def look_up(self, name, password):
        return self.found

    def listing(self):
        if self.listed is None:
            raise not_listed(self.place, "no", "x")
        return self.listed

    def reach(self):
        if self.problem is not None:
            raise self.problem

    def warnings(self):
        return ["odd"]


verifyObject(IExternalAccounts, Accounts())


def store(*arguments):
    return ReadOnlyStore(Accounts(*arguments))


def test_it_is_a_store():
    assert verifyObject(IPasswordStore, store())


def test_an_account_is_found():
    assert store(FoundAccount(ANN)).find("ann") is ANN
    with pytest.raises(NoSuchAccount, match="somewhere has no account 'ann'"):
        store(FoundAccount()).find("ann")
    with pytest.raises(InvalidAccount, match="cannot be used: odd quota"):
        store(FoundAccount(LOCKED, None, "odd quota")).find("ann")
    with pytest.raises(AccountStoreError, match="shown in the test only"):
        store(FoundAccount(ANN), False).find("ann")


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (FoundAccount(ANN, True), []),
        (FoundAccount(ANN, False), ["wrong password for 'ann'"]),
        (FoundAccount(None, False), ["no account 'ann'"]),
        (FoundAccount(None, False, "refused"), ["refused"]),
        (FoundAccount(LOCKED, True), ["account 'ann' is locked"]),
        (FoundAccount(LOCKED, True, "odd quota"), ["odd quota"]),
    ],
)
def test_a_password_is_checked(found, problems):
    assert store(found).check_password("ann", b"x") == problems


def test_problems_are_those_of_the_settings_and_of_the_way_there():
    accounts = Accounts()
    assert ReadOnlyStore(accounts).problems() == ["somewhere: odd"]
    accounts.problem = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        ReadOnlyStore(accounts).problems()


def test_every_change_is_refused():
    changed = store(FoundAccount(ANN))
    for change in (
        lambda: changed.add(ANN),
        lambda: changed.add_many([ANN]),
        lambda: changed.replace_hashes({"ann": ("", "x")}),
        lambda: changed.change("ann", {"disabled": True}),
        lambda: changed.remove("ann"),
    ):
        with pytest.raises(AccountStoreError, match="somewhere: accounts are changed in the test"):
            change()


def test_accounts_are_those_that_the_program_lists():
    accounts = Accounts()
    with pytest.raises(AccountStoreError, match=r"^somewhere: accounts cannot be listed: no; x$"):
        ReadOnlyStore(accounts).accounts()
    accounts.listed = AccountListing([ANN], ["odd"])
    assert ReadOnlyStore(accounts).listing() is accounts.listed
    assert ReadOnlyStore(accounts).accounts() == [ANN]
