"""Look-ups in a real LDAP directory: who gets in, by which way, and with what."""

import random
import time

import pytest
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_store import IAccountLookup, StoreUnavailable
from ftpservice.accounts.external.ldap_directory import ANSWER_SECONDS, LDAPDirectory
from ftpservice.accounts.external.ldap_settings import ldap_settings
from ftpservice.storage.rights import PRESETS
from tests.support.certificates import Authority
from tests.support.service_process import BUSY_SECONDS
from tests.support.slapd import BASE, GROUPS, PEOPLE, SERVICE_DN, Slapd, account_entry

ODD = 'odd, na+me "1"'
MORE = (
    account_entry("odd", dn=f"cn=odd,{PEOPLE}")
    + account_entry("..", dn=f"cn=dots,{PEOPLE}")
    + account_entry("twice", dn=f"cn=first,{PEOPLE}")
    + account_entry("twice", dn=f"cn=second,{PEOPLE}")
    + account_entry(ODD, dn=f"cn=special,{PEOPLE}")
    + account_entry("storage", home="local:/etc")
)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    with Slapd(tmp_path_factory.mktemp("ldap"), MORE) as running:
        yield running


def searching(slapd, *settings, url=""):
    password = f"service-password-file={slapd.password_file}"
    parts = [f"base={PEOPLE}", f"service-dn={SERVICE_DN}", password, *settings]
    return LDAPDirectory(ldap_settings(f"{url or slapd.url}#{'&'.join(parts)}"))


def binding(slapd, *settings):
    parts = [f"bind=uid={{user}},{PEOPLE}", *settings]
    return LDAPDirectory(ldap_settings(f"{slapd.url}#{'&'.join(parts)}"))


@pytest.fixture(params=[searching, binding], ids=["search", "bind"])
def directory(request, slapd):
    return request.param(slapd)


def test_a_directory_is_a_lookup(directory):
    assert verifyObject(IAccountLookup, directory)


def test_the_right_password_is_right(directory):
    found = directory.look_up("ann", b"ann pass")
    assert (found.record.name, found.is_right, found.unusable) == ("ann", True, "")
    assert found.record.rights == PRESETS["full"]


@pytest.mark.parametrize(
    "name", ["ann", "zed", "*", "a*", "ann)(uid=*", "ann,ou=x", "ann\\", "#", "(|(uid=ann))", "é"]
)
@pytest.mark.parametrize("password", [b"wrong", b"\0", b"\xff"])
def test_a_wrong_password_is_wrong_for_every_name(directory, name, password):
    assert directory.look_up(name, password).is_right is False


def test_an_empty_password_is_refused_although_ldap_calls_it_a_success(directory):
    assert directory.look_up("ann", b"").is_right is False


@pytest.mark.parametrize("name", ["*", "an*", "ann)(objectClass=*", "ann\\2a", "ann*"])
def test_the_right_password_of_another_name_is_wrong(directory, name):
    assert directory.look_up(name, b"ann pass").is_right is False


def test_no_name_or_password_makes_the_directory_unavailable(directory):
    chance = random.Random(14)
    characters = "ann *()\\,+\"'<>;=#&|!@%_-./:{}[]~^`$?éß漢\u200b\ufffd😀"
    for _ in range(300):
        name = "".join(chance.choices(characters, k=chance.randrange(1, 9)))
        password = chance.randbytes(chance.randrange(9)) + b"\xe9"
        assert directory.look_up(name, password).is_right is False
        assert directory.look_up(name, b"wrong").is_right is False


def test_an_unknown_name_is_told_from_a_wrong_password_by_a_search_only(slapd):
    found = searching(slapd).look_up("zed", b"x")
    assert (found.record, found.unusable) == (None, "")
    assert searching(slapd).look_up("ann", b"x").record.name == "ann"
    found = binding(slapd).look_up("zed", b"x")
    assert found == binding(slapd).look_up("ann", b"x")
    assert "refuses this name or password" in found.unusable


def test_the_name_is_that_of_the_entry(directory):
    assert directory.look_up("ANN", b"ann pass").record.name == "ann"
    assert directory.look_up("Ann", b"ann pass").record.name == "ann"


def test_a_name_with_special_characters_is_found_and_not_interpreted(slapd):
    found = searching(slapd).look_up(ODD, f"{ODD} pass".encode())
    assert (found.record.name, found.is_right) == (ODD, True)


