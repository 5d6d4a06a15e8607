"""Which gates are asked for which accounts and paths, and what holds if one of them fails.

The gates of a path are asked one after the other, in the order of the settings, until one says no.
A gate that fails or does not answer in time refuses, unless its rule says that it accepts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.backends.gates.path_patterns import PathPatterns
from ftpservice.backends.gates.run_record import GATE_OUTCOMES, HookRun, RunRecord
from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.storage.errors import RefusedByGate
from ftpservice.storage.gates import GateAnswer, GateRequest, IHeldFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["AccountGates", "GateBook", "GateRule", "GatedAccount"]

log = Logger("ftpservice.hooks")

FAILED_TEXT = "The check of the request failed; try again later."
REFUSED_TEXT = "Refused by a check."
MAX_TEXT_LENGTH = 300
ACCEPTED = GateAnswer(True)


@dataclass(frozen=True, eq=False)
class GateRule:
    """One gate, and what it is asked about."""

    name: str
    gate: Any
    """An `IUploadGate`, `IDeleteGate` or `ILoginGate`, as ``actions`` say."""
    actions: frozenset[str]
    time_limit: float
    """Seconds."""
    accepts_on_failure: bool = False
    accounts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    """Of whom; without accounts and groups all accounts."""
    paths: PathPatterns = field(default_factory=PathPatterns)
    record: RunRecord = field(default_factory=lambda: RunRecord("", GATE_OUTCOMES))

    def __post_init__(self) -> None:
        self.record.name = self.name

    def concerns(self, user: str, groups: Iterable[str]) -> bool:
        """Return whether it is asked about an account."""
        is_for_all = not (self.accounts or self.groups)
        return is_for_all or user in self.accounts or not self.groups.isdisjoint(groups)

    async def answer(
        self, clock: IReactorTime, request: GateRequest, asked: Callable[[], Awaitable[Any]]
    ) -> GateAnswer:
        """Return the answer of a call of the gate; that of the rule if the call fails."""
        began = clock.seconds()

        def record(outcome: str) -> None:
            seconds = max(0.0, clock.seconds() - began)
            about = (request.action, request.session, "", request.when, seconds)
            self.record.add(HookRun("gate", self.name, *about, outcome))

        try:
            task = Task(_awaited(asked))
            found = await task.done.addTimeout(self.time_limit, clock)
            if isinstance(found, GateAnswer):
                record("accepted" if found.accepts else "refused")
                return found
            reason = f"its answer is no GateAnswer but {type(found).__name__}"
        except CancelledError:
            raise
        except TimeoutError:
            reason = f"no answer within {self.time_limit:g} s"
        except Exception as error:  # noqa: BLE001 - a gate may fail in any way
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            drop_tracebacks(error)
        record("failed")
        does = "accepts" if self.accepts_on_failure else "refuses"
        log.error(
            "the gate {name} failed, which {does}: {reason}",
            name=self.name,
            does=does,
            reason=reason,
        )
        return ACCEPTED if self.accepts_on_failure else GateAnswer(False, FAILED_TEXT)

    def refusal(self, path: VirtualPath, answer: GateAnswer) -> RefusedByGate:
        """Return the error for a no."""
        return RefusedByGate(path, _one_line(answer.text) or REFUSED_TEXT, self.name)


async def _awaited(asked: Callable[[], Awaitable[Any]]) -> Any:
    return await asked()


def _one_line(text: str) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(words.split())[:MAX_TEXT_LENGTH]


@dataclass(frozen=True)
class GatedAccount:
    """Who a gate is told of."""

    user: str
    groups: tuple[str, ...]
    peer: Any = None
    """The client, with ``label``, ``protocol`` and ``id`` of the session; None: not known."""
    storage_name: Callable[[str], str | None] = lambda _path: None

    def request(self, action: str, path: VirtualPath | None = None) -> GateRequest:
        """Return a request."""
        shown = "" if path is None else str(path)
        return GateRequest(
            action,
            uuid4().hex,
            time.time(),
            self.user,
            self.groups,
            getattr(self.peer, "label", ""),
            getattr(self.peer, "protocol", ""),
            getattr(self.peer, "id", ""),
            shown,
            self.storage_name(shown) if shown else None,
        )


class AccountGates:
    """The gates of one account in one session."""

    def __init__(
        self, account: GatedAccount, rules: Sequence[GateRule], clock: IReactorTime
    ) -> None:
        self.account = account
        self._clock = clock
        self._of = {
            action: [rule for rule in rules if action in rule.actions]
            for action in ("upload", "delete", "login")
        }

    @property
    def guard_files(self) -> bool:
        """Whether any gate is about files."""
        return bool(self._of["upload"] or self._of["delete"])

    @property
    def depend_on_paths(self) -> bool:
        """Whether a gate about files is asked for some paths only."""
        files = self._of["upload"] + self._of["delete"]
        return any(not rule.paths.is_for_all for rule in files)

    def for_upload(self, *paths: VirtualPath) -> list[GateRule]:
        """Return the rules of uploads to any of these names."""
        return [rule for rule in self._of["upload"] if any(map(rule.paths.match, paths))]

    def by_directory(self, source: VirtualPath, target: VirtualPath) -> GateRule | None:
        """Return a rule for which a directory of this name holds other files than of that one."""
        for rule in self._of["upload"]:
            if rule.paths.may_match_below(target) or rule.paths.may_match_below(source):
                return rule
        return None

    async def ask_upload(
        self, rule: GateRule, path: VirtualPath, held: IHeldFile, renamed_from: str
    ) -> GateAnswer:
        """Return the answer about an upload; raises `RefusedByGate`."""
        request = self.account.request("upload", path)
        request = replace(request, size=held.size, renamed_from=renamed_from)
        gate = rule.gate
        answer = await rule.answer(self._clock, request, lambda: gate.check_upload(request, held))
        if not answer.accepts:
            raise rule.refusal(path, answer)
        return answer

    async def ask_delete(self, path: VirtualPath) -> None:
        """Ask about the deletion of a file; raises `RefusedByGate`."""
        for rule in self._of["delete"]:
            if rule.paths.match(path):
                await self._ask(rule, "check_delete", self.account.request("delete", path), path)

    async def ask_login(self) -> None:
        """Ask about a login; raises `RefusedByGate`."""
        for rule in self._of["login"]:
            await self._ask(rule, "check_login", self.account.request("login"), VirtualPath())

    async def _ask(
        self, rule: GateRule, method: str, request: GateRequest, path: VirtualPath
    ) -> None:
        check = getattr(rule.gate, method)
        answer = await rule.answer(self._clock, request, lambda: check(request))
        if not answer.accepts:
            raise rule.refusal(path, answer)


class GateBook:
    """All gates, in the order in which they are asked."""

    def __init__(self, rules: Sequence[GateRule], clock: IReactorTime) -> None:
        self._rules = tuple(rules)
        self._clock = clock

    def of(self, account: GatedAccount) -> AccountGates | None:
        """Return the gates of an account; None for none."""
        rules = [rule for rule in self._rules if rule.concerns(account.user, account.groups)]
        return AccountGates(account, rules, self._clock) if rules else None
