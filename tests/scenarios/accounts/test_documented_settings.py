"""The settings files of the documentation work with real servers."""

import ftplib

import pytest

from tests.scenarios.accounts.test_http_accounts import Server
from tests.support.account_service import AccountService
from tests.support.certificates import Authority
from tests.support.docs_pages import blocks
from tests.support.http_accounts import TOKEN
from tests.support.slapd import Slapd


def documented(name, directory, **changes):
    """Write a settings file of the documentation, with places of this test; return its text."""
    (block,) = [block for block in blocks("toml") if block.name == name]
    text = block.text.replace("/etc/ftpservice", str(directory))
    for before, after in changes.values():
        assert before in text
        text = text.replace(before, after)
    (directory / name).write_text(text)


def test_ldap(tmp_path):
    with Slapd(tmp_path) as slapd:
        (tmp_path / "ca.pem").write_bytes(slapd.ca.read_bytes())
        (tmp_path / "ldap.password").write_bytes(slapd.password_file.read_bytes())
        documented("ldap.toml", tmp_path, url=("ldap://ldap.example.org", slapd.url))
        with AccountService(tmp_path, ["ldap:ldap.toml"]) as service:
            (service.files / "in/ben").mkdir(parents=True)
            with service.login("ann", "ann pass") as ann:
                assert "Quota" in ann.sendcmd("SITE QUOTA") or "10 MiB" in ann.lastresp
            with service.login("ben", "ben pass") as ben, pytest.raises(ftplib.error_perm):
                ben.retrlines("RETR letter")
            assert service.reply("cat", "cat pass").startswith("530")


def test_pam(tmp_path):
    directory = tmp_path / "pam.d"
    directory.mkdir()
    text = [block.text for block in blocks("text") if "pam_unix.so" in block.text]
    assert len(text) == 1
    documented("pam.toml", tmp_path)
    (directory / "ftpservice").write_text(text[0].replace("pam_unix", "pam_permit"))
    with AccountService(tmp_path, ["pam:pam.toml"]) as service:
        assert service.reply("ann", "any").startswith("230")
    (directory / "ftpservice").write_text(text[0])
    with AccountService(tmp_path, ["pam:pam.toml"]) as service:
        assert service.reply("ann", "any").startswith("530")


def test_http(tmp_path):
    authority = Authority(tmp_path, "ca")
    (tmp_path / "http.token").write_text(TOKEN)
    with Server(authority.certificate("server")) as server:
        url = ("https://accounts.example.org/ftp", server.url)
        documented("http.toml", tmp_path, url=url)
        with AccountService(tmp_path, ["http:http.toml"]) as service:
            assert service.reply("ann", "ann pass").startswith("230")
            assert service.reply("ann", "wrong").startswith("530")


def test_the_answers_of_the_documentation_are_those_of_the_program():
    shown = [block.text for block in blocks("json") if "refused" in block.text]
    assert shown == ['{"refused": "wrong-password"}\n']
