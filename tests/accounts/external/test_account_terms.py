"""The root, rights and options of accounts of other programs."""

from datetime import date
from ipaddress import ip_network

import pytest

from ftpservice.accounts.external.account_terms import (
    COMMON_KEYS,
    AccountTerms,
    is_text,
    require_plain_name,
    terms_of,
)
from ftpservice.accounts.external.store_string import BadStoreString, parse_store_string
from ftpservice.storage.rights import PRESETS


def terms(text, **needs):
    return terms_of(parse_store_string(f"x#{text}" if text else "x", "url", COMMON_KEYS), **needs)


def test_an_account_gets_what_the_settings_say():
    settings = "root=/srv/{user}&rights=read&quota=10M&from=::1&from=10.0.0.0/8&expires=2027-01-31"
    record = terms(settings).record("ann", {})
    assert (record.root, record.rights, record.quota_bytes) == (
        "/srv/ann",
        PRESETS["read"],
        10 << 20,
    )
    assert record.networks == (ip_network("::1"), ip_network("10.0.0.0/8"))
    assert record.expires == date(2027, 1, 31)


def test_an_account_gets_all_rights_without_settings():
    record = terms("").record("ann", {})
    assert (record.root, record.rights) == ("/", PRESETS["full"])


def test_the_store_says_more_than_the_settings():
    words = {"root": ["/{user}/x"], "rights": ["read"], "quota": ["1M"], "disabled": [""]}
    record = terms("root=/a&quota=10M&max-sessions=2").record("ann", words)
    assert (record.root, record.quota_bytes, record.max_sessions) == ("/ann/x", 1 << 20, 2)
    assert (record.rights, record.disabled) == (PRESETS["read"], True)
    networks = terms("from=::1").record("ann", {"from": ["10.0.0.0/8", "::2"]}).networks
    assert networks == (ip_network("10.0.0.0/8"), ip_network("::2"))


def test_mounts_are_for_all_accounts_or_one():
    every = terms("mount=/in=local:/srv/in/{user}&mount=/old=local:/srv/old,read-only")
    mounts = [str(mount) for mount in every.record("ann", {}).mounts]
    assert mounts == ["/in=local:/srv/in/ann", "/old=local:/srv/old,read-only"]
    own = every.record("ann", {"mount": ["/x=/y"]}).mounts
    assert [str(mount) for mount in own] == ["/x=/y"]
    for name in ("a=b", "a,read-only", "a,b"):  # no name changes where a mount leads
        found = every.found(name, {})
        assert found.unusable or str(found.record.mounts[0]).startswith("/in=local:/srv/in/a")


@pytest.mark.parametrize("key", [key for key in COMMON_KEYS if key not in ("cache", "mount")])
def test_an_option_without_a_value_is_as_one_that_is_missing(key):
    every = terms("rights=read&from=::1&hide=x&quota=1M&max-sessions=2&root=/a&tls=required")
    assert every.record("ann", {key: []}) == every.record("ann", {})
    staff = terms("from=::1&define-group=@staff:*:/x:read:quota=1M")
    record = staff.record("ann", {"groups": ["staff"], key: []})
    assert (record.networks, record.quota_bytes) == ((ip_network("::1"),), 1 << 20)


def test_hours_are_one_value_or_several():
    record = terms("hours=Mon 08:00-09:00 UTC").record("ann", {})
    assert str(record.hours) == "Mon 08:00-09:00 UTC"
    words = {"hours": ["Mon 08:00-09:00", "Tue 10:00-11:00 UTC"]}
    assert str(terms("").record("ann", words).hours) == "Mon 08:00-09:00 UTC; Tue 10:00-11:00"


def test_patterns_of_names_are_one_value_or_several():
    every = terms("hide=.git; *.tmp&refuse=*.exe&refuse=*.bat")
    record = every.record("ann", {})
    assert (record.hidden_names, record.refused_names) == ((".git", "*.tmp"), ("*.exe", "*.bat"))
    assert every.record("ann", {"hide": ["a", "b; c"]}).hidden_names == ("a", "b", "c")
    assert every.record("ann", {"hide": []}).hidden_names == (".git", "*.tmp")
    assert "has a slash" in every.found("ann", {"refuse": ["a/b"]}).unusable


def test_only_trusted_words_name_a_storage():
    words = {"root": ["local:/srv/{user}"]}
    assert AccountTerms(rights="full").record("ann", words, True).root == "local:/srv/ann"
    found = AccountTerms(rights="full").found("ann", words)
    assert "is a storage and not a path" in found.unusable
    assert terms("root=local:/srv/{user}").record("ann", {}).root == "local:/srv/ann"


@pytest.mark.parametrize(
    "words",
    [
        {"quota": ["much"]},
        {"quota": ["1M", "2M"]},
        {"color": ["red"]},
        {"root": ["/a", "/b"]},
        {"root": ["/../etc"]},
        {"rights": ["everything"]},
    ],
)
def test_what_is_not_understood_makes_an_account_unusable(words):
    found = terms("").found("ann", words)
    assert found.unusable
    assert (found.record.disabled, found.record.rights) == (True, frozenset())


def test_rights_come_from_the_settings_or_the_store():
    alone = terms("", needs_rights=False)
    assert "names no rights" in alone.found("ann", {}).unusable
    assert alone.record("ann", {"rights": ["read"]}).rights == PRESETS["read"]


