"""Accounts of PAM services, by real modules: both phases, and a module that hangs."""

import ftplib
import grp
import platform
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from zope.interface.verify import verifyObject

from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.account_store import IPeerAccountLookup, StoreUnavailable
from ftpservice.accounts.external.pam_service import ANSWER_SECONDS, PAMService, pam_settings
from ftpservice.accounts.external.store_string import BadStoreString
from ftpservice.admin.cli import ftpservice
from ftpservice.storage.rights import PRESETS, parse_rights
from tests.support.account_service import LOGIN_SECONDS, AccountService
from tests.support.service_process import BUSY_SECONDS

MODULES = Path(f"/usr/lib/{platform.machine()}-linux-gnu/pam_wrapper")
MATRIX = f"{MODULES / 'pam_matrix.so'} passdb="
ANN = PeerCredentials(b"", b"", "192.0.2.1", secured=True)


class Services:
    """A directory with PAM services, and the passwords of ``matrix``."""

    def __init__(self, directory):
        self.directory = directory / "pam.d"
        self.directory.mkdir()
        self.passwords = directory / "passwords"
        self.allow(ann="ftp", ben="sshd")
        matrix = f"{MATRIX}{self.passwords}"
        self.write("ftp", f"auth required {matrix}\naccount required {matrix}\n")

    def allow(self, **services):
        """Write the accounts: the service that each may use; the password is ``NAME pass``."""
        lines = [f"{name}:{name} pass:{service}\n" for name, service in services.items()]
        fresh = self.passwords.with_suffix(".new")
        fresh.write_text("".join(lines))
        fresh.replace(self.passwords)

    def write(self, name, text):
        (self.directory / name).write_text(text)

    def accounts(self, name, *settings):
        parts = [f"directory={self.directory}", *settings]
        return PAMService(pam_settings(f"{name}#{'&'.join(parts)}"))


@pytest.fixture
def services(tmp_path):
    return Services(tmp_path)


def test_the_service_is_a_lookup(services):
    assert verifyObject(IPeerAccountLookup, services.accounts("ftp"))


def test_both_phases_decide(services):
    accounts = services.accounts("ftp", "root=/srv/{user}", "rights=read", "quota=10M")
    ann = accounts.look_up_from("ann", b"ann pass", ANN)
    assert (ann.record.name, ann.record.root, ann.is_right) == ("ann", "/srv/ann", True)
    assert ann.record.quota_bytes == 10 << 20
    wrong = accounts.look_up("ann", b"wrong")
    assert (wrong.record.name, wrong.is_right, wrong.unusable) == ("ann", False, "")
    locked = accounts.look_up("ben", b"ben pass")
    assert (locked.record.disabled, locked.unusable) == (True, "PAM: Permission denied")
    assert accounts.look_up("ben", b"wrong").is_right is False


@pytest.mark.parametrize("name", ["ann", "zed", "..", "a/b", "ann\0", "", "é", "\udcff"])
@pytest.mark.parametrize("password", [b"wrong", b"", b"ann pass\0", b"\xff", b"x" * 2000])
def test_no_name_or_password_makes_the_service_unavailable(services, name, password):
    assert services.accounts("ftp").look_up(name, password).is_right is False


def test_the_account_phase_alone_shows_an_account(services):
    accounts = services.accounts("ftp")
    assert accounts.look_up("ann", None).record.name == "ann"
    assert accounts.look_up("ben", None).record.disabled
    accounts.look_up("ann", b"ann pass")
    assert not accounts.current({"ann"})["ann"].disabled
    services.allow(ann="sshd")
    accounts._recent._next_look = 0.0
    assert accounts.current({"ann"})["ann"].disabled


def test_without_a_watch_accounts_are_as_of_their_login(services):
    accounts = services.accounts("ftp", "watch=off")
    accounts.look_up("ann", b"ann pass")
    services.allow(ann="sshd")
    assert not accounts.current({"ann"})["ann"].disabled


