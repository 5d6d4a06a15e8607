"""The settings of ACME: values and contradictions."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.service.settings.acme import AcmeChallenge, parse_dns_name
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.settings import SETTINGS, settings_from
from ftpservice.session.tls_policy import ControlTLS

GIVEN: dict[str, Any] = {
    "acme": ("ftp.example.com",),
    "acme-agree-tos": True,
    "data-dir": "data",
}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FTP.Example.com.", "ftp.example.com"),
        ("a-b.example", "a-b.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_names_are_those_of_dns(text: str, name: str) -> None:
    assert parse_dns_name(text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("localhost", "not a public host name"),
        ("192.0.2.1", "not a public host name"),
        ("a..example", "not a public host name"),
        ("-a.example", "not a public host name"),
        ("a_b.example", "not a public host name"),
        ("a.example/x", "not a public host name"),
        ("a" * 64 + ".example", "not a public host name"),
        (".".join(["abcdefgh"] * 32), "not a public host name"),
        ("*.example.com", "a wildcard needs a DNS challenge"),
        ("b\u00fccher.example", "ASCII form"),
    ],
)
def test_other_names_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_dns_name(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acme-directory", "http://ca.example/dir"),
        ("acme-directory", "https://"),
        ("acme-directory", "https://ann:secret@ca.example/"),
        ("acme-directory", "directory"),
        ("acme-email", "ann"),
        ("acme-email", "ann@a.example,ben@a.example"),
        ("acme-email", "ann@a.example?cc=x"),
        ("acme-challenge", "dns-01"),
    ],
)
def test_other_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        SETTINGS[name].parse(value)


def test_the_endpoint_of_the_challenge_in_use_is_bound() -> None:
    assert settings_from(GIVEN).acme_listen == ("acme-http", ("tcp:80",))
    other = settings_from(GIVEN | {"acme-challenge": AcmeChallenge.TLS_ALPN})
    assert other.acme_listen == ("acme-tls", ("tcp:443",))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"acme-agree-tos": False}, "agree to them with --acme-agree-tos"),
        ({"tls": ControlTLS.OFF}, "--acme needs TLS"),
        ({"certificate": ("a.pem",)}, "--acme and --certificate: give one of them"),
        ({"data-dir": None, "root": "/srv"}, "--acme needs --data-dir"),
        ({"acme": tuple(f"a{n}.example" for n in range(101))}, "at most 100 names"),
    ],
)
def test_contradictions_are_said(change: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsConflict, match=why):
        settings_from(GIVEN | change)


def test_without_a_name_nothing_is_demanded() -> None:
    assert settings_from({}).acme == ()


@pytest.mark.parametrize("name", ["acme-eab-key-id", "acme-eab-key-file"])
def test_a_key_of_an_account_and_its_identifier_belong_together(name: str) -> None:
    with pytest.raises(SettingsConflict, match="--acme-eab-key-id and --acme-eab-key-file"):
        settings_from(GIVEN | {name: "x"})
