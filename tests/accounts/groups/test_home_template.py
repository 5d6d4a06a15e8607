"""Templates of roots: only names of directories can be put in."""

import pytest

from ftpservice.accounts.groups.home_template import fill_template, has_fields, require_plain_name

UNSAFE = [
    "", ".", "..", "...", ".hidden", "a/b", "/", "/etc", "../ann", "a\\b", "a\0b", "a\nb", "a\x7fb",
    "a:b", " a", "a ", "a\u2028b", "\ud800", "a" * 256, "ü" * 128, "\u202eann",
]  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("template", ["/srv/{user}", "/{group}/x", "local:/srv/{user}"])
def test_a_name_that_is_no_directory_of_its_own_is_refused(name, template):
    with pytest.raises(ValueError, match=r"cannot be"):
        require_plain_name(name)
    with pytest.raises(ValueError, match=r"cannot be put into"):
        fill_template(template, name, name)


@pytest.mark.parametrize("name", ["ann", "ann@example.org", "Jürgen", "a b", "a-b_c.d+1~", "用户"])
def test_ordinary_names_are_put_in(name):
    assert fill_template("/srv/{user}", name, None) == f"/srv/{name}"
    assert fill_template("local:/srv/{user}", name, None) == f"local:/srv/{name}"


@pytest.mark.parametrize("name", ["a,b", "a;b", "a?b", "a#b", "a&b", "a=b", "a%2fb", "a{user}"])
def test_a_name_cannot_add_anything_to_a_storage_string(name):
    assert fill_template("/srv/{user}", name, None) == f"/srv/{name}"
    with pytest.raises(ValueError, match="cannot be put into"):
        fill_template("local:/srv/{user}", name, None)


def test_names_are_put_in_once_and_as_they_are():
    assert fill_template("/{group}/{user}/{user}", "{group}", "staff") == "/staff/{group}/{group}"
    assert fill_template("/{home}", "ann", None) == "/{home}"
    assert not has_fields("/{home}/{ user }")


def test_a_group_is_needed_for_its_field():
    with pytest.raises(ValueError, match="needs a group, and the account names none"):
        fill_template("/{group}", "ann", None)