def test_modules_of_the_system_work(services):
    services.write("everybody", "auth required pam_permit.so\naccount required pam_permit.so\n")
    services.write("nobody", "auth required pam_deny.so\naccount required pam_deny.so\n")
    services.write("unix", "auth required pam_unix.so\naccount required pam_unix.so\n")
    assert services.accounts("everybody").look_up("zed", b"any").is_right
    assert services.accounts("nobody").look_up("zed", b"any").is_right is False
    began = time.monotonic()
    unknown = services.accounts("unix").look_up("no-such-user", b"any")
    assert (unknown.record, unknown.is_right) == (None, False)
    assert services.accounts("unix").look_up("nobody", b"any").is_right is False
    assert time.monotonic() - began < 2.0  # the modules ask for as long after each failure


def test_the_superuser_does_not_log_in(services):
    services.write("everybody", "auth required pam_permit.so\naccount required pam_permit.so\n")
    found = services.accounts("everybody").look_up("root", b"any")
    assert found.record.disabled
    assert "user 0" in found.unusable


GROUPS = (
    "group=daemon: @staff",
    "group=bin: read,list: /bin",
    "group=sys: full: local:/srv/sys",
    "define-group=@staff:*:/people/{user}:upload-only:quota=1G",
    "from=192.0.2.0/24",
)


def permitted(services, *settings):
    services.write("everybody", "auth required pam_permit.so\naccount required pam_permit.so\n")
    return services.accounts("everybody", *settings)


def test_the_first_unix_group_of_an_account_gives_its_values(services):
    accounts = permitted(services, *GROUPS)
    daemon = accounts.look_up("daemon", b"any").record
    assert (daemon.root, daemon.rights) == ("/people/daemon", PRESETS["upload-only"])
    assert (daemon.quota_bytes, len(daemon.networks), daemon.groups) == (1 << 30, 1, ("staff",))
    member = accounts.look_up("bin", b"any").record
    assert (member.root, member.rights) == ("/bin", parse_rights(["read", "list"]))
    assert (member.quota_bytes, len(member.networks)) == (None, 1)
    assert accounts.look_up("sys", b"any").record.root == "local:/srv/sys"
    other = accounts.look_up("nobody", b"any")
    assert (other.record.disabled, other.unusable) == (True, "the account is in none of the groups")
    assert not permitted(services, *GROUPS, "rights=read").look_up("nobody", b"any").unusable
    unknown = permitted(services, *GROUPS).look_up("zed", b"any")  # no user of the system
    assert "none of the groups" in unknown.unusable


@pytest.mark.parametrize("name", ["nobody", "zed"])
def test_a_member_of_a_group_needs_it_not_as_primary_group(services, monkeypatch, name):
    find = grp.getgrnam

    def with_member(wanted):
        entry = find(wanted)
        return grp.struct_group((*entry[:3], [name])) if wanted == "bin" else entry

    monkeypatch.setattr(grp, "getgrnam", with_member)
    assert permitted(services, *GROUPS).look_up(name, b"any").record.root == "/bin"


def test_a_group_that_is_missing_lifts_no_limit(services):
    accounts = permitted(services, "group=no-such-group: read", "rights=full")
    with pytest.raises(StoreUnavailable, match="the system has no group 'no-such-group'"):
        accounts.look_up("nobody", b"any")
    assert "no group 'no-such-group'" in accounts.warnings()[0]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("group=daemon", "'group' is UNIX-GROUP: RIGHTS"),
        ("group=daemon: raed", "raed"),
        ("group=daemon: @staff", "no 'define-group' for '@staff'"),
        ("group=daemon: full: /../x", "contains '..'"),
    ],
)
def test_a_group_of_the_settings_that_is_none_is_refused(services, setting, problem):
    with pytest.raises(BadStoreString) as caught:
        permitted(services, setting)
    assert problem in str(caught.value)


def test_a_service_with_rights_by_unix_group(services, tmp_path):
    services.write("ftp", "auth required pam_permit.so\naccount required pam_permit.so\n")
    settings = tmp_path / "pam.toml"
    text = f'service = "ftp"\ndirectory = "{services.directory}"\nroot = "/ann"\n'
    settings.write_text(text + 'group = ["daemon: read", "bin: full"]\n')
    with AccountService(tmp_path, [f"pam:{settings}"]) as service:
        with service.login("daemon", "any") as reader:
            with pytest.raises(ftplib.error_perm, match="550"):
                reader.mkd("made")
            assert reader.nlst() == []
        with service.login("bin", "any") as writer:
            assert writer.mkd("made") == "/made"
        assert service.reply("nobody", "any").startswith("530")
        assert service.stopped() == 0
        assert "the account is in none of the groups" in service.output
        assert "Traceback" not in service.output


