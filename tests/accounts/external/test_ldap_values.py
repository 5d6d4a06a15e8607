"""Values of LDAP attributes as options of accounts."""

import pytest

from ftpservice.accounts.external.ldap_connection import LDAPEntry
from ftpservice.accounts.external.ldap_values import option_words, same_dn


def words(option, attribute, *values):
    entry = LDAPEntry("cn=x", {attribute.lower(): [value.encode() for value in values]})
    return option_words(entry, ((option, attribute),)).get(option)


@pytest.mark.parametrize("value", ["FALSE", "false", "0", "no", "off", "", " "])
def test_what_does_not_disable(value):
    assert words("disabled", "loginDisabled", value) is None


@pytest.mark.parametrize("value", ["TRUE", "1", "20260101000000Z", "locked"])
def test_what_disables(value):
    assert words("disabled", "pwdAccountLockedTime", value) == [""]


def test_the_bit_of_active_directory_disables():
    assert words("disabled", "userAccountControl", "514") == [""]
    assert words("disabled", "userAccountControl", "512") is None
    with pytest.raises(ValueError):
        words("disabled", "userAccountControl", "maybe")


@pytest.mark.parametrize(
    ("attribute", "value", "day"),
    [
        ("end", "2027-01-31", "2027-01-31"),
        ("end", "20270131235959Z", "2027-01-31"),
        ("end", "20270131235959.0+0100", "2027-01-31"),
        ("end", "soon", "soon"),
        ("shadowExpire", "20850", "2027-01-31"),
        ("shadowExpire", "-1", None),
        ("accountExpires", "0", None),
        ("accountExpires", "9223372036854775807", None),
        ("accountExpires", "134144640000000000", "2026-02-01"),
    ],
)
def test_days(attribute, value, day):
    assert words("expires", attribute, value) == (None if day is None else [day])


def test_other_values_are_taken_as_they_are():
    assert words("quota", "description", " 10M ") == ["10M"]
    assert words("from", "network", "10.0.0.0/8", "::1") == ["10.0.0.0/8", "::1"]
    for option in ("quota", "from", "root", "rights"):  # as one that is missing
        assert words(option, "description", "", " ") is None
    assert words("quota", "description") is None


def test_several_attributes_for_one_option():
    entry = LDAPEntry("cn=x", {"a": [b"FALSE"], "b": [b"TRUE"]})
    assert option_words(entry, (("disabled", "a"), ("disabled", "b"))) == {"disabled": [""]}


def test_dns_are_compared_without_case_and_spaces():
    assert same_dn("CN=Admins, OU=Groups,dc=x", "cn=admins,ou=groups,DC=x")
    assert not same_dn("cn=admins,dc=x", "cn=admins,dc=y")
    assert same_dn("not a dn", "NOT a DN")
