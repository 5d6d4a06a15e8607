"""URLs, netrc, trust: where a client goes, as whom, and whom it believes."""

from pathlib import Path

import pytest

from ftpservice_client import BadURL, Destination, LocalProblem, Scheme, Trust, parse_url
from ftpservice_client.netrc import with_netrc


@pytest.mark.parametrize(
    ("url", "wanted"),
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
def test_what_a_url_says(url, wanted):
    assert parse_url(url) == wanted


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


def test_a_netrc_that_is_none(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("what is this\n")
    with pytest.raises(LocalProblem, match="line 1"):
        with_netrc(Destination(Scheme.FTP, "host", 21), path)
    with pytest.raises(LocalProblem):
        with_netrc(Destination(Scheme.FTP, "host", 21), tmp_path)


def test_a_fingerprint_has_64_digits():
    assert Trust(fingerprint="aB:" * 31 + "00").pinned == "AB" * 31 + "00"
    with pytest.raises(ValueError, match="64"):
        Trust(fingerprint="AB:CD")