def test_an_empty_password_is_refused_although_the_modules_accept_it(services):
    services.write("everybody", "auth required pam_permit.so\naccount required pam_permit.so\n")
    assert services.accounts("everybody").look_up("ann", b"").is_right is False


def test_a_password_that_must_be_changed_is_refused(services):
    text = "auth required pam_permit.so\naccount [default=12] pam_debug.so acct=new_authtok_reqd\n"
    services.write("expired", text.replace("[default=12]", "required"))
    found = services.accounts("expired").look_up("ann", b"any")
    assert found.record.disabled
    assert "no longer valid" in found.unusable


@pytest.mark.parametrize("result", ["authinfo_unavail", "service_err", "system_err"])
def test_a_module_that_cannot_tell_is_no_wrong_password(services, result):
    services.write("down", f"auth required pam_debug.so auth={result}\n")
    with pytest.raises(StoreUnavailable):
        services.accounts("down").look_up("ann", b"ann pass")


def test_a_missing_module_or_service_is_no_wrong_password(services):
    services.write("broken", "auth required /no/such/module.so\n")
    for name in ("broken", "missing"):
        with pytest.raises(StoreUnavailable):
            services.accounts(name).look_up("ann", b"ann pass")
    assert "pam.d/missing" in services.accounts("missing").warnings()[0]
    assert services.accounts("ftp").warnings() == []
    assert services.accounts("ftp").reach() is None


def test_a_module_that_hangs_is_unavailable_in_time(services):
    sleep = shutil.which("sleep")
    services.write("hanging", f"auth required pam_exec.so quiet {sleep} 5\n")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no answer"):
        services.accounts("hanging").look_up("ann", b"ann pass")
    assert time.monotonic() - began < ANSWER_SECONDS + BUSY_SECONDS


def test_modules_get_the_address_of_the_client(services, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $PAM_RHOST $PAM_USER $PAM_TTY > {tmp_path / 'seen'}\n")
    script.chmod(0o755)
    services.write("seen", f"auth required pam_exec.so {script}\naccount required pam_permit.so\n")
    assert services.accounts("seen").look_up_from("ann", b"any", ANN).is_right
    assert (tmp_path / "seen").read_text() == "192.0.2.1 ann ftp\n"


def test_a_service_with_accounts_of_pam(services, tmp_path):
    store = f"pam:ftp#directory={services.directory}&root=/{{user}}"
    with AccountService(tmp_path, [store]) as service:
        assert service.reply("ann", "wrong").startswith("530")
        assert service.reply("ben", "ben pass").startswith("530")
        assert "OK ftpservice" in service.simple_answer("ann", "ann pass")
        with service.login("ann", "ann pass") as ann:
            assert ann.nlst() == []
            services.allow(ann="sshd")
            ann.sock.settimeout(10.0)
            assert ann.file.readline().startswith("421 The account is no longer in force")
        services.write("ftp", f"auth required pam_exec.so quiet {shutil.which('sleep')} 4\n")
        code, seconds = service.timed_reply("ann", "ann pass")
        assert (code, seconds < LOGIN_SECONDS) == ("421", True)
        assert service.stopped() == 0
        for secret in ("ann pass", "ben pass"):
            assert secret not in service.output
        assert "Traceback" not in service.output


def test_the_command_shows_and_checks_accounts(services):
    store = ("--store", f"pam:ftp#directory={services.directory}")

    def status(*words, given=None):
        return CliRunner().invoke(ftpservice, ["user", *words, *store], input=given).exit_code

    assert status("show", "ann") == 0
    assert status("check") == 0
    assert status("check", "ann", "--password-stdin", given="ann pass\n") == 0
    assert status("check", "ann", "--password-stdin", given="wrong\n") == 1
    assert status("lock", "ann") == 1
    listed = CliRunner().invoke(ftpservice, ["user", "list", *store])
    assert (listed.exit_code, listed.stdout) == (1, "")
    assert listed.stderr == (
        "ftpservice: PAM service ftp: accounts cannot be listed: PAM is asked for single names "
        "only; ftpservice user show NAME shows one\n"
    )
