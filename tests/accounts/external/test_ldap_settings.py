"""The settings of an LDAP directory."""

import pytest

from ftpservice.accounts.external.ldap_settings import ldap_settings
from ftpservice.accounts.external.store_string import BadStoreString

PEOPLE = "ou=people,dc=example,dc=org"


def settings(text, url="ldap://ldap.example.org"):
    return ldap_settings(f"{url}#{text}")


def test_defaults():
    found = settings(f"base={PEOPLE}")
    assert found.place == "ldap://ldap.example.org:389"
    assert (found.filter, found.name_attribute, found.bind) == ("(uid={user})", "uid", None)
    assert found.wanted_attributes == ("uid",)
    assert found.terms.rights == "full"


@pytest.mark.parametrize(
    ("url", "text", "starts"),
    [
        ("ldap://ldap.example.org", "", True),
        ("ldap://ldap.example.org", "&starttls=off", False),
        ("ldap://127.0.0.1", "", False),
        ("ldap://[::1]", "&starttls=on", True),
        ("ldap://127.0.0.1", "&server=ldap://10.0.0.1", True),
    ],
)
def test_tls_begins_unless_the_server_is_this_machine(url, text, starts):
    assert settings(f"base=x{text}", url).starts_tls is starts


def test_several_servers_are_named():
    found = settings("base=x&server=ldaps://b:7000", "ldap://[::1]")
    assert found.place == "ldap://[::1]:389 ldaps://b:7000"


def test_groups_are_in_order():
    found = settings("base=x&group=cn=a,dc=b: full&group=cn=c: read,mkdir: local:/srv/{user}")
    shown = [(group.name, group.rights, group.root) for group in found.groups]
    assert shown == [("cn=a,dc=b", "full", None), ("cn=c", "read,mkdir", "local:/srv/{user}")]
    assert found.terms.rights is None
    assert found.wanted_attributes == ("uid", "memberOf")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'base' is missing"),
        ("bind=uid=ann", "'bind' has no {user}"),
        ("bind={user}@corp", "'base' is missing: 'bind' is no DN"),
        ("base=x&filter=(uid=ann)", "'filter' has no {user}"),
        ("base=x&name=a b", "'name' is an attribute"),
        ("base=x&service-dn=cn=x", "belong together"),
        ("base=x&group=admins: full", "'group' is DN: RIGHTS"),
        ("base=x&group=cn=a: @staff", "there is no 'define-group' for '@staff'"),
        ("base=x&group=cn=a: @../x", "the group 'cn=a': '../x' cannot be"),
        ("base=x&group=cn=a", "'group' is DN: RIGHTS"),
        ("base=x&group=cn=a: all", "the group 'cn=a'"),
        ("base=x&group=cn=a: full: /../x", "the group 'cn=a'"),
        ("base=x&attribute=color: red", "unknown option 'color'"),
        ("base=x&attribute=mount: x", "unknown option 'mount'"),
        ("base=x&attribute=quota", "'attribute' is OPTION: ATTRIBUTE"),
        ("base=x&starttls=maybe", "'starttls' is one of on, off"),
        ("base=x&server=http://x", "is not a URL"),
        ("base=x&password=x", "unknown key 'password'"),
    ],
)
def test_what_is_wrong_is_said(text, problem):
    with pytest.raises(BadStoreString) as caught:
        settings(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://x", "ldap://", "ldap://x:port", "ldap://x/dc=a", "ldap://x?uid", "x"]
)
def test_urls_are_checked(url):
    with pytest.raises(BadStoreString):
        settings("base=x", url)


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(BadStoreString) as caught:
        settings("base=x", "ldap://cn=x:secret@host")
    assert "secret" not in str(caught.value)
