"""One attempt to get a certificate: account, order, challenges, certificate (RFC 8555 §7).

The steps that block run in a thread; the waits between them belong to the reactor, so that a stop
of the service ends the attempt at once. The order and its key are kept on the disk until the
certificate is: an attempt that was killed is continued by the next one, which then costs the
authority nothing, or little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, TypeVarTuple

from acme import messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.task import deferLater

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.service.acme.acme_files import AcmeFiles, StoredCertificate, parse_certificate
from ftpservice.service.acme.authority import Authority
from ftpservice.service.acme.authority_error import (
    AuthorityError,
    problem_text,
    validation_error,
)
from ftpservice.service.acme.challenge import ChallengeResponder
from ftpservice.service.acme.renewal_state import RenewalState
from ftpservice.service.acme.schedule import renewal_time

__all__ = ["Issuance", "IssuanceParts"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FIRST_POLL_SECONDS, POLL_GROWTH, MAX_POLL_SECONDS = 0.1, 1.5, 5.0
UNUSABLE_STATUSES = (messages.STATUS_INVALID, messages.STATUS_REVOKED)


@dataclass(frozen=True)
class IssuanceParts:
    """What an attempt works with."""

    names: tuple[str, ...]
    files: AcmeFiles
    responder: ChallengeResponder
    open_authority: Callable[[ec.EllipticCurvePrivateKey], Authority]
    """Returns the authority for an account's key."""
    reactor: Any
    seconds: Callable[[], float]


