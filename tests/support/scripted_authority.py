"""An ACME authority in memory, for tests with a fake clock; the real one is `tests.support.pebble`.

It issues real certificates, checks challenges at the responder, and refuses what a test wants.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from acme import messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from josepy.b64 import b64encode

from ftpservice.service.acme.authority_error import AuthorityError

__all__ = ["ScriptedAuthority", "refused", "unreachable"]

ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scripted")])


class ScriptedAuthority:
    """What `ftpservice.service.acme.authority.Authority` is to its callers.

    ``answers`` returns what the responder serves for a name and a token; ``seconds`` is the time.
    """

    def __init__(
        self, answers: Callable[[str, str], str | None], seconds: Callable[[], float]
    ) -> None:
        self._answers = answers
        self._seconds = seconds
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.lifetime = 90 * 86_400.0
        self.challenge_types = ["http-01", "dns-01", "tls-alpn-01"]
        self.calls: list[str] = []
        self.failures: dict[str, list[Exception]] = {}
        """The errors of the next calls of a method."""
        self.suggestion: tuple[float | None, float] = (None, 0.0)
        self.wrong_key: ec.EllipticCurvePrivateKey | None = None
        """Another key to certify than that of the request."""
        self.omitted_names: set[str] = set()
        self.orders: dict[str, dict[str, Any]] = {}
        self._requests: dict[str, x509.CertificateSigningRequest] = {}
        self._certificates: dict[str, bytes] = {}
        self._authorizations: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self.is_slow = False
        """Whether what is pending or processing stays so."""
        self.connections = 0

    def _call(self, name: str) -> None:
        self.calls.append(name)
        failures = self.failures.get(name)
        if failures:
            raise failures.pop(0)

    def opened(self) -> ScriptedAuthority:
        """Count a connection."""
        self.connections += 1
        return self

    def close(self) -> None:
        """Count it no longer."""
        self.connections -= 1

    def register(self) -> None:
        """Accept the account."""
        self._call("register")

    def key_authorization(self, token: str) -> str:
        """Return the expected answer."""
        return f"{token}.thumbprint"

    def new_order(self, csr: bytes) -> messages.OrderResource:
        """Make an order and its authorizations."""
        self._call("new_order")
        request = x509.load_pem_x509_csr(csr)
        names = request.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName)
        url = f"https://ca.example/order/{next(self._numbers)}"
        self._requests[url] = request
        self.orders[url] = {
            "status": "pending",
            "identifiers": [{"type": "dns", "value": name} for name in names],
            "authorizations": [self._new_authorization(name) for name in names],
            "finalize": f"{url}/finalize",
        }
        return self._resource(url, csr)

    def _new_authorization(self, name: str) -> str:
        number = next(self._numbers)
        url = f"https://ca.example/authorization/{number}"
        token = b64encode(number.to_bytes(32)).decode()
        self._authorizations[url] = {
            "status": "pending",
            "identifier": {"type": "dns", "value": name},
            "challenges": [
                {"type": kind, "token": token, "url": f"{url}/{kind}", "status": "pending"}
                for kind in self.challenge_types
            ],
        }
        return url

    def _resource(self, url: str, csr: bytes) -> messages.OrderResource:
        body = messages.Order.from_json(self.orders[url])
        found = [self._authorization(one) for one in body.authorizations]
        return messages.OrderResource(body=body, uri=url, csr_pem=csr, authorizations=found)

    def _authorization(self, url: str) -> messages.AuthorizationResource:
        body = messages.Authorization.from_json(self._authorizations[url])
        return messages.AuthorizationResource(body=body, uri=url)

    def known_order(self, url: str, csr: bytes) -> messages.OrderResource | None:
        """Return an order, or None."""
        self._call("known_order")
        return self._resource(url, csr) if url in self.orders else None

    def authorization(self, url: str) -> messages.AuthorizationResource:
        """Return an authorization."""
        self._call("authorization")
        return self._authorization(url)

    def answer(self, challenge: messages.ChallengeBody) -> None:
        """Check a challenge."""
        self._call("answer")
        if self.is_slow:
            return
        url, _, kind = challenge.uri.rpartition("/")
        found = self._authorizations[url]
        name = found["identifier"]["value"]
        (one,) = (one for one in found["challenges"] if one["type"] == kind)
        is_right = self._answers(name, one["token"]) == self.key_authorization(one["token"])
        one["status"] = found["status"] = "valid" if is_right else "invalid"
        if not is_right:
            problem = {"type": "urn:ietf:params:acme:error:connection", "detail": "refused"}
            one["error"] = problem
        for order in self.orders.values():
            statuses = {self._authorizations[each]["status"] for each in order["authorizations"]}
            if statuses == {"valid"} and order["status"] == "pending":
                order["status"] = "ready"
            elif "invalid" in statuses:
                order["status"] = "invalid"

    def current_order(self, order: messages.OrderResource) -> messages.OrderResource:
        """Return an order as it is now."""
        self._call("current_order")
        return order.update(body=messages.Order.from_json(self.orders[order.uri]))

    def finalize(self, order: messages.OrderResource) -> messages.OrderResource:
        """Issue the certificate."""
        self._call("finalize")
        self.orders[order.uri] |= {"status": "valid", "certificate": f"{order.uri}/certificate"}
        self._certificates[order.uri] = self._issued(self._requests[order.uri])
        body = messages.Order.from_json(self.orders[order.uri] | {"status": "processing"})
        return order.update(body=body)

    def _issued(self, request: x509.CertificateSigningRequest) -> bytes:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kept = [
            x509.DNSName(name)
            for name in names.get_values_for_type(x509.DNSName)
            if name not in self.omitted_names
        ]
        public = request.public_key() if self.wrong_key is None else self.wrong_key.public_key()
        begin = self._seconds()
        builder = (
            x509.CertificateBuilder(ISSUER, x509.Name([]), public)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(begin, UTC))
            .not_valid_after(datetime.fromtimestamp(begin + self.lifetime, UTC))
            .add_extension(x509.SubjectAlternativeName(kept), critical=False)
        )
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def certificate(self, order: messages.OrderResource) -> bytes:
        """Return the certificate."""
        self._call("certificate")
        return self._certificates[order.uri]

    def suggested_renewal(self, certificate: bytes) -> tuple[float | None, float]:
        """Return when to renew."""
        assert certificate.startswith(b"-----BEGIN CERTIFICATE")
        self._call("suggested_renewal")
        return self.suggestion


def refused(text: str = "no", retry_after: float = 0.0) -> AuthorityError:
    """Return a refusal."""
    return AuthorityError(text, "advice", retry_after=retry_after)


def unreachable() -> AuthorityError:
    """Return the error of an authority that is down."""
    return AuthorityError("down", "advice", is_unreachable=True)
