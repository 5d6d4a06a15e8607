"""The strings and files that describe stores of other programs."""

import os

import pytest

from ftpservice.accounts.external.store_string import (
    BadStoreString,
    is_loopback,
    parse_store_string,
    read_secret,
    secret_warnings,
    tls_context,
)

KEYS = ("root", "from", "cache", "ca", "watch")


def parsed(text):
    return parse_store_string(text, "url", KEYS)


def test_a_string_has_a_target_and_values():
    found = parsed("http://host/?a=b#root=/{user}&from=10.0.0.0/8&from=::1&cache=10%6d")
    assert found.target == "http://host/?a=b"
    assert (found.one("root"), found.many("from")) == ("/{user}", ("10.0.0.0/8", "::1"))
    assert (found.seconds("cache"), found.one("watch"), found.many("ca")) == (600.0, None, ())


def test_a_file_that_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "ldap.toml")
    with pytest.raises(BadStoreString, match=r"ldap\.toml: it is not a regular file"):
        parsed(f"{tmp_path}/ldap.toml")


def test_values_are_decoded_and_plus_stays():
    assert parsed("x#root=a%26b%23+%25").one("root") == "a&b#+%"


def test_a_file_has_the_same_values(tmp_path):
    path = tmp_path / "store.toml"
    path.write_text('url = "ldap://host"\nroot = "/#&"\nfrom = ["::1", "::2"]\ncache = 7\n')
    found = parsed(str(path))
    assert (found.target, found.one("root"), found.many("from")) == (
        "ldap://host",
        "/#&",
        ("::1", "::2"),
    )
    assert found.seconds("cache") == 7.0


@pytest.mark.parametrize("line", ["from = []", 'from = [""]', 'root = " "'])
def test_a_restriction_without_a_value_is_refused(tmp_path, line):
    (tmp_path / "store.toml").write_text(f'url = "x"\n{line}\n')
    with pytest.raises(BadStoreString, match="is empty"):
        parsed(str(tmp_path / "store.toml"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the url is missing"),
        ("#root=/", "the url is missing"),
        ("x#rot=/", "unknown key 'rot' (did you mean 'root'?)"),
        ("x#zzz=1", "unknown key 'zzz' (known: ca, cache, from, root, watch)"),
        ("x#root", "'root' has no value"),
        ("x#rot=", "unknown key 'rot'"),
        ("x#root=", "'root' is empty; give a value or leave it out"),
        ("x#from=::1&from=%20", "'from' is empty"),
        ("nowhere.toml", "nowhere.toml: No such file"),
    ],
)
def test_what_is_wrong_is_said(text, problem):
    with pytest.raises(BadStoreString) as caught:
        parsed(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("root = ", "Invalid value"),
        ('root = "/"', "the url is missing"),
        ('url = ["a", "b"]', "'url' has one value"),
        ('url = "a"\nroot = true', "'root' is a string or an array of strings"),
        ('url = "a"\nroot = [1.5]', "'root' is a string or an array of strings"),
        ('url = "a"\n[root]\nx = 1', "'root' is a string or an array of strings"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path, text, problem):
    (tmp_path / "store.toml").write_text(text)
    with pytest.raises(BadStoreString) as caught:
        parsed(str(tmp_path / "store.toml"))
    assert problem in str(caught.value)


def test_values_are_checked_when_they_are_read(tmp_path):
    found = parsed(f"x#root=a&root=b&cache=soon&watch=maybe&ca={tmp_path / 'none'}")
    for read in (
        lambda: found.one("root"),
        lambda: found.seconds("cache"),
        lambda: found.word("watch", ("on", "off")),
        lambda: found.path("ca"),
        lambda: tls_context(found),
    ):
        with pytest.raises(BadStoreString):
            read()
    (tmp_path / "none").write_text("no certificate")
    with pytest.raises(BadStoreString, match="ca: "):
        tls_context(found)


def test_a_secret_is_the_first_line(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b" secret \r\nmore\n")
    assert read_secret(path) == b" secret "
    path.write_bytes(b"\n")
    with pytest.raises(ValueError, match="is empty"):
        read_secret(path)


def test_a_secret_that_others_can_read_is_reported(tmp_path):
    path = tmp_path / "secret"
    path.write_text("secret")
    for mode, count in ((0o600, 0), (0o640, 0), (0o644, 1)):
        path.chmod(mode)
        assert len(secret_warnings(str(path))) == count
    assert secret_warnings(None) == []


def test_loopback():
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost")] == [True] * 3
    assert [is_loopback(host) for host in ("10.0.0.1", "example.org", "")] == [False] * 3
