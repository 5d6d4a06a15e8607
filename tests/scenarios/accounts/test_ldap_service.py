"""A service whose accounts are in an LDAP directory, and the command on such a store."""

import ftplib
import json
import threading
import time

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.account_service import LOGIN_SECONDS, AccountService, check_account_terms
from tests.support.service_process import PATIENCE
from tests.support.slapd import (
    ACCOUNTS,
    GROUPS,
    PEOPLE,
    ROOT_DN,
    ROOT_PASSWORD,
    SERVICE_DN,
    SERVICE_PASSWORD,
    Slapd,
    account_entry,
)


@pytest.fixture
def slapd(tmp_path):
    with Slapd(tmp_path) as running:
        yield running


def store(slapd, *settings):
    password = f"service-password-file={slapd.password_file}"
    parts = [f"base={PEOPLE}", f"service-dn={SERVICE_DN}", password, "root=/{user}", *settings]
    return f"ldap:{slapd.url}#{'&'.join(parts)}"


def command(*words, given=None):
    return CliRunner().invoke(ftpservice, list(words), input=given)


def test_accounts_of_a_directory_log_in_by_both_protocols(slapd, tmp_path):
    group = f"group=cn=ftp-admins,{GROUPS}: read"
    with AccountService(tmp_path, [store(slapd, group)]) as service:
        (service.files / "ann/letter").write_text("hello")
        with service.login("Ann", "ann pass") as client:
            assert client.nlst() == ["letter"]
            with pytest.raises(ftplib.error_perm, match="550"):
                client.delete("letter")
        assert service.reply("ann", "wrong").startswith("530")
        assert service.reply("zed", "ann pass").startswith("530")
        assert service.reply("ben", "ben pass").startswith("530")
        assert "OK" in service.simple_answer("ann", "ann pass")
        assert "ERR AUTH" in service.simple_answer("ann", "wrong")
        service.line("in none of the groups")
        service.stopped()
        for secret in ("ann pass", "ben pass", "wrong", SERVICE_PASSWORD):
            assert secret not in service.output.replace("wrong password", "")


def test_a_directory_that_is_down_or_frozen_refuses_for_the_moment(slapd, tmp_path):
    words = ("user", "add", "eli", "--password-stdin", "--force")
    file = f"passwd:{tmp_path / 'passwd.db'}"
    assert command(*words, "--root=/ann", "--store", file, given="secret\n").exit_code == 0
    with AccountService(tmp_path, [store(slapd), file], "--ban-after=3") as service:
        ann = service.login("ann", "ann pass")
        stopped, frozen = (slapd.stop, slapd.start, 6), (slapd.freeze, slapd.thaw, 1)
        for stop, start, times in (stopped, frozen):
            stop()
            for password in ["wrong"] * times:
                code, seconds = service.timed_reply("ann", password)
                assert (code, seconds < LOGIN_SECONDS) == ("421", True)
            assert "ERR BUSY" in service.simple_answer("ann", "ann pass")
            assert service.reply("eli", "secret").startswith("230")
            assert ann.voidcmd("NOOP").startswith("200")
            start()
            assert service.reply("ann", "ann pass").startswith("230")
        ann.close()
        service.stopped()
        assert service.output.count("the account store is down") == 2
        assert service.output.count("the account store answers again") == 2
        assert "Traceback" not in service.output
        assert "ann pass" not in service.output


class Load:
    """Eight clients that log in again and again; ``replies`` has the code and time of each."""

    def __init__(self, service):
        self.service = service
        self.replies = []
        self.ended = threading.Event()
        names = ("ann", "ben") * 4
        self.clients = [threading.Thread(target=self.log_in, args=(name,)) for name in names]

    def log_in(self, name):
        while not self.ended.is_set():
            self.replies.append(self.service.timed_reply(name, f"{name} pass"))

    def __enter__(self):
        self.service.port()
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        for client in self.clients:
            client.join(PATIENCE)

    def wait_for(self, code):
        deadline, seen = time.monotonic() + PATIENCE, len(self.replies)
        while code not in {found for found, _ in self.replies[seen:]}:
            assert time.monotonic() < deadline, self.replies[seen:]
            self.ended.wait(0.01)


