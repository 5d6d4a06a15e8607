"""Passwords in the strings of account stores."""

import pytest

from ftpservice.accounts.stores.url_passwords import has_password, without_password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sql:postgresql://ann:hidden@db/x", "sql:postgresql://ann:***@db/x"),
        ("sql:postgresql://ann:hid:den@db/x", "sql:postgresql://ann:***@db/x"),
        ("sql:postgresql://ann:hid@den@db/x", "sql:postgresql://ann:***@db/x"),
        ("sql:postgresql://:hidden@db/x", "sql:postgresql://:***@db/x"),
        (
            "sql:postgresql://db/x?user=a&password=hidden&y=1",
            "sql:postgresql://db/x?user=a&password=***&y=1",
        ),
        ("ldap://cn=a:hidden@host", "ldap://cn=a:***@host"),
    ],
)
def test_a_password_is_found_and_masked(text, shown):

    assert has_password(text)
    assert without_password(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "passwd:passwd.db",
        "passwd:/srv/a:b@c",
        "sql:sqlite:////srv/a.db",
        "sql:postgresql://ann@db:5432/x?passfile=/etc/p",
        "memory:a:b",
    ],
)
def test_other_strings_stay(text):
    assert not has_password(text)
    assert without_password(text) == text
