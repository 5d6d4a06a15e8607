"""Which hook is told of which event, and what prevents the start."""

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.activity.hooks import hook_service
from ftpservice.activity.hooks.hook_service import (
    DELAY_SECONDS,
    HookPlan,
    HookService,
    build_gates,
    build_hooks,
)
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.events import (
    Banned,
    CommandRefused,
    EventStream,
    FileChanged,
    LoggedIn,
    Outcome,
    SessionInfo,
    TransferEnded,
)

WHO = (1.0, 7, "192.0.2.1", "ann")
UP = TransferEnded(*WHO, "/in/a", True, Outcome.COMPLETE, 5, 0.5)
DOWN = TransferEnded(*WHO, "/in/a", False, Outcome.COMPLETE, 5, 0.5)
STAFF = SessionInfo(groups=("staff",))


class Way:
    def __init__(self):
        self.told = []
        self.is_started = self.is_stopped = False
        self.ending = None

    def start(self):
        self.is_started = True

    def deliver(self, event, document):
        assert document["event"]
        self.told.append(event)
        if isinstance(event, Banned):
            raise ZeroDivisionError

    def stop(self):
        self.is_stopped = True
        return self.ending


class Bench:
    def __init__(self, **options):
        self.clock, self.way, self.failures = Clock(), Way(), []
        self.stream = EventStream(lambda error, _event: self.failures.append(error))
        self.service = HookService([(HookSettings("h", **options), self.way)], self.clock)
        self.service.subscribe(self.stream)
        self.service.startService()

    def publish(self, *events):
        for event in events:
            self.stream.publish(event)
        self.clock.advance(DELAY_SECONDS)
        return self.way.told


def test_a_document_is_made_once_and_only_where_one_is_needed(monkeypatch):
    made = []
    monkeypatch.setattr(hook_service, "document_of", lambda event: made.append(event) or {"id": 1})
    told, stream, clock = [], EventStream(None), Clock()
    ways = [SimpleNamespace(deliver=lambda *one: told.append(one)) for _ in range(3)]
    plugin, command = {"plugin": "x"}, {"command": ("true",)}
    settings = [
        HookSettings("a", ("upload", "login"), **plugin),
        HookSettings("b", ("upload",), **command),
        HookSettings("c", ("upload",), **command, accounts=("bob", "ann")),
    ]
    HookService(list(zip(settings, ways, strict=True)), clock).subscribe(stream)
    for event in (LoggedIn(*WHO), UP, DOWN):
        stream.publish(event)
    clock.advance(DELAY_SECONDS)
    assert made == [UP]
    assert told == [(LoggedIn(*WHO), {}), (UP, {}), (UP, {"id": 1}), (UP, {"id": 1})]


def test_a_hook_is_told_of_its_events_only_a_moment_later():
    bench = Bench(on=("upload", "login"))
    bench.stream.publish(UP)
    assert bench.way.told == []
    assert bench.publish(DOWN, FileChanged(*WHO, "delete", "/a"), LoggedIn(*WHO)) == [
        UP,
        LoggedIn(*WHO),
    ]
    assert bench.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("options", "event", "is_told"),
    [
        ({"accounts": ("ann",)}, UP, True),
        ({"accounts": ("bob",)}, UP, False),
        ({"groups": ("staff",)}, UP, False),
        (
            {"groups": ("staff",)},
            TransferEnded(*WHO, "/in/a", True, Outcome.COMPLETE, 5, 0.5, info=STAFF),
            True,
        ),
        ({"paths": ("/in/**",)}, UP, True),
        ({"paths": ("/out/**",)}, UP, False),
        ({"paths": ("/out/**",), "accounts": ("ann",)}, UP, False),
        ({"paths": ("/out/**",)}, FileChanged(*WHO, "rename", "/in/a", "/out/a"), True),
        ({"paths": ("*",)}, CommandRefused(*WHO, "STOR", "/a\0b", 553, "no"), True),
        ({"paths": ("/a*",)}, CommandRefused(*WHO, "STOR", "/a\0b", 553, "no"), False),
    ],
)
def test_accounts_groups_and_paths_select(options, event, is_told):
    assert Bench(on=("upload", "rename", "refusal"), **options).publish(event) == (
        [event] if is_told else []
    )


def test_an_error_with_one_event_does_not_stop_the_next():
    bench = Bench(on=("ban", "upload"))
    told = bench.publish(Banned(1.0, 0, "", "", "192.0.2.1/32", "", None), UP)
    assert told[-1] == UP


def test_at_the_end_what_waits_is_passed_on_and_the_hooks_end():
    bench = Bench(on=("upload",))
    bench.stream.publish(UP)
    bench.way.ending = Deferred()
    ended = []
    bench.service.finish().addCallback(ended.append)
    assert (bench.way.told, bench.way.is_stopped, ended) == ([UP], True, [])
    bench.way.ending.callback(None)
    assert ended
    assert bench.publish(UP) == [UP]
    assert bench.clock.getDelayedCalls() == []


def test_without_hooks_nothing_is_subscribed():
    stream = EventStream(lambda *_: None)
    HookService([], Clock()).subscribe(stream)
    assert stream._subscriptions == []


