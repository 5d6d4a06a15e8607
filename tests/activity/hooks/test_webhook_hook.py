"""When a webhook is sent what, with a receiver that is played by the test."""

import json
from dataclasses import replace

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.activity.hooks.hook_service import HookPlan, HookService
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.activity.hooks.webhook_hook import GIVE_UP_SECONDS, WebhookHook
from ftpservice.activity.hooks.webhook_request import Answer, Verdict
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner

YES, NO = Answer(Verdict.DELIVERED, "200"), Answer(Verdict.REFUSED, "410")
LATER = Answer(Verdict.FAILED, "503")


class Receiver:
    """Answers from a list, and then with the last of it."""

    def __init__(self):
        self.answers = [YES]
        self.got = []

    def post(self, delivery, now):
        self.got.append((json.loads(delivery.body)["id"], delivery.attempts, now))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def stop(self):
        pass

    @property
    def ids(self):
        return [one[0] for one in self.got]


class Bench:
    def __init__(self, place, most=100):
        self.clock, self.receiver, self.lines = Clock(), Receiver(), []
        self.settings = HookSettings("tell", ("upload",), webhook="http://a/", max_waiting=most)
        self.place = place
        self.begin()

    def begin(self):
        hook = WebhookHook(self.settings, self.place, self.clock, self.clock.seconds)
        hook._pool, hook._client = InlineRunner(), self.receiver
        self.hook = hook

    def deliver(self, *ids):
        for one in ids:
            self.hook.deliver(None, {"id": one})

    def stop(self):
        stopping = Task(self.hook.stop())
        assert stopping.has_returned
        assert self.clock.getDelayedCalls() == []


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)

    def note(event):
        if event.get("log_namespace") == "ftpservice.hooks":
            made.lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(note)
    made.hook.start()
    yield made
    made.stop()
    globalLogPublisher.removeObserver(note)


def test_events_are_sent_once_in_their_order(bench):
    bench.deliver("a", "b", "c")
    assert bench.receiver.ids == ["a", "b", "c"]
    bench.clock.advance(1000.0)
    assert bench.receiver.ids == ["a", "b", "c"]
    assert bench.lines == []


def test_a_failure_is_tried_again_with_growing_pauses_and_the_others_wait(bench):
    bench.receiver.answers = [LATER] * 4 + [YES]
    bench.deliver("a", "b")
    assert bench.receiver.ids == ["a"]
    for pause in (1.0, 2.0, 4.0):
        bench.clock.advance(pause - 0.01)
        before = len(bench.receiver.got)
        bench.clock.advance(0.01)
        assert len(bench.receiver.got) == before + 1
    bench.clock.advance(8.0)
    assert bench.receiver.ids == ["a"] * 5 + ["b"]
    assert [one[1] for one in bench.receiver.got] == [0, 1, 2, 3, 4, 0]
    assert bench.lines == ["the hook tell: 503; it is tried again"]


def test_events_meanwhile_do_not_shorten_a_pause(bench):
    bench.receiver.answers = [LATER, YES]
    bench.deliver("a")
    bench.clock.advance(0.5)
    bench.deliver("b")
    assert bench.receiver.ids == ["a"]
    bench.clock.advance(0.5)
    assert bench.receiver.ids == ["a", "a", "b"]


def test_pauses_have_a_limit(bench):
    bench.receiver.answers = [LATER]
    bench.deliver("a")
    for _ in range(20):
        bench.clock.advance(300.0)
    before = len(bench.receiver.got)
    bench.clock.advance(300.0)
    assert len(bench.receiver.got) == before + 1


def test_what_a_receiver_refuses_for_good_is_dropped_and_logged(bench):
    bench.receiver.answers = [NO, YES]
    bench.deliver("a", "b")
    assert bench.receiver.ids == ["a", "b"]
    assert bench.lines == ["the hook tell: event a is given up: 410"]


def test_an_event_is_given_up_after_days(bench):
    bench.receiver.answers = [LATER]
    bench.deliver("a")
    bench.clock.pump([100.0] * 30)
    bench.clock.advance(GIVE_UP_SECONDS + 1.0)
    assert bench.lines[-1] == "the hook tell: event a is given up: 503"


def test_events_that_were_old_at_the_start_get_more_than_one_attempt(bench):
    """The service was down for days, and nobody was asked meanwhile."""
    bench.receiver.answers = [LATER]
    bench.deliver("a", "b")
    bench.stop()
    bench.clock.advance(GIVE_UP_SECONDS + 1.0)
    bench.receiver.answers = [LATER] * 5 + [YES]
    bench.receiver.got.clear()
    bench.begin()
    bench.hook.start()
    bench.clock.pump([10.0] * 20)
    assert bench.receiver.ids == ["a"] * 6 + ["b"]
    assert not [line for line in bench.lines if "given up" in line]


def test_a_damaged_spool_is_set_aside_and_told(bench):
    bench.receiver.answers = [LATER]
    bench.deliver("a")
    bench.stop()
    spool = bench.place / "tell.spool"
    spool.write_bytes(b"damaged" * 1000)
    bench.receiver.answers = [YES]
    bench.receiver.got.clear()
    bench.begin()
    bench.hook.start()
    bench.deliver("b", "c")
    assert bench.receiver.ids == ["b", "c"]
    assert [line.partition(":")[0] for line in bench.lines if "damaged" in line] == [
        "the spool of the hook tell is damaged"
    ]
    (kept,) = bench.place.glob("tell.spool.damaged.*")
    assert kept.read_bytes() == b"damaged" * 1000


