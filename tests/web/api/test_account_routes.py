"""Changes of accounts that fail half way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountExists, AccountStoreError, NoSuchAccount
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.stores.removed_accounts import RemovedAccounts
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.api.account_routes import add_account, remove_account
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem
from tests.support.page_in_memory import done


def test_a_removal_is_published_even_if_the_second_factors_cannot_be_removed() -> None:
    parts: Any = SimpleNamespace(
        with_store=mock.AsyncMock(),
        factors=SimpleNamespace(remove=mock.AsyncMock(side_effect=Problem(503, "damaged"))),
        publish_action=mock.Mock(),
        removed=None,
    )
    call = ApiCall(Caller("token x", frozenset(Scope)), {"user": "ann"}, {}, {}, "192.0.2.1")
    with pytest.raises(Problem, match="damaged"):
        done(remove_account(parts, call))
    parts.publish_action.assert_called_once_with(call, "user remove", "ann")


class Desk:
    """Routes of a store on the disk, with second factors, share links and removed accounts."""

    def __init__(self, place: Path) -> None:
        self.store = PasswordFileStore(str(place / "passwd.db"))
        self.factors, self.shares = mock.AsyncMock(), mock.AsyncMock()
        self.factors.all.return_value = {}
        self.shares.users.return_value = set()
        self.removed = RemovedAccounts(place / "removed-accounts.json")
        pool = InlineRunner()
        self.parts: Any = SimpleNamespace(
            with_store=lambda work: pool.run(work, self.store),
            store_pool=pool,
            factors=self.factors,
            shares=self.shares,
            removed=self.removed,
            publish_action=mock.Mock(),
        )

    def call(self, **body: Any) -> ApiCall:
        caller = Caller("token x", frozenset(Scope))
        return ApiCall(caller, {"user": "ann"}, {}, body, "192.0.2.1")

    def add(self) -> Any:
        return done(add_account(self.parts, self.call(name="ann", password="secret", weak=True)))

    def remove(self) -> Any:
        return done(remove_account(self.parts, self.call()))


def test_a_removal_that_failed_half_way_is_completed_by_a_repeat(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add()
    desk.shares.remove_of.side_effect = Problem(507, "full")
    with pytest.raises(Problem, match="full"):
        desk.remove()
    desk.shares.remove_of.side_effect = None
    assert desk.remove() == {"removed": "ann"}
    with pytest.raises(NoSuchAccount):
        desk.remove()


def test_a_new_account_gets_nothing_of_a_removed_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.add()["owner"] is None
    desk.remove()
    desk.shares.users.return_value = {"ann"}
    with pytest.raises(Problem, match="share links of another account 'ann'"):
        desk.add()
    desk.shares.users.return_value = set()
    assert desk.add()["owner"].startswith("ann.")
    desk.factors.all.return_value = {"ann": None}
    with pytest.raises(AccountExists):
        desk.add()


def test_a_removal_that_the_store_refuses_leaves_no_trace(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add()
    with (
        mock.patch.object(desk.store, "remove", side_effect=AccountStoreError("not here")),
        pytest.raises(AccountStoreError),
    ):
        desk.remove()
    assert not desk.removed.is_unfinished("ann")
    record = AccountRecord("ann", "x")
    assert desk.removed.new_account(record) is record
