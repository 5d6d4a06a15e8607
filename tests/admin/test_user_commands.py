"""``ftpservice user``: every command on a file of accounts, by a process and in this one."""

import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta

import pexpect
import pytest
from click.testing import CliRunner

from ftpservice.accounts import passwd_file
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_line import OPTIONS, parse_line
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.password_hash import verify
from ftpservice.accounts.sql import account_rows
from ftpservice.admin.accounts.account_options import OPTION_HELP
from ftpservice.admin.cli import ftpservice
from tests.accounts.doubles import SECRET
from tests.support.postgresql import PASSWORD

STRONG = "correct horse 9 battery"
COMMAND = ["-c", "from ftpservice.admin.cli import main; main()"]


class Admin:
    """Runs commands on one store."""

    def __init__(self, path, description=None, store=None):
        self.path = path
        self.description = description or f"passwd:{path}"
        self.store = store or PasswordFileStore(str(path))

    def run(self, *words, given=None, store=True):
        option = ["--store", self.description] if store else []
        return CliRunner().invoke(ftpservice, ["user", *words, *option], input=given)

    def do(self, *words, given=None):
        done = self.run(*words, given=given)
        assert done.exit_code == 0, done.output
        return done.stdout

    def json(self, *words, given=None):
        return json.loads(self.do(*words, "--json", given=given))

    def add(self, name, *words):
        return self.do("add", name, "--password-stdin", *words, given=f"{STRONG}\n")


@pytest.fixture
def admin(tmp_path):
    """An administrator of a file of accounts that does not exist yet."""
    return Admin(tmp_path / "passwd.db")


@pytest.fixture
def any_admin(store_case):
    """An administrator of each kind of store."""
    return Admin(store_case.path, store_case.description, store_case.store)


def test_every_option_of_an_account_has_an_option_of_the_command():
    assert set(OPTION_HELP) == set(OPTIONS) - {"disabled", "group", "owner"}


def test_an_account_lives_through_all_commands(any_admin):
    any_admin.add("ann", "--root", "/ann", "--rights", "read", "--max-sessions", "2")
    assert verify(any_admin.store.find("ann").password_hash, STRONG.encode())
    any_admin.do(
        "set",
        "ann",
        "--rights",
        "list,download,create",
        "--from",
        "10.0.0.0/8",
        "--from",
        "::1",
        "--quota",
        "10M",
        "--trash",
        "12h",
        "--retention",
        "30d;/in: 1w; *.log:keep",
    )
    shown = any_admin.json("show", "ann")
    assert shown.pop("origins") == {
        key: "account" if value else "default"
        for key, value in shown.items()
        if key not in ("name", "groups", "directory_rights", "owner", "hash_scheme")
    } | {"directory_rights": "account"}
    assert shown == {
        "name": "ann",
        "groups": [],
        "root": "/ann",
        "mounts": [],
        "rights": ["read", "create"],
        "directory_rights": [],
        "locked": False,
        "expires": None,
        "hours": None,
        "networks": ["10.0.0.0/8", "::1/128"],
        "max_sessions": 2,
        "rate_down": None,
        "rate_up": None,
        "quota_bytes": 10 << 20,
        "quota_files": None,
        "umask": None,
        "ascii": None,
        "hidden_names": [],
        "refused_names": [],
        "retention": "30d; /in: 7d; *.log: keep",
        "trash": "12h",
        "owner": None,
        "tls_required": False,
        "certificate": None,
        "hash_scheme": "argon2id",
    }
    assert str(any_admin.store.find("ann").retention) == "30d; /in: 7d; *.log: keep"
    any_admin.do("set", "ann", "--max-sessions", "none", "--from", "none", "--tls", "required")
    any_admin.do("set", "ann", "--retention", "none")
    assert any_admin.store.find("ann").retention is None
    any_admin.do("set", "ann", "--trash", "none")
    assert any_admin.store.find("ann").trash is None
    assert any_admin.json("lock", "ann")["locked"] is True
    assert "locked" in any_admin.do("list")
    assert any_admin.json("unlock", "ann")["locked"] is False
    any_admin.do("passwd", "ann", "--password-stdin", given="another 8 staple\n")
    assert (
        any_admin.do("check", "ann", "--password-stdin", given="another 8 staple\n")
        == "no problems\n"
    )
    any_admin.do("rename", "ann", "anna")
    shown = any_admin.do("show", "anna")
    assert "tls required:" in shown
    assert "owner:        ann" in shown
    assert any_admin.json("show", "anna")["owner"] == "ann"
    assert "networks" not in shown
    assert "$argon2" not in shown
    assert [account["name"] for account in any_admin.json("list")] == ["anna"]
    assert any_admin.json("remove", "anna") == {"removed": "anna"}
    assert any_admin.json("list") == []


