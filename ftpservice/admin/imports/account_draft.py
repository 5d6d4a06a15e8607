"""One account on its way from another program: what is carried over, and what is lost.

The rule for what is lost: a value that only limits consumption (quota, rate, ratio) is a warning;
whatever would let an account do more than before, or at other times or from other places, locks it.
Both are reported with their reason.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.defence.networks import Network
from ftpservice.accounts.groups.group_names import GROUP_HASH, GROUP_MARK, is_group
from ftpservice.accounts.groups.home_template import fill_template
from ftpservice.accounts.passwd_line import check_name, parse_root
from ftpservice.accounts.password_hash import DecoyHashes, check_hash
from ftpservice.accounts.storage_problems import check_storages
from ftpservice.storage.rights import PRESETS, Right

__all__ = ["AccountDraft", "ImportOptions", "ImportedAccount", "whole_number"]

MAX_NETWORKS = 200
"""How many networks may describe the addresses that are left when some are refused."""
EVERYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
NUMBER = re.compile(r"[0-9]{1,18}")
SCHEME_PREFIX = re.compile(r"\{[A-Z0-9.-]+\}(?=\$)")
"""Dovecot and LDAP write ``{CRYPT}$6$...``."""
UNUSABLE_HASHES = DecoyHashes()


@dataclass(frozen=True)
class ImportOptions:
    """How to carry accounts over."""

    root: str | None = None
    """The root of every account, with ``{user}`` for its name; None for its home directory."""
    service_root: str | None = None
    """The directory that the service serves: homes in it become paths."""
    rights: frozenset[Right] = PRESETS["full"]
    """The rights of accounts whose program has none."""


@dataclass(frozen=True)
class ImportedAccount:
    """An account that can be added."""

    place: str
    """Where it was found: ``line 3``."""
    record: AccountRecord
    warnings: tuple[str, ...]
    locks: tuple[str, ...]
    """Why it is locked; empty if it is not."""


@dataclass
class AccountDraft:
    """An account that is being read; every method raises `ValueError` if it cannot be used."""

    place: str
    name: str
    options: ImportOptions
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Report something that is not carried over."""
        self.warnings.append(text)

    def lock(self, reason: str) -> None:
        """Import the account locked."""
        self.locks.append(reason)

    def set_hash(self, hashed: str) -> None:
        """Keep a password hash; lock the account if it cannot be verified."""
        hashed = SCHEME_PREFIX.sub("", hashed)
        try:
            check_hash(hashed)
        except ValueError as error:
            self.set_no_password(f"{error}; set a new one")
        else:
            self.values["password_hash"] = hashed

    def set_no_password(self, reason: str) -> None:
        """Lock the account, with a hash that no password matches."""
        self.values["password_hash"] = UNUSABLE_HASHES.hash_for(self.name)
        self.lock(reason)

    def set_home(self, home: str) -> None:
        """Set the root from a home directory, or from the option for it."""
        if self.options.root is not None:
            self.values["root"] = self._root_from_option(self.options.root)
            return
        if not home.startswith("/"):
            raise ValueError(f"the home directory {home!r} is not an absolute path; give --root")
        if ".." in home.split("/"):
            raise ValueError(f"the home directory {home!r} contains '..'")
        path = _normal(home)
        if path == "/":
            self.lock("its home is the root directory of the machine")
        served = _normal(self.options.service_root) if self.options.service_root else None
        if served is not None and (path == served or path.startswith(served.rstrip("/") + "/")):
            self.values["root"] = parse_root(path.removeprefix(served.rstrip("/")))
        else:
            escaped = path.replace("\\", "\\\\").replace(":", "\\:")
            self.values["root"] = parse_root(f"local:{escaped}")

    def set_networks(self, allowed: Iterable[str], refused: Iterable[str]) -> None:
        """Set the networks of logins: all of ``allowed`` (all addresses if none) but ``refused``.

        Locks the account if that cannot be represented: a host name, or too many networks.
        """
        try:
            accepted = [_network(text) for text in allowed]
            denied = [_network(text) for text in refused]
        except ValueError as error:
            self.lock(f"its addresses cannot be represented: {error}")
            return
        if not accepted and not denied:
            return
        left = list(accepted or EVERYWHERE)
        for network in denied:
            left = [part for whole in left for part in _without(whole, network)]
            if len(left) > MAX_NETWORKS:
                self.lock("its refused addresses need too many networks to represent")
                return
        if not left:
            self.lock("no address is left from which it may log in")
            return
        if denied:
            self.warn("refused addresses are written as the networks that are left")
        self.values["networks"] = tuple(left)

    def finished(self) -> ImportedAccount:
        """Return the account."""
        check_name(self.name)
        if is_group(self.name) and self.values.get("password_hash") != GROUP_HASH:
            raise ValueError(f"a name that begins with {GROUP_MARK!r} is that of a group")
        self.values.setdefault("rights", self.options.rights)
        record = AccountRecord(name=self.name, disabled=bool(self.locks), **self.values)
        check_storages(record)
        return ImportedAccount(self.place, record, tuple(self.warnings), tuple(self.locks))

    def _root_from_option(self, template: str) -> str:
        return parse_root(fill_template(template, self.name, None))


def whole_number(text: str, subject: str) -> int:
    """Return a number, 0 for an empty text; raises `ValueError`."""
    if not text:
        return 0
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{subject}: expected a number")
    return int(text)


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _network(text: str) -> Network:
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _without(whole: Network, part: Network) -> Iterable[Network]:
    """Return what is left of a network without another."""
    if isinstance(whole, IPv4Network) and isinstance(part, IPv4Network):
        if whole.subnet_of(part):
            return []
        return whole.address_exclude(part) if part.subnet_of(whole) else [whole]
    if isinstance(whole, IPv6Network) and isinstance(part, IPv6Network):
        if whole.subnet_of(part):
            return []
        return whole.address_exclude(part) if part.subnet_of(whole) else [whole]
    return [whole]
