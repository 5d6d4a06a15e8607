"""Changes of accounts that fail half way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.api.account_routes import remove_account
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import done


def test_a_removal_is_published_even_if_the_second_factors_cannot_be_removed() -> None:
    parts: Any = SimpleNamespace(
        with_store=mock.AsyncMock(),
        factors=SimpleNamespace(remove=mock.AsyncMock(side_effect=Problem(503, "damaged"))),
        publish_action=mock.Mock(),
    )
    call = ApiCall(Caller("token x", frozenset(Scope)), {"user": "ann"}, {}, {}, "192.0.2.1")
    with pytest.raises(Problem, match="damaged"):
        done(remove_account(parts, call))
    parts.publish_action.assert_called_once_with(call, "user remove", "ann")