@pytest.mark.parametrize(
    ("words", "given", "status", "text"),
    [
        (("add", "ann", "--password-stdin"), f"{STRONG}\n", 1, "has an account 'ann' already"),
        (("add", "bob", "--password-stdin"), "secret\n", 1, "too weak"),
        (("add", "robertson", "--password-stdin"), "robertson1\n", 1, "too weak"),
        (("add", "bob", "--password-stdin"), "", 2, "password is empty"),
        (("add", "bob", "--password-stdin"), "\n", 2, "password is empty"),
        (("add", "bob", "--password-stdin"), "a\0b\n", 2, "FTP cannot carry"),
        (("add", "bob", "--password-stdin"), "x" * 1100, 2, "more than 1024 bytes"),
        (("add", "bob"), f"{STRONG}\n", 2, "not a terminal"),
        (("add", "b:b", "--password-stdin"), f"{STRONG}\n", 2, "colon"),
        (
            ("add", "bob", "--refuse", "a/b", "--password-stdin"),
            f"{STRONG}\n",
            2,
            "--refuse 'a/b': the pattern 'a/b' has a slash",
        ),
        (
            ("add", "bob", "--retention", "30", "--password-stdin"),
            f"{STRONG}\n",
            2,
            "expected hours, days or weeks",
        ),
        (
            ("add", "bob", "--rights", "all", "--password-stdin"),
            f"{STRONG}\n",
            2,
            "unknown right 'all'",
        ),
        (("add", "bob", "--root", "/../x", "--password-stdin"), f"{STRONG}\n", 2, "'..'"),
        (("set", "ann"), None, 2, "nothing to change"),
        (("set", "ann", "--expires", "soon"), None, 2, "expected a date"),
        (("set", "ann", "--from", "everywhere"), None, 2, "everywhere"),
        (("set", "bob", "--max-sessions", "1"), None, 1, "no account 'bob'"),
        (("passwd", "bob", "--password-stdin"), f"{STRONG}\n", 1, "no account 'bob'"),
        (("rename", "ann", "a:b"), None, 2, "colon"),
        (("check", "ann", "--password-stdin"), "wrong\n", 1, "wrong password for 'ann'"),
        (("sho", "ann"), None, 2, "Unknown command: 'sho'. Did you mean 'show'?"),
        (("show",), None, 2, "Missing argument 'NAME'"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(any_admin, words, given, status, text):
    any_admin.add("ann")
    before = list(any_admin.store.accounts())
    done = any_admin.run(*words, given=given)
    assert (done.exit_code, text in done.stderr + done.stdout) == (status, True), done.output
    assert list(any_admin.store.accounts()) == before


def test_a_weak_password_can_be_forced(any_admin):
    any_admin.do("add", "bob", "--password-stdin", "--force", given="demo\n")
    assert verify(any_admin.store.find("bob").password_hash, b"demo")


def test_a_password_of_72_characters_and_more_is_estimated(admin):
    admin.do("add", "bob", "--password-stdin", given="9 correct staples " * 10)


def test_the_list_has_quotas_and_the_schemes_of_hashes(any_admin):
    any_admin.add("ann", "--quota", "10M", "--quota-files", "7")
    any_admin.add("ben", "--quota-files", "7")
    foreign = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
    any_admin.store.add(AccountRecord("cat", foreign))
    head, *lines = [re.split(r" {2,}", line) for line in any_admin.do("list").splitlines()]
    assert head == ["NAME", "ROOT", "RIGHTS", "QUOTA", "HASH", "STATE"]
    assert [(line[0], *line[3:]) for line in lines] == [
        ("ann", "10.0 MiB, 7 files", "argon2id", "active"),
        ("ben", "7 files", "argon2id", "active"),
        ("cat", "-", "bcrypt", "active"),
    ]
    shown = [
        (one["name"], one["quota_bytes"], one["quota_files"], one["hash_scheme"])
        for one in any_admin.json("list")
    ]
    assert shown == [
        ("ann", 10 << 20, 7, "argon2id"),
        ("ben", None, 7, "argon2id"),
        ("cat", None, None, "bcrypt"),
    ]


def test_a_list_reads_each_account_once(any_admin, monkeypatch):
    lines = []

    def counted(line, number=0):
        lines.append(line)
        return parse_line(line, number)

    any_admin.store.add_many([AccountRecord(f"user{number}", SECRET) for number in range(200)])
    monkeypatch.setattr(passwd_file, "parse_line", counted)
    monkeypatch.setattr(account_rows, "parse_line", counted)
    assert len(any_admin.do("list").splitlines()) == 201
    assert len(lines) == len(set(lines)) == 200


def test_errors_in_json(admin):
    done = admin.run("show", "ann", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stderr)["error"]["kind"] == "StoreUnavailable"
    admin.add("bob")
    done = admin.run("show", "ann", "--json")
    assert (done.exit_code, json.loads(done.stderr)["error"]["kind"]) == (1, "NoSuchAccount")


def test_malformed_lines_are_named(admin):
    admin.add("ann")
    with admin.path.open("a") as file:
        file.write("bad:line\n")
    done = admin.run("list")
    assert done.exit_code == 0
    assert "line 3: the password is not a hash of a known kind" in done.stderr
    assert admin.run("check").exit_code == 1
    admin.do("remove", "bad")
    assert admin.do("check") == "no problems\n"


@pytest.mark.parametrize(
    ("auth", "status", "text"),
    [
        ('auth = ["passwd:{path}"]', 0, "ann"),
        ('auth = ["unix:", "passwd:{path}"]', 0, "ann"),
        ('auth = ["unix:"]', 2, "no account store"),
        ('auth = ["passwd:{path}", "passwd:other.db"]', 2, "choose one with --store"),
        ("auth = 3", 2, "unknown kind of accounts: '3'"),
        ("nonsense", 2, "not TOML"),
    ],
)
def test_the_store_of_the_settings_file(admin, tmp_path, auth, status, text):
    admin.add("ann")
    config = tmp_path / "ftpservice.toml"
    config.write_text(auth.format(path=admin.path) + "\n")
    done = admin.run("list", "--config", str(config), store=False)
    assert (done.exit_code, text in done.output + done.stderr) == (status, True), done.output


def test_the_default_store(admin, monkeypatch):
    admin.add("ann")
    monkeypatch.chdir(admin.path.parent)
    assert "ann" in admin.run("list", store=False).stdout


@pytest.mark.parametrize(
    "store", ["memory:a:b", "unix:", "nonsense:x", "passwd:", "sql:", "sql:mysql://db/x"]
)
def test_a_store_that_cannot_be_changed_is_refused(admin, store):
    done = admin.run("list", "--store", store, store=False)
    assert done.exit_code == 2
    assert store.partition(":")[0] in done.stderr


def terminal(admin, *words):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100"}
    store = ["--store", f"passwd:{admin.path}"]
    return pexpect.spawn(
        sys.executable, [*COMMAND, "user", *words, *store], env=environment, timeout=60
    )


def test_a_terminal_is_asked_twice_and_shows_nothing(admin):
    child = terminal(admin, "add", "ann")
    child.expect_exact("Password: ")
    child.sendline(STRONG)
    child.expect_exact("Repeat the password: ")
    child.sendline("something else")
    child.expect("do not match")
    for _ in range(2):
        child.expect(r"assword: ")
        child.sendline(STRONG)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert STRONG.encode() not in child.before
    assert verify(admin.store.find("ann").password_hash, STRONG.encode())


def test_ctrl_c_at_the_password_changes_nothing(admin):
    child = terminal(admin, "add", "ann")
    child.expect_exact("Password: ")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert not admin.path.exists()


def test_patterns_of_names_are_set_shown_and_removed(any_admin):
    any_admin.add("ann", "--hide", " .git;*.tmp", "--refuse", "*.exe")
    shown = any_admin.json("show", "ann")
    assert (shown["hidden_names"], shown["refused_names"]) == ([".git", "*.tmp"], ["*.exe"])
    assert "hidden names:  .git; *.tmp" in any_admin.do("show", "ann")
    any_admin.do("set", "ann", "--hide", "none", "--quota", "1M")
    shown = any_admin.json("show", "ann")
    assert (shown["hidden_names"], shown["refused_names"]) == ([], ["*.exe"])
    assert any_admin.store.find("ann").hidden_names is None


def test_the_umask_and_the_conversion_of_text_are_set_shown_and_removed(any_admin):
    any_admin.add("ann", "--umask", "7", "--ascii", "off")
    shown = any_admin.json("show", "ann")
    assert (shown["umask"], shown["ascii"]) == ("007", "off")
    assert "umask:        007\nascii:        off" in any_admin.do("show", "ann")
    any_admin.do("set", "ann", "--umask", "0", "--ascii", "on")
    shown = any_admin.json("show", "ann")
    assert (shown["umask"], shown["ascii"]) == ("000", "on")
    any_admin.do("set", "ann", "--umask", "none", "--ascii", "none")
    assert (any_admin.store.find("ann").umask, any_admin.store.find("ann").ascii) == (None, None)


def test_hours_are_set_shown_checked_and_removed(any_admin):
    never = datetime.now(UTC) + timedelta(days=3)
    hours = f"{never:%a} 00:00-01:00 UTC"
    any_admin.add("ann", "--hours", hours)
    assert any_admin.json("show", "ann")["hours"] == hours
    assert f"hours:        {hours}" in any_admin.do("show", "ann")
    checked = any_admin.run("check", "ann", "--password-stdin", given=f"{STRONG}\n")
    assert checked.exit_code == 1
    assert f"may log in at other hours only: {hours}" in checked.output
    any_admin.do("set", "ann", "--hours", "00:00-24:00")
    any_admin.do("check", "ann", "--password-stdin", given=f"{STRONG}\n")
    any_admin.do("set", "ann", "--hours", "none")
    assert any_admin.store.find("ann").hours is None


def test_mounts_are_set_shown_and_removed(admin):
    archive, inbox = "/archive=local:/mnt/archive,read-only", "/in=/inbox"
    admin.add("ann", "--mount", archive, "--mount", inbox)
    assert admin.json("show", "ann")["mounts"] == [archive, inbox]
    assert f"mounts:       {archive} {inbox}" in admin.do("show", "ann")
    admin.do("set", "ann", "--mount", inbox)
    assert admin.json("show", "ann")["mounts"] == [inbox]
    admin.do("set", "ann", "--mount", "none")
    assert admin.json("show", "ann")["mounts"] == []


def test_a_password_in_the_command_line_is_refused_and_not_shown(admin):
    store = "sql:postgresql://ann:hidden@127.0.0.1:1/none"
    done = admin.run("list", "--store", store, store=False)
    assert done.exit_code == 2
    assert "visible to other users" in done.stderr
    assert "hidden" not in done.output


def test_a_password_in_the_settings_file_is_used_and_not_shown(admin, tmp_path, postgresql):
    config = tmp_path / "ftpservice.toml"
    url = postgresql.url(postgresql.new_database())
    config.write_text(f'auth = ["sql:{url}"]\n')
    done = admin.run("list", "--config", str(config), store=False)
    assert (done.exit_code, "its schema is none" in done.stderr) == (3, True)
    config.write_text(f'auth = ["sql:{url}", "passwd:{admin.path}"]\n')
    ambiguous = admin.run("list", "--config", str(config), store=False)
    assert "choose one with --store" in ambiguous.stderr
    assert PASSWORD not in done.output + ambiguous.output


def test_a_store_that_is_down_has_its_status(admin):
    done = admin.run("list", "--store", "sql:postgresql://ann@127.0.0.1:1/none", store=False)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "Connection refused" in done.stderr


def test_two_mounts_at_one_path_are_refused(any_admin):
    any_admin.add("ann")
    done = any_admin.run("set", "ann", "--mount", "/in=local:/x", "--mount", "/in=local:/y")
    assert (done.exit_code, "there are two mounts at '/in'" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--root", "nosuch:/x"],
            "unknown storage 'nosuch:' in 'nosuch:/x' (known: local:",
        ),
        (["--mount", "/in=nosuch:/x"], "unknown storage 'nosuch:'"),
        (["--root", "local:"], "storage 'local:': the directory is missing: local:/srv/ftp"),
        (["--root", "none"], "--root none: every account needs it; 'inherit' makes it that of"),
        (["--root", "noabs"], "the root 'noabs' is neither a path"),
        (["--root", ""], "the root '' is neither a path"),
        (["--root", "/{foo}"], "'{foo}' in '/{foo}' is not known; use {user} or {group}"),
        (["--mount", "/in=local:/{foo}"], "'{foo}' in 'local:/{foo}' is not known"),
        (["--retention", "in: 7d"], "'in' is neither a directory, which is /in, nor a pattern"),
        (["--hide", "[ab"], "the pattern '[ab' has a '[' without ']'"),
        (["--refuse", "ab\\"], "ends with a backslash that quotes nothing"),
    ],
)
def test_what_cannot_work_is_refused_at_once(admin, words, text):
    """For accounts and groups, when they are added and when they are changed."""
    admin.add("ann")
    before = admin.path.read_bytes()
    given = f"{STRONG}\n"
    option = ["--store", admin.description]
    runs = [
        admin.run("add", "ben", *words, "--password-stdin", given=given),
        admin.run("set", "ann", *words),
        CliRunner().invoke(ftpservice, ["group", "add", "staff", *words, *option]),
        CliRunner().invoke(ftpservice, ["group", "set", "staff", *words, *option]),
    ]
    for done in runs:
        assert (done.exit_code, text in done.output) == (2, True), done.output
    assert admin.path.read_bytes() == before


def test_a_directory_that_is_missing_is_a_warning_and_a_finding(any_admin, tmp_path):
    admin, text = any_admin, f"local:{tmp_path}/none"
    warning = f"ftpservice: warning: account 'ann': storage {text!r}: no such file or directory"
    given = f"{STRONG}\n"
    done = admin.run("add", "ann", "--root", text, "--password-stdin", given=given)
    assert (done.exit_code, warning in done.stderr) == (0, True)
    done = admin.run("set", "ann", "--root", "/", "--mount", f"/in={text}")
    assert (done.exit_code, warning in done.stderr) == (0, True)
    done = CliRunner().invoke(
        ftpservice, ["group", "add", "staff", "--root", text, "--store", admin.description]
    )
    assert (done.exit_code, "warning: group 'staff': storage" in done.stderr) == (0, True)
    admin.do("add", "ben", "--groups", "staff", "--rights", "read", "--password-stdin", given=given)
    done = admin.run("check")
    assert done.exit_code == 1
    assert "group 'staff', accounts 'ann', 'ben': storage" in done.stdout
    (tmp_path / "none").mkdir()
    done = admin.run("set", "ann", "--rights", "read")
    assert (done.exit_code, done.stderr) == (0, "")
    assert admin.run("check").exit_code == 0


def test_an_unknown_scheme_in_the_store_is_found(admin):
    admin.path.write_text(f"ann:{SECRET}:nosuch\\:/x:full\n")
    admin.path.chmod(0o600)
    done = admin.run("check")
    assert done.exit_code == 1
    assert "account 'ann': unknown storage 'nosuch:'" in done.stdout


def test_the_name_is_put_into_an_own_root(any_admin):
    admin = any_admin
    admin.add("ann", "--root", "/people/{user}")
    assert admin.json("show", "ann")["root"] == "/people/ann"
    done = admin.run("rename", "ann", "anna")
    assert "its root was /people/ann and is now /people/anna; move the files" in done.stderr
    assert admin.json("show", "anna")["root"] == "/people/anna"
    assert admin.json("set", "anna", "--rights", "read")["root"] == "/people/anna"
    done = admin.run("set", "anna", "--root", "/{group}/x")
    assert (done.exit_code, "needs a group, and the account names none" in done.stderr) == (1, True)
