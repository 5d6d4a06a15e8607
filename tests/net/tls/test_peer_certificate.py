"""Names of accounts in certificates."""

from __future__ import annotations

from ftpservice.net.tls.peer_certificate import certificate_names

FACTS = {
    "subject": (
        (("organizationName", "Example"),),
        (("commonName", "ann"), ("emailAddress", "old@example.org")),
        (("commonName", "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"),),
    ),
    "subjectAltName": (
        ("email", "ann@example.org"),
        ("DNS", "scanner.example.org"),
        ("DNS", ""),
        ("IP Address", "192.0.2.1"),
        ("URI", "https://example.org/ann"),
        ("othername", "<unsupported>"),
    ),
}


def test_common_names_mail_addresses_and_dns_names_count() -> None:
    assert certificate_names(FACTS) == {
        "ann",
        "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
        "ann@example.org",
        "scanner.example.org",
    }


def test_who_shows_none_or_one_that_was_not_checked_is_nobody() -> None:
    assert certificate_names(None) == frozenset()
    assert certificate_names({}) == frozenset()
