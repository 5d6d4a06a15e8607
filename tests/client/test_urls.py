"""URLs, netrc, trust: where a client goes, as whom, and whom it believes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpservice_client import BadURL, Destination, LocalFileError, Scheme, Trust, parse_url
from ftpservice_client.sessions.netrc import with_netrc


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://host", Destination(Scheme.FTP, "host", 21)),
        ("ftp://host/in/x", Destination(Scheme.FTP, "host", 21, path="in/x")),
        ("ftp://host//in", Destination(Scheme.FTP, "host", 21, path="/in")),
        ("ftps://a:b@host", Destination(Scheme.FTPS, "host", 990, "a", "b")),
        ("ftpes://a@host:2121/", Destination(Scheme.FTPES, "host", 2121, "a")),
        ("simple://host", Destination(Scheme.SIMPLE, "host", 1452)),
        ("simples://host", Destination(Scheme.SIMPLES, "host", 1453)),
        ("FTP://HOST/A", Destination(Scheme.FTP, "host", 21, path="A")),
        ("ftp://[::1]:21/", Destination(Scheme.FTP, "::1", 21)),
        (
            "ftp://a%40b:p%2Fw@host/%C3%BC%20x",
            Destination(Scheme.FTP, "host", 21, "a@b", "p/w", "ü x"),
        ),
        ("ftp://host/%FF", Destination(Scheme.FTP, "host", 21, path="\udcff")),
        ("ftp://host/a?b#c", Destination(Scheme.FTP, "host", 21, path="a?b#c")),
        ("ftp://a:@host", Destination(Scheme.FTP, "host", 21, "a", "")),
    ],
)
def test_what_a_url_says(url, expected):
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "http://host",
        "ftp://",
        "ftp:///x",
        "ftp://host:0",
        "ftp://host:70000",
        "ftp://host:x",
        "ftp://a%0D%0Ab@host",
        "ftp://host/a%00",
        "ftp://host/a\r\nb",
        "ftp://a:secret\n@host",
        "ftp://[::1",
    ],
)
def test_what_is_no_url(url):
    with pytest.raises(BadURL) as raised:
        parse_url(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Destination(Scheme.FTP, "host", 21, "a", "secret"), "ftp://host/"),
        (Destination(Scheme.FTPS, "::1", 2121), "ftps://[::1]:2121/"),
    ],
)
def test_a_place_is_shown_without_its_password(place, text):
    assert str(place) == text
    assert "secret" not in repr(place)
    assert place.as_user("b", "c").user == "b"
    assert (place.scheme.is_secured, place.scheme.is_simple) == (text[:4] == "ftps", False)


@pytest.mark.parametrize(
    ("place", "user", "password"),
    [
        (Destination(Scheme.FTP, "host", 21), "ann", "secret"),
        (Destination(Scheme.FTP, "host", 21, "ann"), "ann", "secret"),
        (Destination(Scheme.FTP, "host", 21, "bob"), "bob", None),
        (Destination(Scheme.FTP, "host", 21, "ann", "own"), "ann", "own"),
        (Destination(Scheme.FTP, "other", 21), "", None),
    ],
)
def test_netrc_knows_passwords(tmp_path, place, user, password):
    path = tmp_path / "netrc"
    path.write_text("machine host login ann password secret\n")
    found = with_netrc(place, path)
    assert (found.user, found.password) == (user, password)


def test_a_netrc_that_is_not_there_says_nothing():
    place = Destination(Scheme.FTP, "host", 21)
    assert with_netrc(place, Path("/nowhere/netrc")) == place


def test_a_netrc_that_cannot_be_read(tmp_path):
    with pytest.raises(LocalFileError):
        with_netrc(Destination(Scheme.FTP, "host", 21), tmp_path)


NETRC = """
# machine host login nobody password wrong
what is this
machine other.example port 2121 login x password "two words"
macdef init
    machine host login macro password wrong

machine HOST
    account billing
    password #not-a-comment # a comment
    login ann
