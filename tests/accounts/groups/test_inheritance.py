"""What accounts inherit: every field of a record, by one rule."""

from dataclasses import dataclass, field, fields, replace
from datetime import date
from ipaddress import ip_network

import pytest

from ftpservice.accounts.account_record import AccountRecord, CertificateUse
from ftpservice.accounts.groups.inheritance import (
    PERSONAL,
    AccountGroups,
    ValueWord,
    is_own,
    value_fields,
    with_changes,
)
from ftpservice.backends.mounts.account_mount import AccountMount
from ftpservice.storage.rights import PRESETS, DirectoryRights

NETWORKS = (ip_network("10.0.0.0/8"),)
VALUES = {
    "root": "/srv",
    "rights": PRESETS["read"],
    "directory_rights": (DirectoryRights("/in", PRESETS["upload-only"]),),
    "max_sessions": 3,
    "expires": date(2027, 1, 31),
    "networks": NETWORKS,
    "tls_required": True,
    "certificate": CertificateUse.LOGIN,
    "disabled": True,
    "rate_down": 10,
    "rate_up": 20,
    "quota_bytes": 30,
    "quota_files": 40,
    "mounts": (AccountMount("/m", "/elsewhere"),),
}
"""A value for each field of today; fields that are new need none here."""


def account(**values):
    return AccountRecord("ann", "hash", **{"root": "", "rights": frozenset(), **values})


def group(**values):
    return AccountRecord("@group", "*", **{"root": "", "rights": frozenset(), **values})


def resolved(record, **groups):
    return AccountGroups(groups).resolved(record)


def test_every_field_but_the_personal_ones_is_a_value():
    names = {one.name for one in fields(AccountRecord)}
    assert names >= PERSONAL
    assert set(value_fields(AccountRecord)) == names - PERSONAL
    assert set(VALUES) <= names - PERSONAL


@pytest.mark.parametrize("name", VALUES)
def test_each_value_is_inherited_and_its_own_value_counts_more(name):
    both = {"rights": VALUES["rights"], name: VALUES[name]}
    found = resolved(account(groups=("staff",)), staff=group(**both))
    assert getattr(found, name) == VALUES[name]
    assert dict(found.inherited)[name] == "staff"
    own = account(groups=("staff",), **{"rights": PRESETS["full"], name: VALUES[name]})
    found = resolved(own, staff=group(**VALUES | {name: value_fields(AccountRecord)[name]}))
    assert getattr(found, name) == VALUES[name]
    assert name not in dict(found.inherited)


def test_a_field_that_did_not_exist_when_this_was_written_is_inherited():
    @dataclass(frozen=True)
    class LaterRecord(AccountRecord):
        hours: tuple[str, ...] = field(default_factory=tuple, kw_only=True)
        greeting: str | None = field(default=None, kw_only=True)

    def later(name, **values):
        return LaterRecord(name, "hash", **{"root": "", "rights": frozenset(), **values})

    staff = later("@staff", rights=PRESETS["read"], hours=("mon",), greeting="hello")
    groups = AccountGroups({"staff": staff})
    found = groups.resolved(later("ann", groups=("staff",), greeting="own"))
    assert (found.hours, found.greeting) == (("mon",), "own")
    assert dict(found.inherited)["hours"] == "staff"


def test_the_first_group_that_has_a_value_counts_and_the_defaults_come_last():
    groups = {
        "a": group(quota_bytes=1),
        "b": group(quota_bytes=2, rate_up=2),
        "default": group(quota_bytes=3, rate_up=3, rate_down=3, rights=PRESETS["read"]),
    }
    found = resolved(account(groups=("a", "b")), **groups)
    assert (found.quota_bytes, found.rate_up, found.rate_down) == (1, 2, 3)
    assert dict(found.inherited) == {
        "quota_bytes": "a", "rate_up": "b", "rate_down": "default", "rights": "default",
        "directory_rights": "default",
    }  # fmt: skip
    found = resolved(account(), **groups)
    assert (found.quota_bytes, found.rate_up, found.rate_down) == (3, 3, 3)
    found = resolved(account(groups=("default", "a")), **groups)
    assert found.quota_bytes == 3


def test_lists_and_rights_are_inherited_as_a_whole():
    staff = group(networks=NETWORKS, **{key: VALUES[key] for key in ("rights", "directory_rights")})
    other = (ip_network("::1/128"),)
    found = resolved(account(groups=("staff",), networks=other), staff=staff)
    assert found.networks == other
    found = resolved(account(groups=("staff",), rights=PRESETS["full"]), staff=staff)
    assert (found.rights, found.directory_rights) == (PRESETS["full"], ())