@pytest.mark.parametrize("text", ["quota=much", "rights=all", "root=/..", "root=/a&root=/b"])
def test_settings_are_checked_at_the_start(text):
    with pytest.raises(BadStoreString):
        terms(text)


@pytest.mark.parametrize("name", ["ann", "a b", "é", "ann@example.org", "a.b", "-x", "x" * 255])
def test_plain_names(name):
    require_plain_name(name)
    assert terms("root=/{user}").found(name, {}).unusable == ""


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            ".ssh",
            "a/b",
            "/",
            "a\\b",
            "a\0",
            "a\n",
            " a",
            "a ",
            "a:b",
            "#a",
            "x" * 256,
        ),
        *("\udcff", "a\u200bb", "a\u202eb", "é" * 128),
    ],
)
def test_names_that_are_no_directory(name):
    with pytest.raises(ValueError):
        require_plain_name(name)
    assert terms("root=/{user}").found(name, {}).unusable


def test_text():
    assert is_text("é".encode())
    assert not is_text(b"\xe9")


def test_mounts_of_storages_come_from_the_settings_or_a_trusted_store_only():
    elsewhere, inside = "/m=local:/etc", "/in=/inbox"
    given = terms("mount=/a=local:/mnt/a,read-only&mount=/b=/b").record("ann", {})
    assert [str(mount) for mount in given.mounts] == ["/a=local:/mnt/a,read-only", "/b=/b"]
    assert terms("").record("ann", {"mount": [inside]}).mounts
    assert terms("").record("ann", {"mount": [elsewhere, inside]}, trusts_storages=True).mounts
    with pytest.raises(ValueError, match="is of a storage and not of a path"):
        terms("").record("ann", {"mount": [inside, elsewhere]})


def test_a_name_cannot_change_what_is_mounted():
    given = terms("mount=/in=local:/disk/{user}")
    assert given.record("ann", {}).mounts[0].storage == "local:/disk/ann"
    with pytest.raises(ValueError, match="cannot be part of the value of 'mount'"):
        given.record("ann,read-only", {})


STAFF = "define-group=@staff:*:/people/{user}:read:quota=10M,tls=required"
VIP = "define-group=@vip:*:::quota=none"


def test_groups_of_the_settings_come_between_the_store_and_the_settings():
    given = terms(f"{STAFF}&{VIP}&root=/x&quota=1M&max-sessions=2&rights=full")
    found = given.record("ann", {"groups": ["staff"]})
    assert (found.root, found.rights) == ("/people/ann", PRESETS["read"])
    assert (found.quota_bytes, found.tls_required, found.max_sessions) == (10 << 20, True, 2)
    found = given.record("ann", {"groups": ["vip", "staff"], "root": ["/own"], "rights": ["full"]})
    assert (found.root, found.rights, found.quota_bytes) == ("/own", PRESETS["full"], None)
    found = given.record("ann", {"groups": ["vip"]})
    assert (found.root, found.rights, found.max_sessions) == ("/x", PRESETS["full"], 2)
    found = given.record("ann", {})
    assert (found.root, found.quota_bytes) == ("/x", 1 << 20)


def test_an_account_with_a_group_that_is_not_defined_is_unusable():
    found = terms(STAFF).found("ann", {"groups": ["staff", "gone"]})
    assert found.unusable == "the group 'gone' does not exist: define it with define-group"
    assert found.record.disabled
    found = terms(VIP, needs_rights=False).found("ann", {"groups": ["vip"]})
    assert "neither the account nor its groups give it rights" in found.unusable
    storage = "define-group=@staff:*:local\\:/srv/{user}:read"
    assert "cannot be put into" in terms(storage).found("a;b", {"groups": ["staff"]}).unusable
    assert terms(storage).record("ann", {"groups": ["staff"]}).root == "local:/srv/ann"


@pytest.mark.parametrize(
    "text",
    [
        f"{STAFF}&{STAFF}",
        "define-group=staff",
        "define-group=@default:*:/x:full",
        "define-group=@staff:*:/../x:full",
        "define-group=@staff:*:/x:full:group=other",
        "define-group=@staff::/x:full",
    ],
)
def test_groups_of_the_settings_are_checked_at_the_start(text):
    with pytest.raises(BadStoreString):
        terms(text)


def test_a_name_cannot_change_what_is_deleted():
    given = terms("retention=30d; /home/{user}: keep")
    assert str(given.record("ann", {}).retention) == "30d; /home/ann: keep"
    for name in ("a; *", "a?b", "[a]"):
        with pytest.raises(ValueError, match="cannot be part of the value of 'retention'"):
            given.record(name, {})
    assert str(terms("").record("[a]", {"retention": ["7d"]}).retention) == "7d"
    with pytest.raises(ValueError, match="several values"):
        terms("").record("ann", {"retention": ["7d", "/in: 1d"]})


def test_storages_of_the_settings_are_looked_at(tmp_path):
    (tmp_path / "there").mkdir()
    missing, there = f"local:{tmp_path}/none", f"local:{tmp_path}/there"
    assert terms(f"root={missing}").storage_problems() == [
        f"storage 'local:{tmp_path}/none': no such file or directory; create the directory or give "
        "another one"
    ]
    assert terms(f"root={there}&rights=read").storage_problems() == []
    assert terms(f"root=local:{tmp_path}/{{user}}").storage_problems() == []
    mounts = f"mount=/a={there}&mount=/b={missing}&mount=/c=local:{tmp_path}/{{user}}"
    (line,) = terms(mounts).storage_problems()
    assert f"{tmp_path}/none" in line