def test_logins_under_load_while_the_directory_stops_and_starts(slapd, tmp_path):
    with AccountService(tmp_path, [store(slapd)]) as service, Load(service) as load:
        for stop, start in ((slapd.stop, slapd.start), (slapd.freeze, slapd.thaw)) * 2:
            load.wait_for("230")
            stop()
            load.wait_for("421")
            start()
        load.wait_for("230")
        load.__exit__()
        assert {code for code, _ in load.replies} == {"230", "421"}
        assert max(seconds for _, seconds in load.replies) < LOGIN_SECONDS
        assert service.reply("ann", "ann pass").startswith("230")
        assert service.reply("ann", "wrong").startswith("530")


def test_a_change_in_the_directory_ends_sessions(slapd, tmp_path):
    words = ("attribute=disabled: employeeType", "attribute=quota: description")
    with AccountService(tmp_path, [store(slapd, *words)]) as service:
        with service.login("ann", "ann pass") as ann, service.login("ben", "ben pass") as ben:
            slapd.modify("ann", "replace: employeeType\nemployeeType: TRUE")
            slapd.modify("ben", "replace: description\ndescription: 20M")
            for client in (ann, ben):
                client.sock.settimeout(10.0)
            assert ann.file.readline().startswith("421 The account is no longer in force")
            assert ben.file.readline().startswith("421 The account has changed")
        assert service.reply("ann", "ann pass").startswith("530")
        with service.login("ben", "ben pass") as ben:
            assert ben.voidcmd("NOOP").startswith("200")


def test_patterns_hours_and_the_umask_come_from_attributes(slapd, tmp_path):
    words = ("attribute=hide: description", "attribute=hours: employeeType", "umask=027")

    def set_hours(hours):
        slapd.modify("ann", f"replace: employeeType\nemployeeType: {hours}")

    set_hours("00:00-24:00")
    slapd.modify("ann", "replace: description\ndescription: .git\ndescription: *.tmp")
    with AccountService(tmp_path, [store(slapd, *words, "refuse=*.exe", "ascii=off")]) as service:
        check_account_terms(service, set_hours)


def test_the_cache_bridges_a_time_without_the_directory(slapd, tmp_path):
    with AccountService(tmp_path, [store(slapd, "cache=10m")]) as service:
        assert service.reply("ann", "ann pass").startswith("230")
        slapd.stop()
        assert service.reply("ann", "ann pass").startswith("230")
        assert service.reply("ann", "wrong").startswith("421")
        assert service.reply("ben", "ben pass").startswith("421")
        slapd.start()
        slapd.modify("ann", "replace: userPassword\nuserPassword: new pass")
        assert service.reply("ann", "ann pass").startswith("530")
        assert service.reply("ann", "new pass").startswith("230")
        slapd.stop()
        assert service.reply("ann", "ann pass").startswith("421")
        assert service.reply("ann", "new pass").startswith("230")


def test_the_command_shows_and_checks_accounts(slapd):
    chosen = ("--store", store(slapd, "attribute=quota: description"))
    shown = command("user", "show", "ann", "--json", *chosen)
    assert json.loads(shown.stdout)["quota_bytes"] == 10 << 20
    assert command("user", "show", "zed", *chosen).exit_code == 1
    found = command("user", "check", *chosen)
    assert found.exit_code == 1
    (line,) = found.stdout.splitlines()
    assert f"'uid=dan,{PEOPLE}': the option 'quota=much': not a size" in line
    checks = [("ann", "ann pass", 0), ("ann", "x", 1), ("zed", "x", 1), ("dan", "dan pass", 1)]
    for name, password, status in checks:
        words = ("user", "check", name, "--password-stdin", *chosen)
        assert command(*words, given=f"{password}\n").exit_code == status
    slapd.stop()
    assert command("user", "check", *chosen).exit_code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("add", "new", "--password-stdin", "--force"),
        ("set", "ann", "--rights", "read"),
        ("lock", "ann"),
        ("remove", "ann"),
        ("rename", "ann", "anna"),
        ("passwd", "ann", "--password-stdin", "--force"),
    ],
)
def test_the_command_says_where_accounts_are_changed(slapd, words):
    done = command("user", *words, "--store", store(slapd), given="secret\n")
    assert done.exit_code == 1
    assert "accounts are changed in the LDAP directory, not by this command" in done.stderr


