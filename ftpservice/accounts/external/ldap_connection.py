"""One connection to an LDAP server, with a deadline for everything; used in a thread.

ldap3 is used for the protocol only: its own checks of certificates, its reading of the schema and
its referrals are off. Messages of errors contain no password.
"""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.external.ldap_settings import LDAPServer

with warnings.catch_warnings():  # pyasn1 warns of names that ldap3 still imports
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPExceptionError
    from ldap3.utils.conv import escape_filter_chars
    from ldap3.utils.dn import escape_rdn, parse_dn

__all__ = [
    "LDAPConnection",
    "LDAPEntry",
    "LDAPExceptionError",
    "escape_filter_chars",
    "escape_rdn",
    "parse_dn",
]

SUCCESS, SIZE_LIMIT_EXCEEDED, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 0, 4, 32, 49
PAGED_RESULTS = "1.2.840.113556.1.4.319"
"""The control of RFC 2696."""
PAGE_ENTRIES = 500
REFUSALS = frozenset({19, NO_SUCH_OBJECT, 34, 48, INVALID_CREDENTIALS, 50, 53})
"""Results of a bind that refuse this name and password: constraint violation, no such object,
invalid DN, inappropriate authentication, invalid credentials, insufficient rights, unwilling to
perform."""


@dataclass(frozen=True)
class LDAPEntry:
    """An entry of the directory."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]
    """By name in lower case."""

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return the values of an attribute as text."""
        values = self.attributes.get(attribute.lower(), ())
        return tuple(value.decode("utf-8", "replace") for value in values)


class VerifyingTls(ldap3.Tls):  # type: ignore[misc]
    """TLS with Python's own verification of chain and host name."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._host = host

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002
        """Replace the socket of a connection by a verified one; called by ldap3."""
        _send_at_once(connection.socket)
        connection.socket = self._context.wrap_socket(
            connection.socket, server_hostname=self._host, do_handshake_on_connect=True
        )


class LDAPConnection:
    """A connection; ``seconds_left`` returns the time left, and raises `TimeoutError` after it.

    Every method raises `StoreUnavailable`.
    """

    def __init__(
        self,
        server: LDAPServer,
        tls: ssl.SSLContext,
        starts_tls: bool,
        seconds_left: Callable[[], float],
    ) -> None:
        self._name = str(server)
        self._seconds_left = seconds_left
        described = ldap3.Server(
            server.host,
            server.port,
            use_ssl=server.is_tls,
            tls=VerifyingTls(tls, server.host),
            get_info=ldap3.NONE,
            connect_timeout=self._left(),
        )
        self._connection = ldap3.Connection(
            described,
            client_strategy=ldap3.SYNC,
            auto_referrals=False,
            check_names=False,
            auto_range=False,
            read_only=True,
        )
        try:
            self._open(starts_tls and not server.is_tls)
        except StoreUnavailable:
            self._close()
            raise

    def __enter__(self) -> LDAPConnection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def bind(self, dn: str, password: bytes) -> str | None:
        """Bind with a password, which is not empty; return None, or why the server refuses it."""
        if not dn or not password:
            raise ValueError("a bind without name or password is anonymous")
        connection = self._connection
        connection.user, connection.password = dn, password
        connection.authentication = ldap3.SIMPLE
        try:
            code, text = self._run(lambda: connection.bind(read_server_info=False))
        finally:
            connection.password = None
        if code == SUCCESS:
            return None
        if code in REFUSALS:
            return text
        raise StoreUnavailable(f"{self._name}: bind: {text}")

    def search(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str] = (),
        only_base: bool = False,
        most: int = 2,
    ) -> list[LDAPEntry]:
        """Return up to ``most`` entries; none if ``only_base`` is set and the base is missing."""
        scope = ldap3.BASE if only_base else ldap3.SUBTREE
        names = list(attributes) or ["1.1"]
        code, text = self._run(
            lambda: self._connection.search(
                base, filter_text, scope, attributes=names, size_limit=most, time_limit=3
            )
        )
        if code == NO_SUCH_OBJECT and only_base:
            return []
        if code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
            raise StoreUnavailable(f"{self._name}: search in {base!r}: {text}")
        return [_entry(found) for found in self._connection.response or () if _is_entry(found)]

    def search_all(
        self, base: str, filter_text: str, attributes: Sequence[str]
    ) -> tuple[list[LDAPEntry], bool]:
        """Return all entries, read in pages (RFC 2696), and whether no limit cut them off."""
        entries: list[LDAPEntry] = []
        cookie: bytes | None = None
        while True:
            search = partial(
                self._connection.search,
                base,
                filter_text,
                ldap3.SUBTREE,
                attributes=list(attributes),
                paged_size=PAGE_ENTRIES,
                paged_cookie=cookie,
            )
            code, text = self._run(search)
            if code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
                raise StoreUnavailable(f"{self._name}: search in {base!r}: {text}")
            response = self._connection.response or ()
            entries += [_entry(found) for found in response if _is_entry(found)]
            controls = (self._connection.result or {}).get("controls") or {}
            cookie = controls.get(PAGED_RESULTS, {}).get("value", {}).get("cookie")
            if code == SIZE_LIMIT_EXCEEDED or not cookie:
                return entries, code == SUCCESS

    def _open(self, starts_tls: bool) -> None:
        self._run(lambda: self._connection.open(read_server_info=False))
        if starts_tls:
            self._run(lambda: self._connection.start_tls(read_server_info=False))
            if not self._connection.tls_started:
                raise StoreUnavailable(f"{self._name}: the server refuses StartTLS")
        else:
            _send_at_once(self._connection.socket)

    def _close(self) -> None:
        connected, self._connection.socket = self._connection.socket, None
        if connected is not None:
            connected.close()

    def _left(self) -> float:
        try:
            return self._seconds_left()
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._name}: {error}") from None

    def _run(self, operation: Callable[[], object]) -> tuple[int, str]:
        """Run an operation; return its result code, and its result in words."""
        left, connected = self._left(), self._connection.socket
        if connected is not None:
            connected.settimeout(left)
        try:
            operation()
        except (LDAPExceptionError, OSError, ValueError) as error:
            raise StoreUnavailable(f"{self._name}: {_words(error)}") from None
        result = self._connection.result or {}
        text = str(result.get("description") or self._connection.last_error)
        message = result.get("message")
        return int(result.get("result", 0)), f"{text}: {message}" if message else text


def _send_at_once(connected: Any) -> None:
    """Switch Nagle's algorithm off: TLS would wait 40 ms for it."""
    with suppress(OSError):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _words(error: Exception) -> str:
    """Return what an error says; ldap3 puts messages into tuples, and these into others."""
    text = str(error.args[-1]) if error.args else type(error).__name__
    while text.startswith("(") and text.endswith(",)"):
        text = text[1:-2].replace("\\'", "'").strip("'\"")
    return text


def _is_entry(found: Mapping[str, Any]) -> bool:
    return bool(found.get("type") == "searchResEntry")


def _entry(found: Mapping[str, Any]) -> LDAPEntry:
    attributes = {name.lower(): values for name, values in found["raw_attributes"].items()}
    return LDAPEntry(found["dn"], attributes)
