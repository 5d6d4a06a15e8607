"""What an authority says when it refuses, in one line, and what the administrator can do."""

from __future__ import annotations

from typing import Any

import josepy
import requests
from acme import errors, messages

__all__ = ["AuthorityError", "authority_error", "one_line", "problem_text", "validation_error"]

MAX_TEXT_LENGTH = 400
REFUSED_STATUS, SERVER_STATUS = 400, 500
NETWORK_ADVICE = "check the network, the firewall and the DNS of this machine"
ADVICE = {
    "connection": "let the port of the challenge through the firewall and the router to this "
    "machine",
    "dns": "create the A or AAAA record of the name, or correct it",
    "dnssec": "correct the DNSSEC of the zone",
    "caa": "allow this authority in the CAA record of the name",
    "unauthorized": "the name must lead to this service: check its A and AAAA records, and "
    "whether another server answers on the port of the challenge",
    "incorrectResponse": "the name must lead to this service: check whether another server "
    "answers on the port of the challenge",
    "tls": "the name must lead to this service: check whether another server answers on the port "
    "of the challenge",
    "rateLimited": "wait; the authority counts orders and failed attempts",
    "rejectedIdentifier": "remove the name from acme, or use another authority",
    "unsupportedIdentifier": "remove the name from acme, or use another authority",
    "malformed": "check the names of acme",
    "invalidContact": "correct acme-email",
    "unsupportedContact": "correct acme-email",
    "externalAccountRequired": "get the key of an account from this authority, and set "
    "acme-eab-key-id and acme-eab-key-file",
    "userActionRequired": "the terms of service have changed: read them",
    "serverInternal": "wait; the authority has a fault",
}
DIRECTORY_ADVICE = "check acme-directory"


class AuthorityError(Exception):
    """An attempt has failed; ``str`` of it says why, and ``advice`` what to do."""

    def __init__(
        self, text: str, advice: str, *, is_unreachable: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(text)
        self.advice = advice
        self.is_unreachable = is_unreachable
        """Whether the authority could not be asked, so that it counts no attempt."""
        self.retry_after = retry_after
        """Seconds after which the authority wants to be asked again; 0 if it does not say."""


def authority_error(error: Exception, url: str, retry_after: float) -> AuthorityError:
    """Return what an exception of a call means; ``url`` is that of the directory."""
    if isinstance(error, messages.Error):
        text, advice = problem_text(error), _advice(error)
        return AuthorityError(text, advice, retry_after=retry_after)
    if isinstance(error, requests.exceptions.SSLError):
        text = f"{url} cannot be trusted: {_cause(error)}"
        advice = "for an authority of your own, set acme-ca-file"
        return AuthorityError(text, advice, is_unreachable=True)
    if isinstance(error, requests.RequestException):
        text = f"{url} cannot be reached: {_cause(error)}"
        return AuthorityError(text, NETWORK_ADVICE, is_unreachable=True)
    answer = error.args[0] if error.args else None
    if isinstance(answer, requests.Response) and answer.status_code >= REFUSED_STATUS:
        return AuthorityError(
            f"{url} answers with HTTP status {answer.status_code}",
            DIRECTORY_ADVICE,
            is_unreachable=answer.status_code >= SERVER_STATUS,
            retry_after=retry_after,
        )
    text = f"{url} does not answer as RFC 8555 says: {one_line(error)}"
    return AuthorityError(text, DIRECTORY_ADVICE)


EXPECTED_ERRORS = (
    errors.Error,
    josepy.errors.Error,
    requests.RequestException,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
)
"""What a call of the library raises for what an authority answers, or does not answer."""


def problem_text(problem: messages.Error) -> str:
    """Return the problem that an authority reports (RFC 7807), in one line."""
    code = str(problem.typ).rpartition(":")[2]
    text = f"{problem.detail or problem.title or problem.description or 'no reason given'} ({code})"
    if problem.identifier is not None:
        text = f"{problem.identifier.value}: {text}"
    inner = [problem_text(one) for one in problem.subproblems or ()]
    return one_line("; ".join([text, *inner]))


def validation_error(failed: list[tuple[str, messages.Error | None]]) -> AuthorityError:
    """Return the error for names whose challenge has failed, each with its problem."""
    texts = [
        f"{name}: {problem_text(problem) if problem is not None else 'no reason given'}"
        for name, problem in failed
    ]
    advice = [_advice(problem) for _, problem in failed if problem is not None]
    return AuthorityError(one_line("; ".join(texts)), advice[0] if advice else "")


def one_line(said: object) -> str:
    """Return a text of an authority without what could forge or flood the log."""
    text = " ".join((str(said) or type(said).__name__).split())
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= MAX_TEXT_LENGTH else f"{shown[:MAX_TEXT_LENGTH]}..."


def _advice(problem: messages.Error) -> str:
    codes = [problem, *(problem.subproblems or ())]
    found = (ADVICE.get(str(one.typ).rpartition(":")[2]) for one in codes)
    return next(filter(None, found), "see what the authority says")


def _cause(error: requests.RequestException) -> str:
    """Return the reason at the end of a chain of exceptions."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    found: list[str] = []
    pending: list[Any] = [error]
    while pending:
        one = pending.pop()
        if isinstance(one, OSError) and one.strerror:
            found.append(getattr(one, "verify_message", "") or one.strerror)
        inner = (getattr(one, "reason", None), one.__cause__, one.__context__)
        pending += [each for each in inner if isinstance(each, BaseException)]
        pending += [each for each in one.args if isinstance(each, BaseException)]
        if len(found) > 0 or len(pending) > MAX_TEXT_LENGTH:
            break
    return one_line(found[0].lower() if found else error)