class Issuance:
    """An attempt; ``state`` is saved when it changes.

    `run` raises `AuthorityError`, `UnusableFile` or `OSError`.
    """

    def __init__(self, parts: IssuanceParts, state: RenewalState, pool: BlockingRunner) -> None:
        self._parts = parts
        self.state = state
        self._pool = pool
        self._authority: Authority
        self._key: ec.EllipticCurvePrivateKey

    async def run(self) -> StoredCertificate:
        """Get a certificate, and write it to its file with its key."""
        run, files = self._pool.run, self._parts.files
        key = await run(files.account_key)
        self._authority = await run(self._parts.open_authority, key)
        try:
            await run(self._authority.register)
            order = await self._known_order() or await self._new_order()
            try:
                return await self._complete(order)
            except AuthorityError as error:
                if not error.is_unreachable:
                    await self._forget_order()
                raise
        finally:
            self._authority.close()

    async def _known_order(self) -> messages.OrderResource | None:
        """Return the order of an attempt that was interrupted, if it can be continued."""
        url, run = self.state.order, self._pool.run
        key = await run(self._parts.files.order_key) if url else None
        if key is None:
            return None
        order = await run(self._authority.known_order, url, self._signing_request(key))
        if order is None or order.body.status in UNUSABLE_STATUSES:
            return None
        if order.body.status == messages.STATUS_VALID and await self._is_old(order):
            return None
        self._key = key
        return order

    async def _is_old(self, order: messages.OrderResource) -> bool:
        """Return whether the certificate of an order would have to be renewed at once."""
        chain = await self._pool.run(self._authority.certificate, order)
        found = _parsed(chain)
        return renewal_time(found.not_before, found.not_after) <= self._parts.seconds()

    async def _new_order(self) -> messages.OrderResource:
        run = self._pool.run
        self._key = await run(self._parts.files.new_order_key)
        order = await run(self._authority.new_order, self._signing_request(self._key))
        await self._save(replace(self.state, order=order.uri))
        return order

    async def _complete(self, order: messages.OrderResource) -> StoredCertificate:
        if order.body.status == messages.STATUS_PENDING:
            await self._prove(order)
            order = await self._polled(order, messages.STATUS_PENDING)
        if order.body.status == messages.STATUS_READY:
            finalized = await self._pool.run(self._authority.finalize, order)
            order = order.update(body=finalized.body)
        order = await self._polled(order, messages.STATUS_READY, messages.STATUS_PROCESSING)
        if order.body.status != messages.STATUS_VALID or not order.body.certificate:
            problem = order.body.error
            text = problem_text(problem) if problem is not None else f"it is {order.body.status}"
            raise AuthorityError(f"the order has failed: {text}", "see what the authority says")
        return await self._save_certificate(order)

    async def _prove(self, order: messages.OrderResource) -> None:
        """Answer the challenges of all names, and wait until the authority has checked them."""
        pending = [
            one for one in order.authorizations if one.body.status == messages.STATUS_PENDING
        ]
        authority, responder, run = self._authority, self._parts.responder, self._pool.run
        chosen = [(one, _offered(one, responder.challenge_type)) for one in pending]
        try:
            for one, challenge in chosen:
                await self._provide(one.body.identifier.value, _token(challenge))
                await run(authority.answer, challenge)
            checked = [await self._checked(one.uri) for one, _ in chosen]
        finally:
            for one, challenge in chosen:
                responder.withdraw(one.body.identifier.value, _token(challenge))
        failed = [one for one in checked if one.body.status != messages.STATUS_VALID]
        if failed:
            raise validation_error([_failure(one) for one in failed])

    async def _provide(self, name: str, token: str) -> None:
        """Answer a challenge from now on, unless the attempt is cancelled meanwhile."""
        responder = self._parts.responder

        def withdraw(_provided: None) -> None:
            responder.withdraw(name, token)

        expected = self._authority.key_authorization(token)
        await self._pool.run(responder.provide, name, token, expected, dispose=withdraw)

    async def _checked(self, url: str) -> messages.AuthorizationResource:
        delay = FIRST_POLL_SECONDS
        while True:
            found = await self._pool.run(self._authority.authorization, url)
            if found.body.status != messages.STATUS_PENDING:
                return found
            delay = await self._wait(delay)

    async def _polled(
        self, order: messages.OrderResource, *statuses: messages.Status
    ) -> messages.OrderResource:
        """Return the order when its status is none of these any more."""
        delay = FIRST_POLL_SECONDS
        while order.body.status in statuses:
            delay = await self._wait(delay)
            order = await self._pool.run(self._authority.current_order, order)
        return order

    async def _wait(self, delay: float) -> float:
        """Wait; returns the next delay, longer if the authority asks for that."""
        await deferLater(self._parts.reactor, delay)
        return min(delay * POLL_GROWTH, MAX_POLL_SECONDS)

    async def _save_certificate(self, order: messages.OrderResource) -> StoredCertificate:
        files, run = self._parts.files, self._pool.run
        chain = await run(self._authority.certificate, order)
        found = _parsed(chain)
        missing = set(self._parts.names) - found.names
        if missing:
            raise AuthorityError(
                f"the certificate lacks {', '.join(sorted(missing))}", "ask the authority why"
            )
        try:
            await run(files.save_certificate, self._key, found.pem)
        except ValueError as error:
            raise AuthorityError(str(error), "ask the authority why") from None
        return found

    async def _forget_order(self) -> None:
        await self._save(replace(self.state, order=""))
        await self._pool.run(self._parts.files.remove_order_key)

    async def _save(self, state: RenewalState) -> None:
        self.state = state
        await self._pool.run(self._parts.files.save_state, state)

    def _signing_request(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in self._parts.names])
        request = x509.CertificateSigningRequestBuilder(x509.Name([]))
        signed = request.add_extension(names, critical=False).sign(key, SHA256())
        return signed.public_bytes(Encoding.PEM)


def _parsed(chain: bytes) -> StoredCertificate:
    try:
        return parse_certificate(chain)
    except ValueError as error:
        text = f"the authority has sent no certificate: {error}"
        raise AuthorityError(text, "check acme-directory") from None


def _offered(authorization: messages.AuthorizationResource, wanted: str) -> messages.ChallengeBody:
    """Return the challenge of a type; raises `AuthorityError`."""
    offered = {_type(one): one for one in authorization.body.challenges}
    if wanted not in offered:
        name = authorization.body.identifier.value
        raise AuthorityError(
            f"{name}: the authority offers no {wanted}, but {', '.join(sorted(offered))}",
            "set acme-challenge to one of these",
        )
    return offered[wanted]


def _type(challenge: messages.ChallengeBody) -> str:
    return str(challenge.chall.to_json().get("type"))


def _token(challenge: messages.ChallengeBody) -> str:
    return str(challenge.chall.to_json().get("token"))


def _failure(one: messages.AuthorizationResource) -> tuple[str, messages.Error | None]:
    problems = (challenge.error for challenge in one.body.challenges)
    return one.body.identifier.value, next(filter(None, problems), None)