def test_the_accounts_of_a_directory_are_listed(slapd):
    chosen = store(slapd, "attribute=quota: description", "attribute=disabled: employeeType")
    done = command("user", "list", "--json", "--store", chosen)
    assert done.exit_code == 0, done.stderr
    shown = {one["name"]: one for one in json.loads(done.stdout)}
    assert sorted(shown) == ["ann", "ben", "cat", "dan", "eve"]
    unusable = {name: one["unusable"] for name, one in shown.items() if one["unusable"]}
    assert list(unusable) == ["dan"]
    assert "quota" in unusable["dan"]
    assert shown["ann"]["quota_bytes"] == 10 << 20
    assert (shown["ann"]["root"], shown["ann"]["hash_scheme"]) == ("/ann", None)
    assert (shown["ben"]["locked"], shown["cat"]["locked"]) == (False, True)
    assert f"'uid=dan,{PEOPLE}': " in done.stderr  # its quota is "much"
    of_group = store(slapd, f"group=cn=ftp-admins,{GROUPS}: read")
    done = command("user", "list", "--store", of_group)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "ann"]
    assert done.stderr == ""
    slapd.stop()
    assert command("user", "list", "--store", chosen).exit_code == 3


def test_a_large_directory_is_listed_in_pages_up_to_its_limit(tmp_path):
    many = "".join(f"\n{account_entry(f'user{number:04}')}" for number in range(1200))
    with Slapd(tmp_path, many) as slapd:
        unlimited = f"ldap:{slapd.url}#" + "&".join(
            [
                f"base={PEOPLE}",
                f"service-dn={ROOT_DN}",
                f"service-password-file={tmp_path / 'root'}",
            ]
        )
        (tmp_path / "root").write_text(ROOT_PASSWORD)
        (tmp_path / "root").chmod(0o600)
        done = command("user", "list", "--json", "--store", f"{unlimited}&root=/{{user}}")
        assert done.stderr == ""
        names = [one["name"] for one in json.loads(done.stdout)]
        assert len(names) == len(set(names)) == 1200 + len(ACCOUNTS)
        limited = command("user", "list", "--json", "--store", store(slapd))
    assert 0 < len(json.loads(limited.stdout)) <= 500
    assert "at a size limit of the directory" in limited.stderr


def test_accounts_of_direct_binds_are_not_listed(slapd):
    bound = f"ldap:{slapd.url}#bind=uid={{user}},{PEOPLE}&root=/{{user}}&rights=full"
    done = command("user", "list", "--store", bound)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "accounts cannot be listed: with 'bind' an entry is read" in done.stderr


def test_the_start_check_and_the_doctor_say_whether_the_directory_answers(slapd):
    options = ("--listen=tcp:0:interface=127.0.0.1", "--root=memory:", f"--auth={store(slapd)}")
    options += ("--allow-root",)  # the tests may run as root
    assert command("config", "check", *options).exit_code == 0
    findings = json.loads(command("doctor", "--json", *options).stdout)
    found = [one for one in findings if one["subject"] == "accounts"]
    assert [(one["level"], one["text"]) for one in found] == [("ok", f"{slapd.url} answers")]
    slapd.stop()
    assert "logins would be refused with 421" in command("config", "check", *options).output
    findings = json.loads(command("doctor", "--json", *options).stdout)
    found = [one for one in findings if one["subject"] == "accounts"]
    assert [one["level"] for one in found] == ["error"]
