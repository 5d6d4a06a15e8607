"""Bodies of requests."""

from __future__ import annotations

import pytest

from ftpservice.web.api.body_schema import parse_body
from ftpservice.web.api.schemas import body
from ftpservice.web.http.problems import Problem

SCHEMA = body(
    ("name",),
    name="string",
    weak="boolean",
    size="integer",
    nets={"type": "array", "items": {"type": "string"}},
)


def test_what_fits_is_returned() -> None:
    given = b'{"name": "a", "weak": true, "size": 3, "nets": ["x"]}'
    assert parse_body(SCHEMA, given) == {"name": "a", "weak": True, "size": 3, "nets": ["x"]}
    assert parse_body(SCHEMA, rb'{"name": "\udcff \ud83d\ude00"}') == {"name": "\udcff \U0001f600"}
    assert parse_body(None, b"") == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "'name' is missing"),
        (b'{"name": 1}', "not of the type string"),
        (b'{"name": null}', "not of the type string"),
        (rb'{"name": "\ud800"}', "not of the type string"),
        (rb'{"name": "a", "nets": ["\udbff"]}', "not of the type array"),
        (b'{"name": "a", "weak": 1}', "not of the type boolean"),
        (b'{"name": "a", "size": true}', "not of the type integer"),
        (b'{"name": "a", "nets": [1]}', "not of the type array"),
        (b'{"name": "a", "other": 1}', "'other' is not a member"),
    ],
)
def test_what_does_not_fit_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        parse_body(SCHEMA, data)


def test_a_body_that_is_not_expected_is_refused() -> None:
    with pytest.raises(Problem, match="has no body"):
        parse_body(None, b"{}")