def test_what_was_not_sent_is_sent_by_the_next_run(bench):
    bench.receiver.answers = [LATER]
    bench.deliver("a", "b")
    bench.stop()
    bench.receiver.answers = [YES]
    bench.receiver.got.clear()
    bench.begin()
    bench.hook.start()
    assert bench.receiver.ids == ["a", "b"]


def test_what_has_no_room_is_dropped_and_counted(bench):
    bench.stop()
    bench.settings = HookSettings("tell", ("upload",), webhook="http://a/", max_waiting=3)
    bench.receiver.answers = [LATER]
    bench.begin()
    bench.hook.start()
    bench.deliver(*"abcdef")
    assert bench.lines[-1] == "the hook tell: its spool is full, events are dropped"
    bench.receiver.answers = [YES]
    bench.clock.advance(1.0)
    assert bench.receiver.ids[-3:] == ["a", "b", "c"]
    assert bench.lines[-1] == "the hook tell has missed 3 events"


def test_a_spool_that_fails_is_tried_again_and_nothing_is_lost(bench, tmp_path):
    bench.stop()
    bench.place = tmp_path / "none" / "there"  # its parent is missing
    bench.begin()
    bench.clock.advance(100.0)
    bench.hook.start()
    bench.deliver("a")
    assert bench.receiver.got == []
    assert "the spool of the hook tell" in bench.lines[-1]
    assert bench.hook.record.problem_at > 0.0
    (tmp_path / "none").mkdir()
    bench.clock.pump([1.0] * 10)
    assert bench.receiver.ids == ["a"]


def test_what_became_of_events_is_counted(tmp_path):
    bench, runs = Bench(tmp_path, most=4), []
    bench.hook.start()
    bench.hook.record.listener = runs.append
    bench.receiver.answers = [YES, NO, LATER]
    bench.deliver(*"abcd")
    assert bench.hook.record.counts == {"delivered": 1, "failed": 1, "dropped": 0}
    assert bench.hook.pending == 2
    assert [run.outcome for run in runs] == ["delivered", "failed"]
    bench.deliver(*"wxyz")
    assert bench.hook.record.counts["dropped"] == 2
    assert bench.hook.pending == 4
    bench.stop()


def test_a_receiver_that_takes_nothing_is_a_problem_at_once(bench):
    bench.clock.advance(100.0)
    bench.deliver("a")
    assert bench.hook.record.problem_at == 0.0
    bench.receiver.answers = [LATER, YES]
    bench.deliver("b")
    assert (bench.hook.record.problem_at, bench.hook.pending) == (100.0, 1)
    bench.clock.advance(1.0)
    assert bench.hook.record.counts == {"delivered": 2, "failed": 0, "dropped": 0}
    assert bench.hook.record.problem_at == 0.0  # all has arrived
    bench.receiver.answers = [NO, YES]
    bench.deliver("c", "d")
    assert bench.hook.record.problem_at > 0.0


def test_what_an_earlier_run_has_left_is_pending(bench):
    bench.receiver.answers = [LATER]
    bench.deliver("a", "b")
    bench.stop()
    bench.begin()
    bench.hook.start()
    assert bench.hook.pending == 2


def test_a_damaged_document_in_the_spool_ends_nothing(bench):
    class Deaf(Receiver):
        def post(self, delivery, now):
            self.got.append((delivery.id, delivery.attempts, now))
            return YES

    bench.hook._client = bench.receiver = Deaf()
    bench.hook._spool.add([("a", 1.0, b"{"), ("b", 1.0, b"[]")])
    bench.deliver("c")
    assert bench.receiver.ids == ["a", "b", "c"]
    assert bench.hook.record.counts["delivered"] == 3


def test_a_name_that_is_not_unicode_is_valid_json_all_the_same(bench):
    sent = []
    bench.receiver.post = lambda delivery, _now: sent.append(delivery.body) or YES
    bench.hook.deliver(None, {"id": "a", "path": "/\udce9 \ud800 é", "groups": ["staff"]})
    assert json.loads(sent[0].decode()) == {
        "id": "a",
        "path": r"/\xed\xb3\xa9 \xed\xa0\x80 é",
        "groups": ["staff"],
    }
    bench.hook.deliver(None, {"id": "b", "path": "/\udce9"})
    assert json.loads(sent[1].decode())["path"] == r"/\xe9"


def test_a_changed_webhook_sends_what_the_one_before_it_has_not(tmp_path):
    old, new = Bench(tmp_path), Bench(tmp_path)
    service = HookService([(old.settings, old.hook)], new.clock)
    service.startService()
    old.receiver.answers = [LATER]
    old.deliver("a", "b")
    assert old.receiver.ids == ["a"]
    service.use(HookPlan([(replace(new.settings, webhook="http://b/"), new.hook)], ()))
    new.deliver("c")
    assert new.receiver.ids == ["a", "b", "c"]
    assert old.receiver.ids == ["a"]
    ended = []
    service.finish().addCallback(ended.append)
    assert ended
    assert old.clock.getDelayedCalls() == new.clock.getDelayedCalls() == []
