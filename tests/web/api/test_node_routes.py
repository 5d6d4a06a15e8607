"""What the API asks the nodes of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.api.node_routes import (
    end_session_of_node,
    end_sessions_of_nodes,
    list_nodes,
    list_sessions_of_nodes,
    states_of_nodes,
)
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import done


class Asked:
    """The parts of the service, as far as these routes use them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []

    async def act(self, name: str, _call: ApiCall, **words: Any) -> None:
        self.requests.append((name, words))


def call(path: dict[str, str], body: dict[str, Any] | None = None) -> ApiCall:
    return ApiCall(Caller("token x", frozenset(Scope)), path, {}, body or {}, "192.0.2.1")


def test_all_nodes_are_asked_or_the_one_that_is_named() -> None:
    asked: Any = Asked()
    done(list_nodes(asked, call({})))
    done(list_sessions_of_nodes(asked, call({})))
    done(states_of_nodes(asked, call({})))
    done(end_sessions_of_nodes(asked, call({}, {"user": "ann"})))
    done(end_session_of_node(asked, call({"node": "ftp2", "session": "17"})))
    assert asked.requests == [
        ("nodes", {}),
        ("who", {"node": "all"}),
        ("state", {"node": "all"}),
        ("kick", {"node": "all", "user": "ann"}),
        ("kick", {"node": "ftp2", "session": 17}),
    ]


def test_what_is_no_session_or_no_account_is_refused() -> None:
    asked: Any = Asked()
    with pytest.raises(Problem, match="no such session"):
        done(end_session_of_node(asked, call({"node": "ftp2", "session": "x"})))
    with pytest.raises(Problem, match="Give one of"):
        done(end_sessions_of_nodes(asked, call({})))
    assert asked.requests == []
