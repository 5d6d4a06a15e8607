"""The plugins of the account stores of other programs."""

import subprocess
import sys

import pytest
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString, makeChecker
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_store import IAccountStore, IReadOnlyStoreFactory
from ftpservice.accounts.external.external_accounts import IExternalAccounts
from ftpservice.accounts.external.factories import HTTPFactory, LDAPFactory, PAMFactory
from ftpservice.accounts.stores.store_checker import StoreChecker

STRINGS = {
    "ldap": "ldap://127.0.0.1#base=dc=x&cache=10m",
    "pam": "ftpservice#cache=10m",
    "http": "https://host/#cache=10m",
}
FACTORIES = [LDAPFactory(), PAMFactory(), HTTPFactory()]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.authType)
def factory(request):
    return request.param


def test_a_factory_makes_checkers_and_stores(factory):
    assert verifyObject(ICheckerFactory, factory)
    assert verifyObject(IReadOnlyStoreFactory, factory)
    checker = makeChecker(f"{factory.authType}:{STRINGS[factory.authType]}")
    assert isinstance(checker, StoreChecker)
    assert checker.cache_seconds == 600.0
    assert verifyObject(IExternalAccounts, checker.lookup)
    assert verifyObject(IAccountStore, factory.openStore(STRINGS[factory.authType]))


@pytest.mark.parametrize("text", ["", "nowhere.toml", "a b#x=y"])
def test_a_string_that_is_wrong_is_refused_by_kind(factory, text):
    for make in (factory.generateChecker, factory.openStore):
        with pytest.raises(InvalidAuthArgumentString, match=f"^{factory.authType}: "):
            make(text)


@pytest.mark.parametrize(
    ("factory", "package"), [(FACTORIES[0], "ldap3"), (FACTORIES[1], "pamela")]
)
def test_a_missing_package_is_named_with_what_to_do(factory, package):
    program = f"""
import sys
sys.modules[{package!r}] = None
from ftpservice.accounts.external.factories import {type(factory).__name__} as Factory
try:
    Factory().generateChecker({STRINGS[factory.authType]!r})
except Exception as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = f"{factory.authType}: the Python package {package} is missing"
    assert done.stdout.startswith(expected), done.stderr
    assert f"pip install 'ftpservice[{factory.authType}]'" in done.stdout


def test_the_plugins_import_nothing_heavy():
    program = "import ftpservice.accounts.external.factories, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint({"ldap3", "pamela", "argon2"})
