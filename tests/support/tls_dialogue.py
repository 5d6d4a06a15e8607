"""FTP sessions in memory with simulated TLS: only the transport is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ftpservice.accounts.account import ICertificateCredentials
from ftpservice.control import protocol as control
from ftpservice.data.data_tls import DataTLSContext
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.settings import SessionSettings
from ftpservice.session.tls_policy import TLSPolicy
from tests.support.ftp_dialogue import DialogueTransport, FTPDialogue

__all__ = ["AT_HAND", "TLSDialogue", "tls_dialogue"]

AT_HAND = cast(ServerTLS, object())
"""A placeholder for the certificates."""
COVER = cast(DataTLSContext, object())
"""A placeholder for the TLS context of data connections."""


class SecureTransport(DialogueTransport):
    """A transport that counts as encrypted after ``handshake``; it buffers writes before."""

    def __init__(self, former: DialogueTransport, secured: Callable[[], object]) -> None:
        super().__init__(former.getPeer().host)
        self.former = former
        self.names: frozenset[str] = frozenset()
        self.is_secured = False
        self._secured = secured

    def handshake(self, *names: str) -> None:
        self.names, self.is_secured = frozenset(names), True
        self._secured()


@implementer(ICredentialsChecker)
class CertificateChecker:
    """Accepts a certificate that names one of these accounts."""

    credentialInterfaces = (ICertificateCredentials,)

    def __init__(self, accounts: Sequence[str]) -> None:
        self.accounts = accounts

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        name = credentials.username.decode()
        if name in self.accounts and name in credentials.certificate_names:
            return succeed(credentials.username)
        return fail(UnauthorizedLogin())


class TLSDialogue(FTPDialogue):
    """A session of a factory with TLS; ``transport`` is the current one."""

    leaving: Deferred[Any] | None = None

    def __init__(
        self, policy: TLSPolicy | None = None, host: str = "127.0.0.1", implicit: bool = False
    ) -> None:
        self._implicit = implicit
        settings = SessionSettings(tls=policy or TLSPolicy(), anonymous=True)
        super().__init__(settings, host=host)

    def connect(self, host: str = "127.0.0.1") -> tuple[Any, DialogueTransport]:
        self.factory.tls = AT_HAND
        transport = DialogueTransport(host)
        protocol = self.factory.session(self._implicit)
        protocol.makeConnection(transport)
        return protocol, transport

    def replies(self) -> list[str]:
        lines = super().replies()
        if self.protocol.transport is not self.transport:
            self.transport = self.protocol.transport
            lines += super().replies()
        return lines

    def auth(self, mechanism: str = "TLS", *names: str) -> TLSDialogue:
        """Start TLS with a client certificate of these names."""
        self.replies()
        assert self.codes(f"AUTH {mechanism}") == [234]
        self.handshake(*names)
        return self

    def handshake(self, *names: str) -> None:
        """Complete the handshake."""
        self.replies()
        assert isinstance(self.transport, SecureTransport)
        self.transport.handshake(*names)

    def accept_certificates(self, *names: str) -> None:
        """Accept a certificate as login for these accounts."""
        self.factory.portal.registerChecker(CertificateChecker(names))

    @property
    def context(self) -> Any:
        return self.protocol.context


@pytest.fixture(name="secure")
def tls_dialogue(monkeypatch: pytest.MonkeyPatch) -> type[TLSDialogue]:
    """Replace TLS in the control protocol by a change of transports."""

    def clear(transport: Any) -> Deferred[Any]:
        cleared: Deferred[Any] = Deferred()
        TLSDialogue.leaving = cleared
        return cleared

    monkeypatch.setattr(control, "call_when_sent", lambda transport, call: call())
    monkeypatch.setattr(
        control,
        "start_server_tls",
        lambda former, tls, timeout, done: SecureTransport(former, done),
    )
    monkeypatch.setattr(
        control, "negotiated_tls", lambda transport: ("TLSv1.3 X", transport.names, COVER)
    )
    monkeypatch.setattr(
        control, "handshake_failed", lambda transport: not getattr(transport, "is_secured", True)
    )
    monkeypatch.setattr(control, "stop_tls", clear)
    return TLSDialogue
