"""The requests to a certificate authority, over PyPI's ``acme``. Every call here blocks.

A call takes bounded time and memory, whatever the authority does: see `BoundedAdapter`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from acme import challenges, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64encode
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ftpservice import __version__
from ftpservice.service.acme.authority_error import EXPECTED_ERRORS, authority_error

__all__ = ["AccountBinding", "Authority", "AuthorityAddress", "BoundedAdapter"]

CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 10.0, 20.0, 30.0
"""Time limits for the connection, for the next bytes, and for a whole answer."""
MAX_ANSWER_BYTES = 1024 * 1024
CHUNK_BYTES = 16 * 1024
NONCE_ATTEMPTS = 8
"""How often a request is sent whose nonce is refused; the library sends each of them twice."""


@dataclass(frozen=True)
class AccountBinding:
    """The account that a customer has with an authority (RFC 8555 §7.3.4)."""

    key_id: str
    key: str = field(repr=False)
    """The HMAC key, in base64url."""

    def signed(self, own: JWK, directory: messages.Directory) -> dict[str, Any]:
        """Return what a new account with the key ``own`` sends besides."""
        binding = messages.ExternalAccountBinding.from_data(
            own.public_key(), self.key_id, self.key, directory
        )
        return {"external_account_binding": binding}


@dataclass(frozen=True)
class AuthorityAddress:
    """Where an authority is, and who asks."""

    directory: str
    ca_file: str | None
    """The authorities that its own certificate is checked against; None: those of the web."""
    email: str | None
    binding: AccountBinding | None = None
    """None if the authority makes accounts for everybody."""


class BoundedAdapter(HTTPAdapter):
    """Reads an answer within a bounded time and size.

    The time limit of ``requests`` is that for the next bytes: an answer could take for ever.
    """

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # the names are those of the base class
        """Send a request; returns the answer with its content read."""
        deadline = time.monotonic() + ANSWER_SECONDS
        options |= {"stream": True, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        answer = super().send(request, **options)
        content = b""
        try:
            while chunk := answer.raw.read1(CHUNK_BYTES, decode_content=True):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    raise requests.ConnectionError("the answer is too long, or takes too long")
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error) from error
        except HTTPError as error:
            raise requests.ConnectionError(error) from error
        finally:
            answer.close()
        answer._content = content  # for `Response.content`
        return answer


class RetryingNetwork(ClientNetwork):
    """Repeats a request whose nonce was refused (RFC 8555 §6.5), and notes Retry-After."""

    def __init__(self, key: JWK, address: AuthorityAddress) -> None:
        verify: Any = True if address.ca_file is None else address.ca_file
        agent = f"ftpservice/{__version__} acme-python"
        super().__init__(key, alg=ES256, verify_ssl=verify, user_agent=agent)
        self._url = address.directory
        self._retry_after = 0.0
        self.session.mount("https://", BoundedAdapter())
        self.session.mount("http://", BoundedAdapter())
        self.session.hooks["response"].append(self._note_retry_after)

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a signed request."""
        for _ in range(NONCE_ATTEMPTS - 1):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise `AuthorityError` instead of what the library raises."""
        self._retry_after = 0.0
        try:
            yield
        except EXPECTED_ERRORS as error:
            raise authority_error(error, self._url, self._retry_after) from None

    def _note_retry_after(self, answer: requests.Response, **_options: Any) -> None:
        self._retry_after = _seconds(answer.headers.get("Retry-After"))


class Authority:
    """One connection to an authority, used by one thread at a time.

    Every method raises `AuthorityError`.
    """

    def __init__(self, address: AuthorityAddress, key: ec.EllipticCurvePrivateKey) -> None:
        self._address = address
        self._key = JWKEC(key=key)
        self._network = RetryingNetwork(self._key, address)
        self._found: ClientV2 | None = None

    @property
    def _client(self) -> ClientV2:
        if self._found is None:
            directory = ClientV2.get_directory(self._address.directory, self._network)
            self._found = ClientV2(directory, self._network)
        return self._found

    def close(self) -> None:
        """Close the connections."""
        self._network.session.close()

    def read_directory(self) -> None:
        """Read the directory, and nothing else."""
        with self._network.errors():
            _ = self._client

    def register(self) -> None:
        """Log in with the key; the account is made if there is none."""
        email = self._address.email
        contact = {"contact": (f"mailto:{email}",)} if email is not None else {}
        with self._network.errors():
            binding = self._address.binding
            bound = {} if binding is None else binding.signed(self._key, self._client.directory)
            try:
                wanted = messages.NewRegistration(terms_of_service_agreed=True, **contact, **bound)
                self._client.new_account(wanted)
            except errors.ConflictError as known:
                account = messages.RegistrationResource(
                    uri=known.location, body=messages.Registration()
                )
                self._network.account = account
                if contact:
                    self._client.update_registration(account, messages.Registration(**contact))

    def new_order(self, csr: bytes) -> messages.OrderResource:
        """Order a certificate for a signing request in PEM."""
        with self._network.errors():
            return self._client.new_order(csr)

    def known_order(self, url: str, csr: bytes) -> messages.OrderResource | None:
        """Return an earlier order; None if the authority no longer knows it."""
        with self._network.errors():
            try:
                body = messages.Order.from_json(self._get(url).json())
            except messages.Error:
                return None
            order = messages.OrderResource(body=body, uri=url, csr_pem=csr, authorizations=[])
            found = [self.authorization(one) for one in body.authorizations or ()]
            return order.update(authorizations=found)  # type: ignore[no-any-return]

    def current_order(self, order: messages.OrderResource) -> messages.OrderResource:
        """Return the order as it is now."""
        with self._network.errors():
            body = messages.Order.from_json(self._get(order.uri).json())
            return order.update(body=body)  # type: ignore[no-any-return]

    def authorization(self, url: str) -> messages.AuthorizationResource:
        """Return an authorization as it is now."""
        with self._network.errors():
            body = messages.Authorization.from_json(self._get(url).json())
            return messages.AuthorizationResource(body=body, uri=url)

    def key_authorization(self, token: str) -> str:
        """Return what proves that a challenge is answered by us (RFC 8555 §8.1)."""
        return f"{token}.{b64encode(self._key.thumbprint()).decode()}"

    def answer(self, challenge: messages.ChallengeBody) -> None:
        """Tell the authority that it can check a challenge."""
        with self._network.errors():
            self._client.answer_challenge(challenge, challenges.HTTP01Response())

    def finalize(self, order: messages.OrderResource) -> messages.OrderResource:
        """Ask for the certificate of an order that is ready."""
        with self._network.errors():
            return self._client.begin_finalization(order)

    def certificate(self, order: messages.OrderResource) -> bytes:
        """Return the certificate of a valid order and its chain, in PEM."""
        with self._network.errors():
            return self._get(order.body.certificate or "").content

    def suggested_renewal(self, certificate: bytes) -> tuple[float | None, float]:
        """Return when to renew a certificate, and when to ask again (RFC 9773).

        In seconds since the epoch; the first is None if the authority suggests no time.
        """
        with self._network.errors():
            suggested, again = self._client.renewal_time(certificate)
            return None if suggested is None else suggested.timestamp(), again.timestamp()

    def _get(self, url: str) -> requests.Response:
        """Send a signed request for a resource (POST-as-GET)."""
        new_nonce = self._client.directory["newNonce"]
        return self._network.post(url, None, new_nonce_url=new_nonce)


def _seconds(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header, 0 without a usable one."""
    if not retry_after:
        return 0.0
    try:
        if retry_after.isdigit():
            return float(retry_after)
        when = parsedate_to_datetime(retry_after)
        return max(0.0, (when - datetime.now(when.tzinfo)).total_seconds())
    except (ValueError, OverflowError):
        return 0.0
