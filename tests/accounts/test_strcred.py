"""``passwd:`` as strcred makes it."""

import os
import subprocess
import sys

import pytest
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString
from twisted.logger import globalLogPublisher
from twisted.plugin import IPlugin
from zope.interface.verify import verifyObject

from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.strcred import PasswdFactory
from tests.accounts.doubles import SECRET

factory = PasswdFactory()


@pytest.fixture
def logged():
    seen = []

    def observe(event):
        if event.get("log_namespace") == "ftpservice.accounts":
            seen.append(event["text"])

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def test_it_is_a_plugin_that_makes_checkers():
    assert verifyObject(ICheckerFactory, factory)
    assert IPlugin.providedBy(factory)
    assert factory.authType == "passwd"
    assert factory.credentialInterfaces == (IUsernamePassword,)
    assert "name:argon2id-hash:root:rights:options" in factory.authHelp


def test_it_reads_the_file_at_once(tmp_path, logged):
    path = tmp_path / "passwd.db"
    path.write_text(f"alice:{SECRET}:/:full\nbob:secret\n")
    checker = factory.generateChecker(f" {path} ")
    assert isinstance(checker, PasswordFileChecker)
    assert [record.name for record in checker.records()] == ["alice"]
    assert checker.lookup("alice").name == "alice"
    [text] = logged
    assert text == f"{path}, line 2: the password is not a hash of a known kind"


def test_a_relative_path_stays_good_when_the_directory_changes(tmp_path, monkeypatch):
    (tmp_path / "passwd.db").write_text(f"alice:{SECRET}:/:full\n")
    monkeypatch.chdir(tmp_path)
    checker = factory.generateChecker("passwd.db")
    monkeypatch.chdir("/")
    assert list(checker.file.refresh().accounts) == ["alice"]


def test_a_file_without_accounts_will_do(tmp_path):
    path = tmp_path / "passwd.db"
    path.write_text("# nobody yet\n")
    assert factory.generateChecker(str(path)).records() == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "the file is missing"),
        ("none", "cannot read '.*none': No such file"),
        (".", "cannot read '.*': Is a directory"),
        ("pipe", "cannot read '.*pipe': it is not a regular file"),
        ("a\0b", "cannot read '.*': embedded null byte"),
        ("broken", "no account in '.*broken' can be used: line 1: "),
    ],
)
def test_a_file_of_no_use_is_refused_in_one_line(tmp_path, name, reason):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").write_bytes(b"\x7fELF\x00\x01")
    argument = f"{tmp_path}/{name}" if name else name
    with pytest.raises(InvalidAuthArgumentString, match=reason) as caught:
        factory.generateChecker(argument)
    assert str(caught.value).isprintable()


def test_importing_it_is_light():
    code = (
        "import sys, ftpservice.accounts.strcred\n"
        "sys.exit('twisted.internet.reactor' in sys.modules or 'argon2' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
