"""What the operations of the API work on."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import maybeDeferred

from ftpservice.accounts.account_store import IAccountStore
from ftpservice.accounts.stores.removed_accounts import RemovedAccounts
from ftpservice.activity.admin_actions import REQUESTED_BY
from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.live.live_sessions import LiveSessions
from ftpservice.activity.live.node_sessions import NodeSessions
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.events import AdminAction
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.web.access.factor_access import FactorAccess
from ftpservice.web.access.token_access import TokenAccess
from ftpservice.web.api.past_activity import PastActivity
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem

__all__ = ["ApiParts"]

Action = Callable[[Mapping[str, Any]], Any]
NO_STORE_TEXT = "The service has no account store that can be changed here."


@dataclass(frozen=True)
class ApiParts:
    """The parts of the service; ``actions`` are those of the control socket."""

    actions: Mapping[str, Action]
    live: LiveSessions
    past: PastActivity
    store: IAccountStore | None
    """The accounts; None if the service has no store that can be changed."""
    store_pool: BlockingRunner
    """For calls of ``store``."""
    space_pool: BlockingRunner
    """For the space of ``directories``, whose file systems may hang."""
    publish: Callable[[AdminAction], object]
    seconds: Callable[[], float]
    started: float
    directories: Sequence[str]
    """Directories whose space is shown."""
    archive_pool: BlockingRunner
    """For the checksums of archives."""
    factors: FactorAccess
    quotas: QuotaBook | None = None
    hooks: HookService | None = None
    tokens: TokenAccess | None = None
    traces: Any = None
    """The traces that callers have started (`RunningTraces`)."""
    nodes: NodeSessions | None = None
    """The sessions of the other nodes; None without a cluster."""
    shares: Any = None
    """The share links (`ftpservice.web.shares.shares.Shares`)."""
    removed: RemovedAccounts | None = None
    """What is remembered of removed accounts; None: the service has no data directory."""
    archives: dict[str, int] = field(default_factory=dict)
    """How many archives are made at the moment, by the account."""

    async def act(self, name: str, call: ApiCall, **parameters: Any) -> Any:
        """Carry out an action of the control socket in the name of the caller."""
        request = {**parameters, REQUESTED_BY: call.caller.name}
        return await maybeDeferred(self.actions[name], request)

    async def with_store(self, work: Callable[[IAccountStore], Any]) -> Any:
        """Return what ``work`` returns for the store, in a thread; raises `Problem`."""
        if self.store is None:
            raise Problem(404, NO_STORE_TEXT)
        return await self.store_pool.run(work, self.store)

    async def state_problems(self) -> list[str]:
        """Return a line for each file of state that cannot be used."""
        found = [] if self.tokens is None else [await self.tokens.look()]
        if self.shares is not None:
            found.append(await self.shares.look())
        return [line for line in found if line]

    def publish_action(self, call: ApiCall, action: str, subject: str, detail: str = "") -> None:
        """Publish what the caller has done."""
        self.publish(
            AdminAction(self.seconds(), 0, call.peer, call.caller.name, action, subject, detail)
        )

    def space(self) -> Awaitable[Any]:
        """Return the space of the directories, from a thread."""
        return self.space_pool.run(_space, tuple(self.directories))


def _space(directories: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for directory in directories:
        try:
            state = os.statvfs(directory)
        except OSError as error:
            found.append({"path": directory, "error": error.strerror or "unknown error"})
            continue
        total, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
        found.append({"path": directory, "total": total, "free": free})
    return found
