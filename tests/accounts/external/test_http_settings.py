"""The settings of an HTTP service with accounts."""

import pytest

from ftpservice.accounts.external.http_settings import http_settings
from ftpservice.accounts.external.store_string import BadStoreString


def test_a_url_is_split():
    found = http_settings("https://Host.example/ftp/login?for=us#cache=1m&watch=on")
    assert (found.host, found.port, found.path) == ("host.example", 443, "/ftp/login?for=us")
    assert found.place == "https://host.example/ftp/login"
    assert (found.cache_seconds, found.watches, found.tls is not None) == (60.0, True, True)
    assert found.terms.rights is None


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("http://[::1]/x", "http://[::1]/x"),
        ("http://localhost/x", "http://localhost/x"),
        ("http://10.0.0.1/x#plaintext=allowed", "http://10.0.0.1/x"),
    ],
)
def test_plaintext_for_this_machine_or_on_demand(url, place):
    found = http_settings(url)
    assert (found.tls, found.place) == (None, place)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://10.0.0.1/", "passwords would be sent in plaintext"),
        ("http://localhost.example.org/", "passwords would be sent in plaintext"),
        ("ftp://host/", "is not a URL"),
        ("https:///x", "is not a URL"),
        ("https://host:port/", "Port could not be cast"),
        ("https://ann:secret@host/", "use 'token-file'"),
        ("https://host/a b", "must be percent-encoded"),
        ("https://host/é", "must be percent-encoded"),
        ("https://host/#token=x", "unknown key 'token'"),
    ],
)
def test_what_is_wrong_is_said(url, problem):
    with pytest.raises(BadStoreString) as caught:
        http_settings(url)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)
