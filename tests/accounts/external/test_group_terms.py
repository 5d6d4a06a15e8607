"""What members of a group get: as a setting says it."""

import pytest

from ftpservice.accounts.external.account_terms import AccountTerms
from ftpservice.accounts.external.group_terms import parse_group_terms, require_defined
from ftpservice.accounts.external.store_string import BadStoreString


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("staff: full", {"rights": ["full"]}),
        (" staff : read,mkdir : /in/{user} ", {"rights": ["read,mkdir"], "root": ["/in/{user}"]}),
        ("staff: @people", {"groups": ["people"]}),
        ("staff: @people: local:/srv", {"groups": ["people"], "root": ["local:/srv"]}),
    ],
)
def test_a_group_gives_rights_or_a_group_of_the_settings_and_a_root(text, words):
    terms = parse_group_terms(text, "NAME")
    assert terms.name == "staff"
    assert {key: [one.strip() for one in given] for key, given in terms.words.items()} == words


@pytest.mark.parametrize(
    "text", ["staff", "staff:", ": full", "staff: raed", "staff: @", "a: b: c"]
)
def test_what_is_none_is_refused(text):
    with pytest.raises(BadStoreString, match=r"NAME: RIGHTS|the group"):
        parse_group_terms(text, "NAME")


def test_a_group_of_the_settings_must_be_defined():
    terms = AccountTerms()
    require_defined([parse_group_terms("staff: full", "NAME")], terms)
    with pytest.raises(BadStoreString, match="no 'define-group' for '@people'"):
        require_defined([parse_group_terms("staff: @people", "NAME")], terms)
