"""Errors as answers of the simple protocol."""

from __future__ import annotations

import pytest

from ftpservice.session.error_replies import ReplyError
from ftpservice.simple.error_answers import AnswerError, answer_for
from ftpservice.storage import errors
from ftpservice.wire import codes
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import ErrorCode, MalformedCommand

PATH = VirtualPath(("a",))
KINDS = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.StorageError)
    ),
    key=lambda kind: kind.__name__,
)


def answer(error: BaseException) -> tuple[ErrorCode, str]:
    found = answer_for(error)
    assert found is not None and not found.ends_session
    return found.code, found.text


WITH_DETAIL = (errors.StorageError, errors.RefusedByGate)
"""The base of the others; the text of a gate is for the client."""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITH_DETAIL])
def test_every_storage_error_has_an_answer_without_details(
    kind: type[errors.StorageError],
) -> None:
    assert "secret" not in answer(kind(PATH, "secret"))[1]


def test_the_answer_of_a_gate_is_sent() -> None:
    error = errors.RefusedByGate(PATH, "no viruses here")
    assert answer(error) == (ErrorCode.DENIED, "no viruses here")


def test_what_ftp_refuses_is_refused_here() -> None:
    assert answer(ReplyError(codes.NOT_LOGGED_IN, "Log in.")) == (ErrorCode.AUTH, "Log in.")
    assert answer(ReplyError(codes.SERVICE_UNAVAILABLE, "Not now.")) == (
        ErrorCode.BUSY,
        "Not now.",
    )
    assert answer(ReplyError(codes.BAD_ARGUMENT, "What?")) == (ErrorCode.SYNTAX, "What?")
    assert answer(ReplyError(codes.BAD_PARAMETER, "What?")) == (ErrorCode.INTERNAL, "What?")


def test_a_malformed_line_is_answered_with_the_reason() -> None:
    assert answer(MalformedCommand("no size")) == (ErrorCode.SYNTAX, "no size")


def test_a_refusal_stays_itself() -> None:
    refused = AnswerError(ErrorCode.BUSY, "go", ends_session=True)
    assert answer_for(refused) is refused


def test_what_nobody_expected_has_no_answer() -> None:
    assert answer_for(KeyError("a")) is None
