"""The settings of an LDAP directory as a store of accounts."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from ftpservice.accounts.external.account_terms import (
    ACCOUNT_KEYS,
    COMMON_KEYS,
    AccountTerms,
    terms_of,
)
from ftpservice.accounts.external.group_terms import (
    GroupTerms,
    parse_group_terms,
    require_defined,
)
from ftpservice.accounts.external.store_string import (
    BadStoreString,
    StoreString,
    is_loopback,
    parse_store_string,
    tls_context,
)

__all__ = [
    "DN_FIELD",
    "LDAP_KEYS",
    "MEMBER_OF",
    "USER_FIELD",
    "LDAPServer",
    "LDAPSettings",
    "ldap_settings",
]

SCHEMES = {"ldap": 389, "ldaps": 636}
USER_FIELD, DN_FIELD = "{user}", "{dn}"
MEMBER_OF = "memberOf"
DEFAULT_FILTER = "(uid={user})"
DEFAULT_NAME_ATTRIBUTE = "uid"
DEFAULT_GROUP_FILTER = "(|(member={dn})(uniqueMember={dn})(memberUid={user}))"
ATTRIBUTE_OPTIONS = tuple(key for key in ACCOUNT_KEYS if key != "mount")
"""A mount names a storage, which is for the settings."""
ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9;-]*|[0-9]+(\.[0-9]+)+")
LDAP_KEYS = (
    *("server", "starttls", "ca", "bind", "base", "filter", "name", "service-dn"),
    *("service-password-file", "group", "group-filter", "attribute", *COMMON_KEYS),
)


@dataclass(frozen=True)
class LDAPServer:
    """One server of a directory."""

    host: str
    port: int
    is_tls: bool
    """Whether TLS begins with the first byte."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.is_tls else 'ldap'}://{host}:{self.port}"


@dataclass(frozen=True)
class LDAPSettings:
    """Everything that a login needs to know of a directory."""

    servers: tuple[LDAPServer, ...]
    starts_tls: bool
    tls: ssl.SSLContext
    bind: str | None
    """The template of the name to bind as, with ``{user}``; None to search first."""
    base: str | None
    filter: str
    name_attribute: str
    service_dn: str | None
    service_password_file: str | None
    groups: tuple[GroupTerms, ...]
    group_filter: str
    attributes: tuple[tuple[str, str], ...]
    """Options of an account, and the attribute with their value."""
    terms: AccountTerms
    cache_seconds: float

    @property
    def place(self) -> str:
        """The servers, for messages."""
        return " ".join(map(str, self.servers))

    @property
    def wanted_attributes(self) -> tuple[str, ...]:
        """The attributes to read of an entry."""
        groups = (MEMBER_OF,) if self.groups else ()
        return (self.name_attribute, *groups, *(name for _, name in self.attributes))


def ldap_settings(text: str) -> LDAPSettings:
    """Parse a store string (may read files); raises `BadStoreString`."""
    described = parse_store_string(text, "url", LDAP_KEYS)
    servers = [_server(described.target), *map(_server, described.many("server"))]
    terms = terms_of(described, needs_rights=not described.many("group"))
    settings = LDAPSettings(
        tuple(servers),
        _starts_tls(described, servers),
        tls_context(described),
        described.one("bind"),
        described.one("base"),
        described.one("filter") or DEFAULT_FILTER,
        described.one("name") or DEFAULT_NAME_ATTRIBUTE,
        described.one("service-dn"),
        described.path("service-password-file"),
        tuple(map(_group, described.many("group"))),
        described.one("group-filter") or DEFAULT_GROUP_FILTER,
        tuple(map(_attribute, described.many("attribute"))),
        terms,
        described.seconds("cache"),
    )
    _require_consistent(settings)
    require_defined(settings.groups, terms)
    return settings


def _require_consistent(settings: LDAPSettings) -> None:
    if settings.bind is None and settings.base is None:
        raise BadStoreString("'base' is missing, to search for names; or give 'bind'")
    if settings.bind is not None and USER_FIELD not in settings.bind:
        raise BadStoreString(f"'bind' has no {USER_FIELD}, as in uid={USER_FIELD},ou=people,dc=…")
    if settings.bind is not None and "=" not in settings.bind and settings.base is None:
        raise BadStoreString("'base' is missing: 'bind' is no DN, so the entry must be searched")
    if USER_FIELD not in settings.filter:
        raise BadStoreString(f"'filter' has no {USER_FIELD}, as in (uid={USER_FIELD})")
    if not ATTRIBUTE_NAME.fullmatch(settings.name_attribute):
        raise BadStoreString(f"'name' is an attribute such as uid, not {settings.name_attribute!r}")
    if (settings.service_dn is None) is not (settings.service_password_file is None):
        raise BadStoreString("'service-dn' and 'service-password-file' belong together")


def _server(text: str) -> LDAPServer:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadStoreString(f"{text!r}: {error}") from None
    if parts.password is not None or parts.username is not None:
        raise BadStoreString("a URL must not have a password; use 'service-password-file'")
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadStoreString(f"{text!r} is not a URL such as ldap://ldap.example.org")
    return LDAPServer(parts.hostname, port or SCHEMES[parts.scheme], parts.scheme == "ldaps")


def _starts_tls(described: StoreString, servers: list[LDAPServer]) -> bool:
    word = described.word("starttls", ("on", "off"))
    if word is not None:
        return word == "on"
    return not all(is_loopback(server.host) for server in servers)


def _group(text: str) -> GroupTerms:
    terms = parse_group_terms(text, "DN")
    if "=" not in terms.name:
        raise BadStoreString(f"'group' is DN: RIGHTS or DN: RIGHTS: ROOT, not {text!r}")
    return terms


def _attribute(text: str) -> tuple[str, str]:
    option, _, attribute = (word.strip() for word in text.partition(":"))
    if option not in ATTRIBUTE_OPTIONS:
        known = ", ".join(ATTRIBUTE_OPTIONS)
        raise BadStoreString(f"'attribute': unknown option {option!r} ({known})")
    if not ATTRIBUTE_NAME.fullmatch(attribute):
        raise BadStoreString(f"'attribute' is OPTION: ATTRIBUTE, not {text!r}")
    return option, attribute
