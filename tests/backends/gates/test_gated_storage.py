"""Uploads, renames and deletions of an account with gates."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.gates.gated_storage import GatedStorage
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.concurrency.task import Task
from ftpservice.storage.errors import (
    BadOffset,
    Busy,
    PathNotFound,
    RefusedByGate,
    Unavailable,
)
from ftpservice.storage.gates import GateAnswer, IPreparedWriting
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IPartials,
    IRetractableWriting,
    ISetMode,
    IStorage,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from tests.backends.gates.gate_doubles import ScriptedGate, gates_of, rule
from tests.storage.test_permissions import run

APPEND = WriteRequest(WriteMode.APPEND)
UNIQUE = WriteRequest(WriteMode.UNIQUE)
NO = GateAnswer(False, "Not  this\r\none.")


class GatedContractTests(StorageContract, SynchronousTestCase):
    """With gates that say yes to some of its names it is a storage like any other."""

    def storage(self):
        self.tree = MemoryTree()
        return self.view("one")

    def other_owner_storage(self):
        return self.view("two")

    def view(self, owner):
        gates = gates_of(rule(ScriptedGate(), "/guarded/**"))
        return GatedStorage(MemoryStorage(self.tree, owner), gates)


@pytest.fixture
def gate():
    return ScriptedGate()


@pytest.fixture
def inner():
    storage = MemoryStorage()
    for path in ("/in", "/out", "/in/deep"):
        run(storage.make_directory(path_at(path)))
    return storage


@pytest.fixture
def files(inner, gate):
    return GatedStorage(inner, gates_of(rule(gate, "/in/**")))


def test_it_is_a_storage(files):
    assert verifyObject(IStorage, files)
    assert ISetMode(files, None) is not None


@pytest.mark.parametrize("mode", list(WriteMode))
def test_an_upload_in_any_mode_is_asked_about_while_it_is_invisible(files, inner, gate, mode):
    seen = []

    def look(_request):
        seen.append(run(list_directory(inner, "/in")).keys() - {"deep"})
        return GateAnswer(True)

    gate.answer = look
    writing = run(begin_upload(files, "/in/a", b"content", WriteRequest(mode)))
    assert IPreparedWriting.providedBy(writing)
    assert gate.contents == []
    entry = run(writing.commit())
    assert (entry.name, entry.size) == ("a", 7)
    assert (gate.contents, seen) == ([b"content"], [set()])
    assert run(read_file(inner, "/in/a")) == b"content"
    (request,) = gate.requests
    facts = (request.action, request.user, request.path, request.size, request.storage_name)
    assert facts == ("upload", "ann", "/in/a", 7, "/srv/in/a")


@pytest.mark.parametrize("mode", list(WriteMode))
def test_after_a_no_nothing_of_the_upload_is_kept(files, inner, gate, mode):
    gate.answer = NO
    writing = run(begin_upload(files, "/in/a", b"content", WriteRequest(mode)))
    with pytest.raises(RefusedByGate) as raised:
        run(writing.commit())
    assert (raised.value.text, raised.value.refused_by) == ("Not this one.", "gate")
    run(writing.abandon())
    assert run(list_directory(inner, "/in")).keys() == {"deep"}
    assert run(partial_size(inner, "/in/a")) is None


def test_a_file_stays_as_it_was_after_a_no(files, inner, gate):
    run(create_file(inner, "/in/a", b"old"))
    gate.answer = NO
    for request in (WriteRequest(), APPEND, WriteRequest(offset=2)):
        with pytest.raises(RefusedByGate):
            run(create_file(files, "/in/a", b"new", request))
        assert run(read_file(inner, "/in/a")) == b"old"
    assert gate.contents == [b"new", b"oldnew", b"olnew"]


def test_answers_are_counted_and_told(inner):
    answers = iter([GateAnswer(True), NO, LookupError("broken"), "no answer"])
    gate, runs = ScriptedGate(lambda _request: next(answers)), []
    asked = rule(gate, "/in/**")
    asked.record.listener = runs.append
    files = GatedStorage(inner, gates_of(asked))
    run(create_file(files, "/in/a", b"1"))
    for _ in range(3):
        with pytest.raises(RefusedByGate):
            run(files.remove_file(path_at("/in/a")))
    assert asked.record.counts == {"accepted": 1, "refused": 1, "failed": 2}
    assert [(f"{one.kind} {one.hook}", one.about, one.outcome) for one in runs] == [
        ("gate gate", "upload", "accepted"),
        ("gate gate", "delete", "refused"),
        ("gate gate", "delete", "failed"),
        ("gate gate", "delete", "failed"),
    ]
    assert [one.started for one in runs] == [one.when for one in gate.requests]


def test_a_resumed_upload_is_asked_about_as_a_whole(files, inner, gate):
    run(run(begin_upload(files, "/in/a", b"first ")).abandon())
    assert run(partial_size(inner, "/in/a")) == 6
    assert gate.contents == []
    run(create_file(files, "/in/a", b"second", WriteRequest(offset=6)))
    assert gate.contents == [b"first second"]


def test_an_interrupted_append_leaves_the_file_alone(files, inner):
    run(create_file(inner, "/in/a", b"old"))
    writing = run(begin_upload(files, "/in/a", b"new", APPEND))
    assert writing.offset == 3
    assert IRetractableWriting(writing, None) is None
    run(writing.abandon())
    assert run(read_file(inner, "/in/a")) == b"old"
    assert run(partial_size(inner, "/in/a")) is None


def test_two_appends_at_once_lose_nothing(files, inner):
    run(create_file(inner, "/in/a", b"old"))
    writing = run(begin_upload(files, "/in/a", b"1", APPEND))
    with pytest.raises(Busy):
        run(files.open_writing(path_at("/in/a"), APPEND))
    run(create_file(inner, "/in/a", b"22", APPEND))
    with pytest.raises(Busy):
        run(writing.commit())
    assert run(read_file(inner, "/in/a")) == b"old22"
    assert run(IPartials(inner).all_partials()) == []


def test_an_append_beside_an_interrupted_upload_is_refused(files, inner):
    run(create_file(inner, "/in/a", b"old"))
    run(run(begin_upload(files, "/in/a", b"partial")).abandon())
    with pytest.raises(BadOffset):
        run(files.open_writing(path_at("/in/a"), APPEND))


def test_a_batch_of_commits_goes_one_by_one_through_the_gate(files):
    writing = run(begin_upload(files, "/in/a", b"x"))
    assert IBatchCommit(writing, None) is None
    run(writing.abandon())


def test_other_paths_are_not_asked_about(files, gate):
    run(create_file(files, "/out/a", b"x"))
    run(files.remove_file(path_at("/out/a")))
    assert gate.requests == []
    writing = run(begin_upload(files, "/out/b", b"x"))
    assert not IPreparedWriting.providedBy(writing)
    run(writing.abandon())


def test_a_unique_name_is_asked_about_as_the_name_that_was_asked_for(inner):
    gate = ScriptedGate(NO)
    files = GatedStorage(inner, gates_of(rule(gate, "*.csv")))
    run(create_file(inner, "/out/a.csv", b"old"))
    with pytest.raises(RefusedByGate):
        run(create_file(files, "/out/a.csv", b"x", UNIQUE))
    assert gate.requests[0].path == "/out/a.csv.1"


def test_all_gates_have_to_say_yes(inner):
    first, second = ScriptedGate(), ScriptedGate(NO)
    rules = [rule(first, name="first"), rule(second, name="second"), rule(ScriptedGate())]
    files = GatedStorage(inner, gates_of(*rules))
    with pytest.raises(RefusedByGate) as raised:
        run(create_file(files, "/a", b"x"))
    assert raised.value.refused_by == "second"
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_a_gate_may_change_the_name_and_directories_are_created(files, inner, gate):
    gate.answer = GateAnswer(True, name="2026/11/a.csv")
    writing = run(begin_upload(files, "/in/a.csv", b"x" * 100))
    entry = run(writing.commit())
    assert (str(writing.path), entry.name) == ("/in/2026/11/a.csv", "a.csv")
    assert run(read_file(inner, "/in/2026/11/a.csv")) == b"x" * 100
    assert run(list_directory(inner, "/in")).keys() == {"deep", "2026"}
    assert run(partial_size(inner, "/in/a.csv")) is None


def test_a_number_is_added_to_a_unique_name(files, inner, gate):
    gate.answer = GateAnswer(True, name="/out/a", is_unique=True)
    run(create_file(inner, "/out/a", b"old"))
    writing = run(begin_upload(files, "/in/a", b"new"))
    run(writing.commit())
    assert str(writing.path) == "/out/a.1"
    assert run(read_file(inner, "/out/a.1")) == b"new"


def test_the_gates_of_a_changed_name_are_asked_too(inner):
    moves, other = ScriptedGate(GateAnswer(True, name="/out/a")), ScriptedGate(NO)
    files = GatedStorage(inner, gates_of(rule(moves, "/in/*"), rule(other, "/out/*")))
    with pytest.raises(RefusedByGate):
        run(create_file(files, "/in/a", b"x"))
    assert other.requests[0].path == "/out/a"
    assert run(list_directory(inner, "/out")) == {}


def test_a_name_that_no_file_can_have_publishes_nothing(files, inner, gate):
    gate.answer = GateAnswer(True, name="a\nb")
    with pytest.raises(Unavailable):
        run(create_file(files, "/in/a", b"x"))
    assert run(list_directory(inner, "/in")).keys() == {"deep"}


@pytest.mark.parametrize(
    "answer",
    [ZeroDivisionError("boom"), "yes", None, Deferred],
    ids=["raises", "text", "none", "hangs"],
)
@pytest.mark.parametrize("accepts", [False, True])
def test_a_gate_that_fails_refuses_unless_it_is_said_to_accept(inner, answer, accepts):
    clock, gate = Clock(), ScriptedGate(answer() if isinstance(answer, type) else answer)
    failing = rule(gate, accepts_on_failure=accepts, time_limit=5.0)
    files = GatedStorage(inner, gates_of(failing, clock=clock))
    writing = run(begin_upload(files, "/a", b"x"))
    results = []
    Task(writing.commit()).done.addBoth(results.append)
    clock.advance(5.0)
    assert clock.getDelayedCalls() == []
    if accepts:
        assert results[0].name == "a"
    else:
        results[0].trap(RefusedByGate)
        assert results[0].value.text == "The check of the request failed; try again later."
    assert ("a" in run(list_directory(inner))) is accepts


def test_an_upload_whose_wait_is_cancelled_is_resumed_and_asked_about_again(files, inner, gate):
    asked = gate.answer = Deferred()
    writing = run(begin_upload(files, "/in/a", b"x" * 10))
    results = []
    preparing = Task(writing.prepare()).done
    preparing.addBoth(results.append)
    assert results == []
    preparing.cancel()
    results[0].trap(CancelledError)
    assert isinstance(results[0], Failure)
    assert asked.called
    run(writing.abandon())
    assert run(list_directory(inner, "/in")).keys() == {"deep"}
    assert run(partial_size(inner, "/in/a")) == 10
    gate.answer = NO
    with pytest.raises(RefusedByGate):
        run(run(files.open_writing(path_at("/in/a"), WriteRequest(offset=10))).commit())
    assert run(partial_size(inner, "/in/a")) is None


def test_a_rename_whose_wait_is_cancelled_leaves_no_partial_upload(files, inner, gate):
    run(create_file(inner, "/out/a", b"content"))
    gate.answer = Deferred()
    renaming = Task(files.rename(path_at("/out/a"), path_at("/in/a"))).done
    renaming.addErrback(lambda failure: failure.trap(CancelledError))
    renaming.cancel()
    assert run(IPartials(inner).all_partials()) == []
    assert run(read_file(inner, "/out/a")) == b"content"


def test_a_file_gets_to_a_guarded_name_by_an_upload_only(files, inner, gate):
    run(create_file(inner, "/out/a", b"content"))
    gate.answer = NO
    with pytest.raises(RefusedByGate):
        run(files.rename(path_at("/out/a"), path_at("/in/a")))
    assert run(list_directory(inner, "/in")).keys() == {"deep"}
    assert run(read_file(inner, "/out/a")) == b"content"
    gate.answer = GateAnswer(True, name="not-used-for-renames")
    run(files.rename(path_at("/out/a"), path_at("/in/a")))
    assert run(read_file(inner, "/in/a")) == b"content"
    assert run(list_directory(inner, "/out")) == {}
    assert gate.contents == [b"content"] * 2
    assert (gate.requests[1].path, gate.requests[1].renamed_from) == ("/in/a", "/out/a")
    assert run(IPartials(inner).all_partials()) == []


def test_a_rename_between_names_with_the_same_gates_asks_nothing(files, gate):
    run(create_file(files, "/in/a", b"x"))
    gate.requests.clear()
    run(files.rename(path_at("/in/a"), path_at("/in/deep/b")))
    run(files.rename(path_at("/in/deep/b"), path_at("/out/b")))
    assert gate.requests == []


@pytest.mark.parametrize("target", ["/in/moved", "/in"])
def test_a_directory_does_not_carry_files_past_a_gate(files, inner, target):
    run(create_file(inner, "/out/a", b"x"))
    if target == "/in":
        run(inner.remove_directory(path_at("/in/deep")))
        run(inner.remove_directory(path_at("/in")))
    with pytest.raises(RefusedByGate):
        run(files.rename(path_at("/out"), path_at(target)))
    assert run(read_file(inner, "/out/a")) == b"x"


class SwappedStorage(MemoryStorage):
    """A file that becomes a directory as soon as it has been looked at."""

    async def stat(self, path):
        entry = await super().stat(path)
        if str(path) == "/in/a" and entry.size == 1:
            await self.remove_file(path)
            await self.rename(path_at("/out"), path)
        return entry


def test_a_directory_that_takes_the_place_of_a_file_is_taken_back(gate):
    inner = SwappedStorage()
    for path in ("/in", "/out"):
        run(inner.make_directory(path_at(path)))
    run(create_file(inner, "/out/bad", b"bad"))
    run(create_file(inner, "/in/a", b"x"))
    files = GatedStorage(inner, gates_of(rule(gate, "/in/*")))
    with pytest.raises(RefusedByGate):
        run(files.rename(path_at("/in/a"), path_at("/in/b")))
    assert run(list_directory(inner, "/in")).keys() == {"a"}


def test_directories_are_renamed_where_no_gate_depends_on_it(inner, gate):
    files = GatedStorage(inner, gates_of(rule(gate, "*.csv"), rule(gate, "/in/**")))
    run(files.make_directory(path_at("/out/b.csv")))
    run(files.rename(path_at("/out/b.csv"), path_at("/out/c.csv")))
    assert run(list_directory(inner, "/out")).keys() == {"c.csv"}


def test_what_does_not_exist_cannot_be_renamed(files):
    with pytest.raises(PathNotFound):
        run(files.rename(path_at("/out/none"), path_at("/in/a")))


def test_a_deletion_is_asked_about(files, inner, gate):
    run(create_file(inner, "/in/a", b"x"))
    gate.answer = NO
    with pytest.raises(RefusedByGate):
        run(files.remove_file(path_at("/in/a")))
    assert run(read_file(inner, "/in/a")) == b"x"
    gate.answer = GateAnswer(True)
    run(files.remove_file(path_at("/in/a")))
    assert run(list_directory(inner, "/in")).keys() == {"deep"}


def test_gates_are_those_of_the_account_and_its_groups():
    gate = ScriptedGate()
    of_ann = rule(gate, accounts=frozenset({"ann"}))
    of_staff = rule(gate, groups=frozenset({"staff"}))
    assert gates_of(of_ann, of_staff, user="bob") is None
    assert gates_of(of_ann, user="ann") is not None
    assert gates_of(of_staff, user="bob", groups=("x", "staff")) is not None


def test_a_file_of_the_trash_gets_to_no_name_with_other_gates():
    gate = ScriptedGate()
    kept = MemoryStorage().with_trash(TrashRule(3600))
    files = GatedStorage(kept, gates_of(rule(gate, "/in/*.csv")))
    for name in ("/in", "/tmp"):
        run(kept.make_directory(path_at(name)))
    for name in ("/tmp/a.csv", "/in/b.csv"):
        run(create_file(kept, name, b"data"))
        run(files.remove_file(path_at(name)))
    second, first = run(ITrash(files).trashed(path_at("/")))
    with pytest.raises(RefusedByGate, match="then rename it"):
        run(ITrash(files).restore(first, path_at("/in/a.csv"), False))
    run(ITrash(files).restore(first, first.path, False))
    run(ITrash(files).restore(second, path_at("/in/c.csv"), False))
    assert not gate.contents
