"""``ftpservice group``, and groups in ``ftpservice user``, on each kind of store."""

import json

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.accounts.doubles import SECRET

STRONG = "correct horse 9 battery\n"


class Admin:
    """Runs commands on one store."""

    def __init__(self, description):
        self.description = description

    def run(self, *words, given=None):
        return CliRunner().invoke(ftpservice, [*words, "--store", self.description], input=given)

    def do(self, *words, given=None):
        done = self.run(*words, given=given)
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words):
        return json.loads(self.do(*words, "--json"))

    def add(self, name, *words):
        self.do("user", "add", name, "--password-stdin", *words, given=STRONG)

    def refused(self, *words, status=1):
        done = self.run(*words, given=STRONG)
        assert done.exit_code == status, done.output
        return done.stderr


@pytest.fixture
def admin(store_case):
    return Admin(store_case.description)


def test_a_group_lives_through_all_commands(admin):
    admin.do("group", "add", "staff", "--root", "/srv/{user}", "--rights", "read", "--quota", "10M")
    admin.do("group", "add", "vip", "--quota", "none", "--rate-up", "1M")
    admin.add("ann", "--groups", "vip,staff", "--max-sessions", "2")
    shown = admin.json("user", "show", "ann")
    assert (shown["root"], shown["rights"], shown["groups"]) == (
        "/srv/ann", ["read"], ["vip", "staff"],
    )  # fmt: skip
    assert (shown["quota_bytes"], shown["rate_up"], shown["max_sessions"]) == (None, 1 << 20, 2)
    origins = shown["origins"]
    assert (origins["root"], origins["rate_up"], origins["quota_bytes"]) == (
        "group:staff", "group:vip", "group:vip",
    )  # fmt: skip
    assert (origins["max_sessions"], origins["expires"]) == ("account", "default")
    text = admin.do("user", "show", "ann").splitlines()
    assert "root:         /srv/ann  (group staff)" in text
    assert "max sessions: 2" in text
    assert [one["root"] for one in admin.json("user", "list")] == ["/srv/ann"]
    shown = admin.json("group", "show", "staff")
    assert (shown["name"], shown["root"], shown["accounts"]) == ("staff", "/srv/{user}", 1)
    assert "accounts:     1" in admin.do("group", "show", "staff")
    assert admin.json("group", "show", "vip")["none"] == ["quota_bytes"]
    admin.do("group", "set", "staff", "--tls", "required", "--quota", "inherit")
    assert admin.json("user", "show", "ann")["tls_required"] is True
    assert admin.json("group", "lock", "staff")["locked"] is True
    assert admin.json("user", "show", "ann")["locked"] is True
    admin.do("group", "unlock", "staff")
    listed = admin.json("group", "list")
    assert [one["name"] for one in listed] == ["staff", "vip"]
    assert "root: /srv/{user}; rights: read; tls required: yes" in admin.do("group", "list")
    assert "one of account 'ann'" in admin.refused("group", "remove", "staff")
    refused = admin.run("user", "set", "ann", "--no-groups", "--rights", "full")
    assert (refused.exit_code, "'ann' would have / as root" in refused.stderr) == (1, True)
    admin.do("user", "set", "ann", "--no-groups", "--rights", "full", "--root", "/")
    assert admin.json("group", "remove", "staff") == {"removed": "staff"}
    admin.do("group", "remove", "vip")
    assert admin.json("group", "list") == []
    assert admin.json("user", "show", "ann")["root"] == "/"


def test_the_defaults_of_a_store(admin):
    admin.add("early", "--root", "/early")
    admin.do(
        "group", "add", "default", "--root", "/srv/{user}", "--rights", "full", "--tls", "required"
    )
    admin.add("ann")
    admin.add("ben", "--root", "/ben", "--rights", "read", "--tls", "none")
    by_name = {one["name"]: one for one in admin.json("user", "list")}
    assert by_name["ann"]["root"] == "/srv/ann"
    assert by_name["early"]["root"] == "/early"
    assert [by_name[name]["tls_required"] for name in ("early", "ann", "ben")] == [
        True, True, False,
    ]  # fmt: skip
    assert "tls required: none" in admin.do("user", "show", "ben")
    admin.do("user", "set", "ben", "--tls", "inherit", "--root", "inherit", "--rights", "inherit")
    shown = admin.json("user", "show", "ben")
    assert (shown["tls_required"], shown["root"]) == (True, "/srv/ben")
    assert shown["origins"]["rights"] == "group:default"
    assert admin.json("group", "show", "default")["accounts"] == 3
    done = admin.run("user", "rename", "ben", "bea")
    assert "its root was /srv/ben and is now /srv/bea; move the files" in done.stderr


