"""What the API refuses to list of the past."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.api.past_routes import list_events
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import done


@pytest.mark.parametrize("limit", ["0", "1001", "00000000199999999", "-1", "²", ""])
def test_a_limit_is_a_number_within_bounds(limit: str) -> None:
    nothing: Any = None
    call = ApiCall(Caller("token x", frozenset(Scope)), {}, {"limit": limit}, {}, "192.0.2.1")
    with pytest.raises(Problem, match="1 to 1000"):
        done(list_events(nothing, call))


def test_an_unknown_kind_of_events_is_refused_with_those_there_are() -> None:
    call = ApiCall(Caller("token x", frozenset(Scope)), {}, {"kind": "logins"}, {}, "192.0.2.1")
    nothing: Any = None
    with pytest.raises(Problem, match=r"kind is one of: session opened, .*, lost") as refused:
        done(list_events(nothing, call))
    assert refused.value.status == 400