def test_a_value_that_is_none_is_not_inherited():
    staff = group(quota_bytes=1, tls_required=True, rights=PRESETS["read"])
    without = frozenset({"quota_bytes"})
    found = resolved(account(groups=("staff",), without=without), staff=staff)
    assert (found.quota_bytes, found.tls_required) == (None, True)
    vip = group(without=without)
    found = resolved(account(groups=("vip", "staff")), staff=staff, vip=vip)
    assert found.quota_bytes is None


def test_an_account_without_groups_stays_as_it_is():
    record = account(root="/", rights=PRESETS["full"])
    assert resolved(record) is record
    assert resolved(replace(record, root="")).root == "/"


@pytest.mark.parametrize(
    ("record", "groups", "reason"),
    [
        (account(groups=("none",), rights=PRESETS["full"]), {}, "'none' does not exist"),
        (account(), {}, "neither the account nor its groups give it rights"),
        (account(groups=("a",)), {"a": group(root="/x")}, "neither the account nor its groups"),
        (
            replace(account(groups=("a",)), name=".."),
            {"a": group(root="/x/{user}", rights=PRESETS["read"])},
            "the name cannot be put into '/x/{user}'",
        ),
        (
            replace(account(groups=("a",)), name="x,y"),
            {"a": group(mounts=(AccountMount("/m", "local:/x/{user}"),), rights=PRESETS["read"])},
            "the name cannot be put into 'local:/x/{user}'",
        ),
        (
            account(),
            {"default": group(root="/{group}", rights=PRESETS["read"])},
            "needs a group, and the account names none",
        ),
    ],
)
def test_an_account_that_cannot_be_used(record, groups, reason):
    with pytest.raises(ValueError, match=reason):
        resolved(record, **groups)
    assert reason in AccountGroups(groups).problem(record)


def test_a_group_that_cannot_be_used_disables_its_accounts():
    groups = AccountGroups({"a": group(rights=PRESETS["full"])}, {"b": "line 3: nonsense"})
    assert groups.problem(account(groups=("a",))) == ""
    assert "'b' cannot be used: line 3" in groups.problem(account(groups=("a", "b")))
    defaults = AccountGroups({}, {"default": "line 3: nonsense"})
    assert "'default' cannot be used" in defaults.problem(account(rights=PRESETS["full"]))


def test_names_are_put_into_inherited_and_own_roots_and_mounts():
    staff = group(
        root="/srv/{group}/{user}",
        mounts=(AccountMount("/m", "local:/disk/{user}"),),
        rights=PRESETS["read"],
    )
    found = resolved(account(groups=("staff",)), staff=staff)
    assert (found.root, found.mounts[0].storage) == ("/srv/staff/ann", "local:/disk/ann")
    own = account(groups=("staff",), root="/own/{user}")
    assert resolved(own, staff=staff).root == "/own/ann"
    mounts = (AccountMount("/m", "local:/{group}/{user}"), AccountMount("/n", "/n"))
    found = resolved(account(groups=("staff",), root="/x", mounts=mounts), staff=staff)
    assert (found.root, [str(one) for one in found.mounts]) == (
        "/x",
        ["/m=local:/staff/ann", "/n=/n"],
    )
    assert resolved(account(root="/own/{user}", rights=PRESETS["read"])).root == "/own/ann"
    with pytest.raises(ValueError, match="needs a group, and the account names none"):
        resolved(account(root="/own/{group}", rights=PRESETS["read"]))


def test_the_outline_of_accounts_has_no_names():
    groups = AccountGroups(
        {
            "a": group(root="/srv/x{user}/in", quota_bytes=1),
            "b": group(root="local:/srv/{user}"),
        }
    )
    assert groups.outline(account(groups=("a",))).root == "/srv"
    assert groups.outline(account(groups=("a",))).quota_bytes == 1
    assert groups.outline(account(groups=("b",))).root == "local:/srv/{user}"
    assert groups.outline(account(groups=("a",), root="/own")).root == "/own"
    assert groups.outline(account()).root == "/"


def test_changes():
    full = account(
        groups=("a",),
        **{key: VALUES[key] for key in ("rights", "directory_rights", "max_sessions")},
    )
    changed = with_changes(full, {"rights": ValueWord.INHERIT}, has_defaults=False)
    assert (changed.rights, changed.directory_rights) == (frozenset(), ())
    changed = with_changes(full, {"max_sessions": ValueWord.NONE}, has_defaults=False)
    assert (changed.max_sessions, changed.without) == (None, {"max_sessions"})
    assert is_own(changed, "max_sessions")
    again = with_changes(changed, {"max_sessions": 4}, has_defaults=False)
    assert (again.max_sessions, again.without) == (4, frozenset())
    inherits = with_changes(changed, {"max_sessions": ValueWord.INHERIT}, has_defaults=False)
    assert not is_own(inherits, "max_sessions")
    assert with_changes(changed, {"groups": ()}, has_defaults=False).without == frozenset()
    assert with_changes(changed, {"groups": ()}, has_defaults=True).without == {"max_sessions"}
