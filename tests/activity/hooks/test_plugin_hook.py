"""Python plugins, by the name of a plugin or a dotted name."""

import pytest
from twisted.logger import globalLogPublisher

from ftpservice.activity.hooks import plugin_hook
from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.activity.hooks.plugin_hook import PluginHook, plugin_gate, plugin_of
from ftpservice.events import LoggedIn, Outcome, SessionInfo, TransferEnded
from tests.activity.hooks import example_plugins
from tests.activity.hooks.example_plugins import GATE, Gate, NamedPlugin, Subscriber

HERE = "tests.activity.hooks.example_plugins"


def settings(name, argument="", on=("upload",)):
    return HookSettings("h", on, plugin=name, argument=argument)


def test_a_dotted_name_is_an_object_or_makes_one():
    assert plugin_of(settings(f"{HERE}.GATE")) is GATE
    assert isinstance(plugin_of(settings(f"{HERE}.Gate")), Gate)
    made = plugin_of(settings(f"{HERE}.Subscriber", "x"))
    assert isinstance(made, Subscriber)
    assert made.argument == "x"


def test_a_plugin_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr(plugin_hook, "getPlugins", lambda _interface: [NamedPlugin()])
    assert plugin_of(settings("named", "x")).argument == "built with x"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unknown", "there is no plugin of that name"),
        (f"{HERE}.Nothing", "has no Nothing"),
        ("no_such_module.Gate", "ModuleNotFoundError"),
        (f"{HERE}.broken", "ZeroDivisionError: boom"),
    ],
)
def test_what_cannot_be_made_is_an_error(name, reason):
    with pytest.raises(ValueError, match=reason):
        plugin_of(settings(name))


def test_it_has_to_provide_what_it_is_used_for():
    with pytest.raises(ValueError, match="does not provide IEventSubscriber"):
        PluginHook(settings(f"{HERE}.Gate"))
    with pytest.raises(ValueError, match="does not provide IDeleteGate"):
        plugin_gate(settings(f"{HERE}.Gate", on=("upload", "delete")))
    assert isinstance(plugin_gate(settings(f"{HERE}.Gate")), Gate)
    with pytest.raises(ValueError, match=r"Incomplete.*event_happened"):
        PluginHook(settings(f"{HERE}.Incomplete"))
    with pytest.raises(ValueError, match=r"Incomplete.*check_upload"):
        plugin_gate(settings(f"{HERE}.Incomplete"))


def test_an_error_of_a_subscriber_is_logged():
    found = []
    hook = PluginHook(settings(f"{HERE}.Subscriber", "fails"))
    globalLogPublisher.addObserver(found.append)
    hook.deliver("event", {})
    globalLogPublisher.removeObserver(found.append)
    assert hook.record.counts == {"delivered": 0, "failed": 1, "dropped": 0}
    assert [one["log_format"] for one in found] == ["the hook {name} failed"]
    assert example_plugins.GATE is GATE


def test_who_listens_learns_which_event_a_subscriber_was_told_of():
    hook, runs = PluginHook(settings(f"{HERE}.Subscriber")), []
    event = TransferEnded(
        *(1.0, 7, "192.0.2.1", "ann", "/a", True, Outcome.COMPLETE, 5, 0.5),
        transfer=3,
        info=SessionInfo("s-7"),
    )
    hook.deliver(event, {})
    hook.record.listener = runs.append
    hook.deliver(event, {})
    hook.deliver(LoggedIn(1.0, 7, "192.0.2.1", "ann", info=SessionInfo("s-7")), {})
    assert hook.record.counts["delivered"] == 3
    assert [(run.about, run.session, run.transfer) for run in runs] == [
        ("upload", "s-7", "s-7-3"),
        ("login", "s-7", ""),
    ]
    assert 0 <= sum(run.seconds for run in runs) <= hook.record.seconds
