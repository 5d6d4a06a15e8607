"""Both sides of a TLS handshake, without transports."""

from __future__ import annotations

import ssl

from cryptography import x509

from tests.support.tls_endpoints import client_context, pair, shake


class Meeting:
    """A handshake between contexts of ours and a client's, carried out."""

    def __init__(self, contexts, client=None, data=False, name=None, session=None):
        own, other = pair()
        self.server = contexts.wrap(own, data=data)
        self.client = (client or client_context()).wrap_socket(
            other, do_handshake_on_connect=False, server_hostname=name, session=session
        )
        try:
            shake(self.server, self.client)
        except BaseException:
            self.close()
            raise

    def session(self):
        """Return the client's session, tickets read."""
        self.server.send(b"x")
        while True:
            try:
                self.client.recv(1)
                return self.client.session
            except ssl.SSLWantReadError:
                pass

    @property
    def certificate(self):
        return x509.load_der_x509_certificate(self.client.getpeercert(binary_form=True))

    def close(self):
        self.server.close()
        self.client.close()
