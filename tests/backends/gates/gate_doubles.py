"""Gates for tests, and accounts that they are asked about."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpservice.backends.gates.gate_rules import AccountGates, GateBook, GatedAccount, GateRule
from ftpservice.backends.gates.path_patterns import PathPatterns
from ftpservice.storage.gates import GateAnswer, IDeleteGate, ILoginGate, IUploadGate

__all__ = ["YES", "ScriptedGate", "gates_of", "rule"]

YES = GateAnswer(True)
ACTIONS = frozenset({"upload", "delete", "login"})


@implementer(IUploadGate, IDeleteGate, ILoginGate)
class ScriptedGate:
    """Gives ``answer``: a `GateAnswer`, an error to raise, or a Deferred; keeps the requests."""

    def __init__(self, answer=YES):
        self.answer = answer
        self.requests = []
        self.contents = []

    async def check_upload(self, request, upload):
        content = bytearray()
        while data := await upload.read(len(content), 7):
            content += data
        assert len(content) == upload.size
        self.contents.append(bytes(content))
        return await self._answer(request)

    async def check_delete(self, request):
        return await self._answer(request)

    async def check_login(self, request):
        return await self._answer(request)

    async def _answer(self, request):
        self.requests.append(request)
        answer = self.answer(request) if callable(self.answer) else self.answer
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def rule(gate, *paths, actions=ACTIONS, name="gate", time_limit=10.0, **options) -> GateRule:
    patterns = PathPatterns(paths)
    return GateRule(name, gate, frozenset(actions), time_limit, paths=patterns, **options)


def gates_of(*rules, clock=None, user="ann", groups=()) -> AccountGates | None:
    account = GatedAccount(user, groups, None, lambda path: f"/srv{path}")
    return GateBook(rules, Clock() if clock is None else clock).of(account)
