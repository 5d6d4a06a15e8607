"""What administrators read when an authority refuses or cannot be asked."""

from __future__ import annotations

import pytest
import requests
from acme import errors, messages

from ftpservice.service.acme.authority_error import (
    ADVICE,
    authority_error,
    one_line,
    problem_text,
    validation_error,
)

URL = "https://ca.example/dir"


def problem(code: str, detail: str = "it is so", **more: object) -> messages.Error:
    return messages.Error(typ=f"urn:ietf:params:acme:error:{code}", detail=detail, **more)


@pytest.mark.parametrize("code", sorted(ADVICE))
def test_each_known_refusal_has_its_text_and_an_advice(code: str) -> None:
    found = authority_error(problem(code), URL, 7.0)
    assert str(found) == f"it is so ({code})"
    assert found.advice == ADVICE[code]
    assert (found.is_unreachable, found.retry_after) == (False, 7.0)


def test_an_unknown_refusal_is_repeated() -> None:
    found = authority_error(problem("brandNew"), URL, 0)
    assert str(found) == "it is so (brandNew)"
    assert found.advice == "see what the authority says"


def test_problems_of_single_names_are_listed_with_their_advice() -> None:
    name = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value="b.example")
    inner = (problem("rejectedIdentifier", "on a list", identifier=name),)
    found = authority_error(problem("compound", "two problems", subproblems=inner), URL, 0)
    assert str(found) == "two problems (compound); b.example: on a list (rejectedIdentifier)"
    assert found.advice == ADVICE["rejectedIdentifier"]


def test_failed_challenges_are_listed_by_name() -> None:
    found = validation_error([("a.example", problem("dns", "NXDOMAIN")), ("b.example", None)])
    assert str(found) == "a.example: NXDOMAIN (dns); b.example: no reason given"
    assert found.advice == ADVICE["dns"]


def test_a_text_of_an_authority_cannot_forge_lines_or_flood_the_log() -> None:
    assert one_line("a\nb\t c") == "a b c"
    assert one_line("a\x1b[31mb") == "a\\x1b[31mb"
    assert len(one_line("x" * 10_000)) < 500
    assert "\n" not in problem_text(problem("dns", "first\nsecond"))


def test_an_answer_that_is_not_acme_is_told_from_a_broken_one() -> None:
    answer = requests.Response()
    answer.status_code = 502
    broken = authority_error(errors.ClientError(answer), URL, 3.0)
    assert str(broken) == f"{URL} answers with HTTP status 502"
    assert (broken.is_unreachable, broken.retry_after) == (True, 3.0)
    answer.status_code = 404
    assert not authority_error(errors.ClientError(answer), URL, 0).is_unreachable
    other = authority_error(KeyError("newOrder"), URL, 0)
    assert "does not answer as RFC 8555 says" in str(other)
    assert not other.is_unreachable
    assert other.advice == "check acme-directory"


def test_network_errors_give_their_cause() -> None:
    timeout = authority_error(requests.ReadTimeout("x"), URL, 0)
    assert str(timeout) == f"{URL} cannot be reached: no answer in time"
    assert timeout.is_unreachable
    cause = requests.ConnectionError("long story")
    cause.__context__ = ConnectionRefusedError(111, "Connection refused")
    assert str(authority_error(cause, URL, 0)).endswith("cannot be reached: connection refused")
    assert str(authority_error(requests.ConnectionError("odd"), URL, 0)).endswith(": odd")
