"""The settings of an HTTP service as a store of accounts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from ftpservice.accounts.external.account_terms import COMMON_KEYS, AccountTerms, terms_of
from ftpservice.accounts.external.store_string import (
    BadStoreString,
    StoreString,
    is_loopback,
    parse_store_string,
    tls_context,
)

__all__ = ["HTTP_KEYS", "HTTPSettings", "http_settings"]

PORTS = {"http": 80, "https": 443}
HTTP_KEYS = ("token-file", "ca", "plaintext", "watch", *COMMON_KEYS)


@dataclass(frozen=True)
class HTTPSettings:
    """Everything that a request needs to know of the service."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    """None for plaintext."""
    token_file: str | None
    terms: AccountTerms
    cache_seconds: float
    watches: bool
    """Whether the service is asked for the accounts of sessions that run."""

    @property
    def place(self) -> str:
        """The URL, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "http" if self.tls is None else "https"
        port = "" if self.port == PORTS[scheme] else f":{self.port}"
        return f"{scheme}://{host}{port}{self.path.partition('?')[0]}"


def http_settings(text: str) -> HTTPSettings:
    """Parse a store string (may read files); raises `BadStoreString`."""
    described = parse_store_string(text, "url", HTTP_KEYS)
    try:
        parts = urlsplit(described.target)
        port = parts.port
    except ValueError as error:
        raise BadStoreString(f"{described.target!r}: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadStoreString(f"{described.target!r} is not a URL such as https://host/login")
    if parts.username is not None:
        raise BadStoreString("a URL must not have a password; use 'token-file'")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    if not (path.isascii() and path.isprintable()) or " " in path:
        raise BadStoreString(f"the path {path!r} must be percent-encoded")
    return HTTPSettings(
        parts.hostname,
        port or PORTS[parts.scheme],
        path,
        _tls(described, parts.scheme, parts.hostname),
        described.path("token-file"),
        terms_of(described, needs_rights=False),
        described.seconds("cache"),
        described.word("watch", ("on", "off")) == "on",
    )


def _tls(described: StoreString, scheme: str, host: str) -> ssl.SSLContext | None:
    is_allowed = described.word("plaintext", ("allowed",)) is not None
    if scheme == "https":
        return tls_context(described)
    if not is_loopback(host) and not is_allowed:
        raise BadStoreString(
            "passwords would be sent in plaintext: use https, or plaintext=allowed"
        )
    return None