machine host login bob password "a \\"b\\" c"
machine cut login bare
default login anyone password é
"""


@pytest.mark.parametrize(
    ("host", "user", "found"),
    [
        ("host", "", ("ann", "#not-a-comment")),
        ("host", "bob", ("bob", 'a "b" c')),
        ("host", "carol", ("carol", None)),
        ("other.example", "", ("x", "two words")),
        ("elsewhere", "", ("anyone", "\udce9")),
        ("cut", "", ("anyone", "\udce9")),
    ],
)
def test_foreign_entries_unknown_words_macros_and_comments_are_skipped(tmp_path, host, user, found):
    path = tmp_path / "netrc"
    path.write_bytes(NETRC.encode("latin-1"))
    place = with_netrc(Destination(Scheme.FTP, host, 21, user), path)
    assert (place.user, place.password) == found


@given(st.text(alphabet='machine loginpasswordefault"\\# \n', max_size=200))
def test_no_netrc_makes_reading_fail(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("netrc") / "netrc"
    path.write_text(text)
    with_netrc(Destination(Scheme.FTP, "host", 21), path)


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1), (0o604, 1), (0o622, 1)])
def test_a_netrc_that_others_can_read_is_warned_about(tmp_path, mode, count):
    path = tmp_path / "netrc"
    path.write_text("machine host login ann password secret\n")
    path.chmod(mode)
    warnings = []
    found = with_netrc(Destination(Scheme.FTP, "host", 21), path, warnings.append)
    assert found.password == "secret"
    assert len(warnings) == count
    assert all("chmod 600" in line and "secret" not in line for line in warnings)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else")
def test_a_netrc_of_another_user_is_not_used(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine host login ann password secret\n")
    os.chown(path, 12345, 12345)
    warnings = []
    found = with_netrc(Destination(Scheme.FTP, "host", 21), path, warnings.append)
    assert found.password is None
    assert "belongs to another user" in warnings[0]


RAW = "an @ follows the first /, \\? or # of the URL"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ann:sec#ret@host/",
        "ftp://ann:1234#ret@host/",
        "ftp://ann:sec/ret@host/",
        "ftp://ann:1234/ret@host/",
        "ftp://ann:sec?ret@host/in",
        "ftp://ann#x:secret@host/",
        "ftp://ann.lee:2024/ret@host/",
        "ftp://ann:2024@sec/ret@host/",
        "ftp://ann:2024@sec#ret@host/",
        "ftp://ann:2024@sec?ret@127.0.0.1/in",
        "ftp://ann:2024@sec.ret/1234#x@host/",
    ],
)
def test_a_raw_character_in_a_password_is_named_and_nothing_of_it_shown(url):
    with pytest.raises(BadURL, match=RAW) as raised:
        parse_url(url)
    text = str(raised.value)
    for part in ("ann", "sec", "ret", "1234", "2024", "host"):
        assert part not in text.replace("password", "").replace("secret", "")
    assert "%23" in text


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://ann@firm.example:sec/ret@host/", "port of the URL"),
        ("ftp://ann:secret@host:99999/", "port of the URL"),
        ("ftp://ann:se[cret@host/", "not a URL"),
        ("ftp://ann:se]cret@host/", "not a URL"),
    ],
)
def test_what_may_be_a_password_out_of_place_gets_the_hint_that_names_the_quoting(url, message):
    with pytest.raises(BadURL, match=message) as raised:
        parse_url(url)
    assert "write / as %2F" in str(raised.value)
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("ftp://ann:a@b@host/x", "host", "x"),
        ("ftp://host/me@x", "host", "me@x"),
        ("ftp://127.0.0.1:2121/me@x", "127.0.0.1", "me@x"),
        ("ftp://[::1]:2121/me@x", "::1", "me@x"),
        ("ftp://host:2121/me%40x", "host", "me@x"),
        ("ftp://ann@host:2121/me@x", "host", "me@x"),
        ("ftp://ann:secret@127.0.0.1:2121/me@x", "127.0.0.1", "me@x"),
        ("ftp://ann:secret@localhost/me@x", "localhost", "me@x"),
        ("ftp://ann:secret@host/me%40x", "host", "me@x"),
    ],
)
def test_an_at_sign_may_stand_where_it_cannot_be_taken_for_the_end_of_a_password(url, host, path):
    found = parse_url(url)
    assert (found.host, found.path) == (host, path)


def test_a_fingerprint_has_64_digits():
    assert Trust(fingerprint="aB:" * 31 + "00").normalized_fingerprint == "AB" * 31 + "00"
    with pytest.raises(ValueError, match="64"):
        Trust(fingerprint="AB:CD")