@pytest.mark.parametrize(
    ("options", "data_dir", "text"),
    [
        ({"command": ("/none/there",)}, None, "'/none/there' is not an executable file"),
        ({"command": ("./local",)}, None, "is not an executable file"),
        ({"webhook": "http://a/", "secret_file": "/none"}, "/", "secret-file /none: No such file"),
        ({"plugin": "unknown"}, None, "there is no plugin of that name"),
    ],
)
def test_a_hook_that_cannot_work_is_refused(options, data_dir, text):
    hook = HookSettings("h", ("upload",), **options)
    with pytest.raises(ValueError, match=r"^hook 'h': ") as raised:
        build_hooks([hook], data_dir, Clock())
    assert text in str(raised.value)


def test_a_webhook_needs_a_directory(tmp_path):
    key = tmp_path / "key"
    key.write_text("sixteen letters!")
    hook = HookSettings("h", ("upload",), webhook="http://a/", secret_file=str(key))
    with pytest.raises(ValueError, match="needs data-dir"):
        build_hooks([hook], None, Clock())
    build_hooks([hook], str(tmp_path), Clock())
    assert list(tmp_path.iterdir()) == [key]  # nothing is made before the start


def test_gates_keep_the_order_and_terms_of_the_settings():
    terms = {"gate": True, "command": ("/bin/true",), "time_limit": 5.0}
    told = HookSettings("told", ("upload",), command=("/bin/true",))
    first = HookSettings("first", ("upload",), on_failure="accept", accounts=("ann",), **terms)
    second = HookSettings("second", ("delete",), **terms)
    rules = [rule for _, rule in build_gates([told, first, second], Clock())]
    assert [rule.name for rule in rules] == ["first", "second"]
    assert rules[0].accepts_on_failure
    assert rules[0].concerns("ann", ())
    assert not rules[0].concerns("bob", ())
    assert not rules[1].accepts_on_failure


class OldWay(Way):
    """A command that goes on for a while after its table has changed."""

    def __init__(self):
        super().__init__()
        self.ending, self.is_hurried = Deferred(), False

    def retire(self):
        return self.ending

    def hurry(self):
        self.is_hurried = True


class Exclusive(Way):
    is_exclusive = True


def changed(bench, *hooks):
    bench.service.use(HookPlan(hooks, ()))


def test_other_settings_replace_what_has_changed_and_keep_the_rest():
    bench, kept, new = Bench(on=("upload",)), Way(), OldWay()
    rest = HookSettings("rest", on=("download",))
    bench.stream.publish(UP)
    changed(bench, (rest, kept))
    assert (bench.way.told, bench.way.is_stopped) == ([UP], True)
    assert kept.is_started
    kept.is_started = False
    changed(bench, (rest, kept), (HookSettings("h", on=("upload",)), new))
    bench.publish(UP, DOWN)
    assert (bench.way.told, kept.told, new.told) == ([UP], [DOWN], [UP])
    assert (kept.is_started, kept.is_stopped, new.is_started) == (False, False, True)


def test_what_an_old_command_has_begun_ends_normally_or_with_the_service():
    bench, old, new = Bench(on=("upload",)), OldWay(), Way()
    changed(bench, (HookSettings("h", on=("upload",), max_running=2), old))
    changed(bench, (HookSettings("h", on=("upload",), max_running=3), new))
    assert (old.is_stopped, new.is_started) == (False, True)
    ended = []
    bench.service.finish().addCallback(ended.append)
    assert (old.is_hurried, ended) == (True, [])
    old.ending.callback(None)
    assert ended


def test_a_new_webhook_waits_for_the_one_that_has_its_spool():
    bench = Bench(on=("refusal",))
    ways = [Exclusive(), Exclusive(), Exclusive()]
    ways[0].ending = Deferred()
    for number, way in enumerate(ways):
        changed(bench, (HookSettings("w", on=("upload",), max_waiting=number + 1), way))
    assert [way.is_started for way in ways] == [True, False, False]
    assert bench.publish(UP) == []
    assert ways[2].told == [UP]
    ways[0].ending.callback(None)
    assert [way.is_started for way in ways] == [True, True, True]
    assert [way.is_stopped for way in ways] == [True, True, False]
    ended = []
    bench.service.finish().addCallback(ended.append)
    assert ways[2].is_stopped
    assert ended


def test_gates_of_tables_that_stay_are_kept_and_a_table_that_cannot_work_changes_nothing():
    service, terms = HookService([], Clock()), {"gate": True, "command": ("/bin/true",)}
    first, second = (HookSettings(name, ("upload",), **terms) for name in ("a", "b"))
    service.use(service.plan([first], None))
    (kept,) = service.gates
    service.use(service.plan([second, first], None))
    assert [rule.name for rule in service.gates] == ["b", "a"]
    assert service.gates[1] is kept
    with pytest.raises(ValueError, match="hook 'p': plugin nothing"):
        service.plan([HookSettings("p", ("upload",), gate=True, plugin="nothing")], None)
    assert service.gates[1] is kept