def test_a_group_that_is_removed_all_the_same_names_the_accounts_without_it(admin):
    admin.do("group", "add", "staff", "--rights", "read")
    admin.do("group", "add", "default", "--root", "/srv/{user}")
    for name in ("ann", "ben"):
        admin.add(name, "--groups", "staff")
    admin.add("cay", "--rights", "read")
    refused = admin.refused("group", "remove", "default", "--force")
    assert "would have / as root" in refused
    for name in ("ann", "ben", "cay"):
        admin.do("user", "set", name, "--root", f"/{name}")
    done = admin.run("group", "remove", "staff", "--force", "--json")
    assert json.loads(done.stdout) == {"removed": "staff"}
    message = json.loads(done.stderr)["warning"]["message"]
    assert message.startswith("these accounts cannot log in any more: ann, ben; ")
    assert "user set NAME --groups" in message
    done = admin.run("group", "remove", "default", "--force")
    assert (done.exit_code, done.stderr) == (0, "")
    remedy = "add it (ftpservice group add), or choose others (ftpservice user set NAME --groups"
    assert remedy in admin.refused("user", "show", "ann")
    assert remedy in admin.refused("user", "passwd", "ann", "--password-stdin")
    assert remedy in admin.refused("user", "rename", "ann", "anna")
    done = admin.run("user", "set", "ann", "--quota", "10M")
    assert (done.exit_code, remedy in done.stderr) == (0, True)
    assert "warning: 'ann' cannot log in" in admin.run("user", "unlock", "ann").stderr
    listed = admin.json("user", "list")
    assert [(one["name"], one["unusable"] is None) for one in listed] == [
        ("cay", True), ("ann", False), ("ben", False),
    ]  # fmt: skip
    assert remedy in listed[1]["unusable"]
    assert listed[1]["quota_bytes"] == 10 << 20
    rows = admin.do("user", "list").splitlines()
    assert "active" in rows[1]
    assert "unusable: the group 'staff' does not exist" in rows[2]
    admin.do("user", "set", "ann", "--no-groups", "--rights", "full")
    assert admin.run("user", "unlock", "ann").stderr == ""


def test_an_account_stays_locked_while_its_group_is(admin):
    admin.do("group", "add", "staff", "--rights", "read")
    admin.add("ann", "--groups", "staff", "--expires", "2025-01-31")
    admin.do("user", "lock", "ann")
    admin.do("group", "lock", "staff")
    done = admin.run("user", "unlock", "ann", "--json")
    assert (done.exit_code, json.loads(done.stdout)["locked"]) == (0, True)
    warnings = [json.loads(line)["warning"]["message"] for line in done.stderr.splitlines()]
    assert warnings == [
        "account 'ann': it stays locked, as the group 'staff' is (ftpservice group unlock staff)",
        "account 'ann': it expired on 2025-01-31 (ftpservice user set ann --expires DATE or none)",
    ]
    admin.do("group", "unlock", "staff")
    words = ("user", "add", "ben", "--password-stdin", "--expires", "2025-01-31")
    added = admin.run(*words, given=STRONG)
    assert (added.exit_code, "'ben': it expired on 2025-01-31" in added.stderr) == (0, True)
    assert "  expired 2025-01-31" in admin.do("user", "list")
    assert "expires:      2025-01-31  (expired)" in admin.do("user", "show", "ann")


def test_a_malformed_group_is_listed(tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text(
        f"@staff:*::bogus\n@vip:*::read\nbad:x:/:full\nann:{SECRET}::inherit:group=staff\n"
    )
    path.chmod(0o600)
    admin = Admin(f"passwd:{path}")
    done = admin.run("group", "list", "--json")
    assert [(one["name"], one["unusable"] is None) for one in json.loads(done.stdout)] == [
        ("vip", True), ("staff", False),
    ]  # fmt: skip
    message = json.loads(done.stderr)["warning"]["message"]
    assert "group 'staff': line 1: " in message
    assert "its accounts cannot log in" in message
    assert "unusable: line 1: " in admin.do("group", "list").splitlines()[2]
    listed = {one["name"]: one["unusable"] for one in admin.json("user", "list")}
    assert list(listed) == ["bad", "ann"]
    assert listed["bad"].startswith("line 3: ")
    assert "the group 'staff' cannot be used: line 1" in listed["ann"]


def test_what_is_refused(admin):
    admin.do("group", "add", "staff", "--root", "/srv/{user}", "--rights", "read")
    add = ("user", "add", "bob", "--password-stdin")
    assert "'gone' does not exist" in admin.refused(*add, "--groups", "staff,gone")
    assert "given twice" in admin.refused(*add, "--groups", "staff,staff", status=2)
    assert "cannot be the name" in admin.refused(*add, "--groups", "", status=2)
    either = ("--groups", "staff", "--no-groups")
    assert "choose one" in admin.refused("user", "set", "bob", *either, status=2)
    assert "No such option '--no-groups'" in admin.refused(*add, "--no-groups", status=2)
    assert "'@x' is a group" in admin.refused("user", "add", "@x", status=2)
    assert "'@staff' is a group" in admin.refused("user", "remove", "@staff", status=2)
    unsafe = ("user", "add", "a/b", "--password-stdin", "--groups", "staff")
    assert "cannot be put into '/srv/{user}'" in admin.refused(*unsafe)
    assert "has no group 'gone'" in admin.refused("group", "show", "gone")
    assert "a group 'staff' already" in admin.refused("group", "add", "staff")
    assert "cannot be the name of a group" in admin.refused("group", "add", "../x", status=2)
    assert "nothing to change" in admin.refused("group", "set", "staff", status=2)
    assert "another value" in admin.refused(
        "group", "set", "staff", "--from", "none", "--from", "::1", status=2
    )
    admin.add("ann", "--groups", "staff")
    assert "account 'ann' could not log in" in admin.refused(
        "group", "set", "staff", "--rights", "inherit"
    )
    assert admin.json("user", "show", "ann")["rights"] == ["read"]
    admin.do("group", "remove", "staff", "--force")
    assert "the group 'staff' does not exist" in admin.run("user", "check").stdout
    assert "the group 'staff' does not exist" in admin.refused("user", "show", "ann")