def test_a_name_that_is_no_directory_is_unknown_without_a_question(slapd):
    for name in ("..", ".", "", "a/b", "a\\b", ".hidden", "x" * 256, "a\0b", "\udcff", "a\nb"):
        assert searching(slapd).look_up(name, b".. pass").record is None


def test_a_name_that_matches_two_entries_is_unusable(slapd):
    found = searching(slapd).look_up("twice", b"twice pass")
    assert "several entries" in found.unusable


def test_the_service_account_is_not_an_account(slapd):
    assert searching(slapd).look_up("ftp", b"service pass").is_right is False


def test_the_filter_decides_who_is_an_account(slapd):
    only_ben = searching(slapd, "filter=(%26(uid={user})(cn=ben))")
    assert only_ben.look_up("ben", b"ben pass").is_right
    assert only_ben.look_up("ann", b"ann pass").record is None
    by_mail = searching(slapd, "filter=(|(uid={user})(mail={user}))")
    assert by_mail.look_up("ann@example.org", b"ann pass").record.name == "ann"


GROUP_SETTINGS = (
    f"group=cn=ftp-admins,{GROUPS}: full: local:/srv/{{user}}",
    f"group=CN=Partners, {GROUPS}: upload-only: /in/{{user}}",
)


def test_the_first_group_of_an_account_gives_rights_and_root(slapd):
    directory = searching(slapd, *GROUP_SETTINGS)
    ann = directory.look_up("ann", b"ann pass").record
    assert (ann.rights, ann.root) == (PRESETS["full"], "local:/srv/ann")
    ben = directory.look_up("ben", b"ben pass").record
    assert (ben.rights, ben.root) == (PRESETS["upload-only"], "/in/ben")
    assert "none of the groups" in directory.look_up("cat", b"cat pass").unusable


def test_a_group_of_the_directory_is_a_group_of_the_settings(slapd):
    directory = searching(
        slapd,
        "define-group=@admins:*:local\\:/srv/{group}/{user}:full:quota=10M,tls=required",
        f"group=cn=ftp-admins,{GROUPS}: @admins",
        f"group=CN=Partners, {GROUPS}: upload-only: /in/{{user}}",
        "max-sessions=3",
    )
    ann = directory.look_up("ann", b"ann pass").record
    assert (ann.rights, ann.root) == (PRESETS["full"], "local:/srv/admins/ann")
    assert (ann.quota_bytes, ann.tls_required, ann.max_sessions) == (10 << 20, True, 3)
    ben = directory.look_up("ben", b"ben pass").record
    assert (ben.root, ben.quota_bytes) == ("/in/ben", None)
    assert directory.current(["ann"])["ann"] == ann


def test_rights_are_for_those_in_no_group(slapd):
    cat = searching(slapd, *GROUP_SETTINGS, "rights=read").look_up("cat", b"cat pass")
    assert (cat.record.rights, cat.unusable) == (PRESETS["read"], "")


def test_attributes_set_options(slapd):
    words = ("quota: description", "disabled: employeeType", "expires: shadowExpire")
    directory = searching(slapd, *(f"attribute={word}" for word in words), "max-sessions=3")
    ann = directory.look_up("ann", b"ann pass").record
    assert (ann.quota_bytes, ann.disabled, ann.max_sessions) == (10 << 20, False, 3)
    assert directory.look_up("cat", b"cat pass").record.disabled
    assert "quota=much" in directory.look_up("dan", b"dan pass").unusable
    assert directory.look_up("eve", b"eve pass").record.expires.isoformat() == "1970-01-10"


def test_an_attribute_gives_a_path_but_no_storage(slapd):
    directory = searching(slapd, "attribute=root: homeDirectory")
    assert directory.look_up("ann", b"ann pass").record.root == "/home/ann"
    assert "is a storage" in directory.look_up("storage", b"storage pass").unusable


def test_an_entry_without_the_name_attribute_is_unusable(slapd):
    found = searching(slapd, "name=title").look_up("ann", b"ann pass")
    assert "has no attribute 'title'" in found.unusable


def test_an_account_is_found_without_its_password(slapd):
    found = searching(slapd).look_up("ann", None)
    assert (found.record.name, found.is_right) == ("ann", None)


