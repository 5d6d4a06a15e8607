"""Templates of roots: only names of directories can be put in."""

import pytest

from ftpservice.accounts.groups.home_template import (
    check_template,
    fill_template,
    has_fields,
    require_plain_name,
)

UNSAFE = [
    "", ".", "..", "...", ".hidden", "a/b", "/", "/etc", "../ann", "a\\b", "a\0b", "a\nb", "a\x7fb",
    "a:b", " a", "a ", "a\u2028b", "\ud800", "a" * 256, "ü" * 128, "\u202eann",
    "a{user}", "{group}", "a}",
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


@pytest.mark.parametrize("name", ["a,b", "a;b", "a?b", "a#b", "a&b", "a=b", "a%2fb"])
def test_a_name_cannot_add_anything_to_a_storage_string(name):
    assert fill_template("/srv/{user}", name, None) == f"/srv/{name}"
    with pytest.raises(ValueError, match="cannot be put into"):
        fill_template("local:/srv/{user}", name, None)


def test_names_are_put_in_once_and_as_they_are():
    assert fill_template("/{group}/{user}/{user}", "ann", "staff") == "/staff/ann/ann"
    assert not has_fields("/{home}/{ user }")


@pytest.mark.parametrize("text", ["/srv", "/{user}", "local:/x/{group}/a{user}b"])
def test_known_fields_are_accepted(text):
    check_template(text)


@pytest.mark.parametrize(
    "text", ["/{foo}", "/{User}", "/{ user }", "/{user", "/user}", "/{}", "/{{user}}"]
)
def test_other_braces_are_a_mistake(text):
    with pytest.raises(ValueError, match=r"is not known; use \{user\} or \{group\}"):
        check_template(text)


def test_a_group_is_needed_for_its_field():
    with pytest.raises(ValueError, match="needs a group, and the account names none"):
        fill_template("/{group}", "ann", None)
