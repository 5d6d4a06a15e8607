"""The settings of certificates that the service gets itself, by ACME (RFC 8555)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.parsers import enum_parser, parse_listen_address
from ftpservice.service.settings.setting import FLAG, TEXT, TEXTS, setting

__all__ = ["AcmeChallenge", "AcmeSettings", "parse_dns_name"]

MAX_NAMES = 100
MAX_NAME_LENGTH = 253
LABEL = "(?!-)[a-z0-9-]{1,63}(?<!-)"
DNS_NAME = re.compile(rf"({LABEL}\.)+(?![0-9]+$){LABEL}")
EMAIL = re.compile(r"[^\s@?,<>]+@[^\s@?,<>]+")


class AcmeChallenge(Enum):
    """How the service proves that it controls a name."""

    HTTP = "http-01"
    """The authority fetches a file over HTTP, on port 80 of the name (RFC 8555 §8.3)."""
    TLS_ALPN = "tls-alpn-01"
    """The authority asks for a special certificate, on port 443 of the name (RFC 8737)."""


def parse_dns_name(text: str) -> str:
    """Return a DNS name in lower case without a final dot; raises `ValueError`."""
    name = text.lower().rstrip(".")
    if name.startswith("*."):
        raise ValueError(f"{text!r}: a wildcard needs a DNS challenge, which only certbot can do")
    if not name.isascii():
        raise ValueError(f"{text!r}: write the name in its ASCII form (xn--...)")
    if len(name) > MAX_NAME_LENGTH or not DNS_NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not a public host name, such as ftp.example.com")
    return name


def parse_https_url(text: str) -> str:
    """Return an https URL; raises `ValueError`."""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ValueError(f"{text!r} is not an https URL")
    return text


def parse_email(text: str) -> str:
    """Return an e-mail address; raises `ValueError`."""
    if not EMAIL.fullmatch(text):
        raise ValueError(f"{text!r} is not an e-mail address")
    return text


@dataclass(frozen=True)
class AcmeSettings:
    """From which authority, for which names, and by which proof."""

    acme: tuple[str, ...] = setting(
        TEXTS,
        (),
        "Host name of the service for which to get a certificate by ACME, and to renew it; all "
        "names share one certificate. Needs acme-agree-tos and a data-dir.",
        parse_dns_name,
        example='["ftp.example.com"]',
    )
    acme_agree_tos: bool = setting(
        FLAG, False, "Agree to the terms of service of the authority of acme-directory."
    )
    acme_email: str | None = setting(
        TEXT, None, "E-mail address that the authority may write to.", parse_email
    )
    acme_directory: str = setting(
        TEXT,
        "https://acme-v02.api.letsencrypt.org/directory",
        "URL of the ACME directory of the authority.",
        parse_https_url,
    )
    acme_ca_file: str | None = setting(
        TEXT,
        None,
        "PEM file with the authorities that acme-directory's own certificate is checked against "
        "(default: those of public web sites).",
    )
    acme_eab_key_id: str | None = setting(
        TEXT,
        None,
        "Identifier of your account with an authority that wants external account binding; needs "
        "acme-eab-key-file.",
    )
    acme_eab_key_file: str | None = setting(
        TEXT,
        None,
        "File with the HMAC key of that account, in base64url as the authority shows it; "
        "mode 0600.",
    )
    acme_challenge: AcmeChallenge = setting(
        TEXT,
        "http-01",
        "How the service proves that it controls the names: http-01 (port 80) or tls-alpn-01 "
        "(port 443).",
        enum_parser(AcmeChallenge),
    )
    acme_http: tuple[str, ...] = setting(
        TEXTS,
        ("tcp:80",),
        "Endpoint where the authority's requests for http-01 arrive.",
        parse_listen_address,
        example='["tcp:80"]',
    )
    acme_tls: tuple[str, ...] = setting(
        TEXTS,
        ("tcp:443",),
        "Endpoint where the authority's connections for tls-alpn-01 arrive.",
        parse_listen_address,
        example='["tcp:443"]',
    )

    @property
    def acme_listen(self) -> tuple[str, tuple[str, ...]]:
        """The option and the endpoints of the challenge in use."""
        if self.acme_challenge is AcmeChallenge.HTTP:
            return "acme-http", self.acme_http
        return "acme-tls", self.acme_tls

    def check_acme(self, offers_tls: bool, has_certificate: bool, data_dir: str | None) -> None:
        """Raise `SettingsConflict` if the service could get no certificate with these settings."""
        if not self.acme_agree_tos:
            raise SettingsConflict(
                "--acme: read the terms of service of the authority (for Let's Encrypt: "
                "https://letsencrypt.org/repository/) and agree to them with --acme-agree-tos"
            )
        if not offers_tls:
            raise SettingsConflict("--acme needs TLS: remove --tls off")
        if has_certificate:
            raise SettingsConflict("--acme and --certificate: give one of them")
        if data_dir is None:
            raise SettingsConflict("--acme needs --data-dir, where it keeps keys and certificate")
        if (self.acme_eab_key_id is None) != (self.acme_eab_key_file is None):
            raise SettingsConflict("--acme-eab-key-id and --acme-eab-key-file: give both or none")
        if len(self.acme) > MAX_NAMES:
            raise SettingsConflict(f"--acme: at most {MAX_NAMES} names fit into one certificate")
