"""From the greeting to a session in which files can be moved (RFC 959 §5.4, RFC 4217)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftpservice.net.tls.client import ClientTLS
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.wire import codes
from ftpservice_client.errors import (
    AuthenticationFailed,
    ServerRefused,
    Unsupported,
    login_error_text,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataChannels
from ftpservice_client.ftp.features import Features, parse_features
from ftpservice_client.ftp.reply_errors import error_for_greeting
from ftpservice_client.link.tls import verify_pin
from ftpservice_client.settings import ExplicitTLS, Settings
from ftpservice_client.urls import Destination, Scheme

__all__ = ["LoginSequence"]


ANONYMOUS_USERS = ("anonymous", "ftp")


@dataclass
class LoginSequence:
    """What is said before the first command of a caller: `begin`, then `finish`."""

    control: ControlConnection
    calls: DataChannels
    destination: Destination
    settings: Settings
    tls: ClientTLS | None
    """None where nothing is secured."""
    secured: bool = False
    """Whether the control connection is under TLS."""
    welcome: tuple[str, ...] = ()
    """The lines of the server's greeting."""

    async def begin(self) -> None:
        """Do what comes before the name; raises `CertificateNotTrusted`, `Unsupported`, `Cut`."""
        if self.destination.scheme is Scheme.FTPS:
            await self._secure()
        greeting = await self.control.reply_to(self.control.greeting)
        if greeting.code >= 400:
            raise error_for_greeting(greeting)
        self.welcome = greeting.lines
        if not self.secured and self.tls is not None:
            await self._ask_for_tls()

    async def finish(self) -> Features:
        """Log in; returns what the server can do.

        Raises `AuthenticationFailed`, `Unsupported`, `Cut`.
        """
        await self._name()
        if self.secured:
            await self._protect_data()
        await self.control.expect("TYPE I")
        return await self._features()

    async def _ask_for_tls(self) -> None:
        reply = await self.control.ask("AUTH TLS")
        if reply.code == codes.SECURITY_EXCHANGE_OK:
            await self._secure()
        elif not self._is_optional:
            raise Unsupported(f"the server has no TLS: {reply.lines[-1]}")

    @property
    def _is_optional(self) -> bool:
        """Whether it is done without TLS where the server has none."""
        preferred = self.settings.explicit_tls is ExplicitTLS.PREFER
        return self.destination.scheme is Scheme.FTP and preferred

    async def _secure(self) -> None:
        assert self.tls is not None
        await self.control.secure(self.tls)
        transport: Any = self.control.transport
        assert isinstance(transport, TLSTransport)
        verify_pin(self.settings.trust, transport.peer_certificate)
        self.secured = True

    async def _name(self) -> None:
        user = self.destination.user or "anonymous"
        reply = await self.control.expect(f"USER {user}")
        if reply.code == codes.NEED_PASSWORD:
            password = self.destination.password
            if password is None:
                password = "anonymous@" if user in ANONYMOUS_USERS else ""
            elif self._needs_clear_text_warning(user):
                host = self.destination.host
                self.settings.emit_warning(
                    f"The password of {user} goes to {host} in clear: no TLS."
                )
            reply = await self.control.expect(f"PASS {password}")
        if reply.code >= 300:
            raise AuthenticationFailed(login_error_text(reply.lines[-1]), reply)

    def _needs_clear_text_warning(self, user: str) -> bool:
        """Tell whether the user may not know that the password is sent unencrypted."""
        asked = self.settings.explicit_tls is not ExplicitTLS.NEVER
        return asked and not self.secured and user not in ANONYMOUS_USERS

    async def _protect_data(self) -> None:
        clear = self.settings.data_in_clear
        await self.control.ask("PBSZ 0")
        try:
            await self.control.expect(f"PROT {'C' if clear else 'P'}")
        except (ServerRefused, Unsupported) as error:
            if not self._is_optional:
                text = f"the server does not protect data as is wished: {error}"
                raise Unsupported(text) from error
            self.settings.emit_warning("The server protects commands only; files go in clear.")
            clear = True
        self.calls.tls = None if clear else self.tls

    async def _features(self) -> Features:
        reply = await self.control.ask("FEAT")
        features = parse_features(reply) if reply.code < 400 else {}
        if "UTF8" in features:
            await self.control.ask("OPTS UTF8 ON")
        return features