@pytest.mark.parametrize("kind", ["starttls", "ldaps"])
def test_tls_is_verified(slapd, tmp_path, kind):
    url = slapd.url if kind == "starttls" else slapd.tls_url
    settings = ["starttls=on"] if kind == "starttls" else []
    found = searching(slapd, *settings, f"ca={slapd.ca}", url=url).look_up("ann", b"ann pass")
    assert found.is_right
    for other in (f"ca={Authority(tmp_path, 'other').path}", "cache=0"):
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            searching(slapd, *settings, other, url=url).look_up("ann", b"ann pass")


@pytest.mark.parametrize("kind", ["starttls", "ldaps"])
def test_the_host_name_of_the_certificate_is_verified(slapd, kind):
    url = (slapd.url if kind == "starttls" else slapd.tls_url).replace("127.0.0.1", "localhost")
    settings = ["starttls=on"] if kind == "starttls" else []
    with pytest.raises(StoreUnavailable, match="not valid for 'localhost'"):
        searching(slapd, *settings, f"ca={slapd.ca}", url=url).look_up("ann", b"ann pass")


def test_a_refused_service_account_is_no_wrong_password(slapd, tmp_path):
    (tmp_path / "password").write_text("wrong\n")
    wrong = searching(slapd)._settings
    directory = LDAPDirectory(
        type(wrong)(**vars(wrong) | {"service_password_file": str(tmp_path / "password")})
    )
    with pytest.raises(StoreUnavailable, match=f"the account '{SERVICE_DN}' is refused"):
        directory.look_up("ann", b"ann pass")
    with pytest.raises(StoreUnavailable):
        directory.reach()


def test_a_missing_base_is_no_unknown_name(slapd):
    directory = LDAPDirectory(ldap_settings(f"{slapd.url}#base=ou=nowhere,{BASE}"))
    with pytest.raises(StoreUnavailable):
        directory.look_up("ann", b"ann pass")
    with pytest.raises(StoreUnavailable):
        directory.reach()


def test_a_server_that_is_down_or_frozen_is_unavailable_in_time(tmp_path):
    with Slapd(tmp_path) as slapd:
        directories = [
            searching(slapd),
            binding(slapd),
            searching(slapd, f"ca={slapd.ca}", url=slapd.tls_url),
        ]
        slapd.freeze()
        for directory in directories:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                directory.look_up("ann", b"ann pass")
            assert time.monotonic() - began < ANSWER_SECONDS + BUSY_SECONDS
        slapd.thaw()
        for directory in directories:
            assert directory.look_up("ann", b"ann pass").is_right
        slapd.stop()
        for directory in directories:
            with pytest.raises(StoreUnavailable):
                directory.look_up("ann", b"ann pass")
        slapd.start()
        for directory in directories:
            assert directory.look_up("ann", b"ann pass").is_right


def test_the_second_server_is_asked_while_the_first_is_frozen(slapd, tmp_path):
    with Slapd(tmp_path) as first:
        password = f"service-password-file={slapd.password_file}"
        parts = [f"server={slapd.url}", f"base={PEOPLE}", f"service-dn={SERVICE_DN}", password]
        directory = LDAPDirectory(ldap_settings(f"{first.url}#{'&'.join(parts)}"))
        first.freeze()
        assert directory.look_up("ann", b"ann pass").is_right
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert directory.look_up("ann", b"ann pass").is_right
            took.append(time.monotonic() - began)
        assert min(took) < 0.5  # the server that answered is asked first


def test_accounts_of_running_sessions_are_current(tmp_path):
    with Slapd(tmp_path) as slapd:
        directory = searching(slapd, "attribute=disabled: employeeType", *GROUP_SETTINGS)
        names = {"ann", "ben", "cat", "gone"}
        now = directory.current(names)
        assert now.keys() == {"ann", "ben", "cat"}
        assert (now["ann"].root, now["cat"].disabled) == ("local:/srv/ann", True)
        slapd.modify("ann", "replace: employeeType\nemployeeType: TRUE")
        directory._recent._next_look = 0.0
        assert directory.current(names)["ann"].disabled


def test_a_template_shows_accounts_as_of_their_login(slapd):
    directory = binding(slapd, "root=/{user}")
    assert directory.current({"ann"}) == {}
    directory.look_up("ann", b"ann pass")
    assert directory.current({"ann"})["ann"].root == "/ann"
