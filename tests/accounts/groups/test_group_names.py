"""The names of groups."""

import pytest

from ftpservice.accounts.groups.group_names import (
    check_group_name,
    described,
    is_group,
    listed_accounts,
)


@pytest.mark.parametrize("name", ["staff", "Domain Users", "a.b-c_d", "grün"])
def test_names_that_a_group_may_have(name):
    check_group_name(name)


@pytest.mark.parametrize(
    "name", ["", "a,b", "a:b", "a;b", "a=b", "@a", "a@b", "../x", "a/b", ".x", " a", "#a", "a\nb"]
)
def test_names_that_a_group_cannot_have(name):
    with pytest.raises(ValueError, match="group"):
        check_group_name(name)


def test_messages():
    assert is_group("@staff")
    assert not is_group("staff")
    assert (described("@staff"), described("ann")) == ("group 'staff'", "account 'ann'")
    assert listed_accounts(["ann"]) == "account 'ann'"
    many = [f"u{number}" for number in range(7)]
    assert listed_accounts(many) == "accounts 'u0', 'u1', 'u2', 'u3', 'u4' and 2 more"
