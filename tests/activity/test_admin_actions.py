"""What is published of the actions of administrators."""

import pytest
from twisted.internet.defer import Deferred, succeed

from ftpservice.activity.admin_actions import publishing_actions
from ftpservice.events import AdminAction


def published(command, result, **request):
    events = []
    actions = publishing_actions({command: lambda _request: result}, events.append, lambda: 5.0)
    answer = actions[command]({"command": command, "by": "uid 1000", **request})
    if isinstance(answer, Deferred):
        answer = answer.result
    assert answer == (result.result if isinstance(result, Deferred) else result)
    return events


@pytest.mark.parametrize(
    ("command", "result", "request_", "facts"),
    [
        ("kick", [3], {"session": 3}, ("kick", "session 3", "ended 1 session")),
        ("kick", [3, 4], {"user": "ann"}, ("kick", "ann", "ended 2 sessions")),
        (
            "ban",
            {"network": "192.0.2.0/24", "ended": []},
            {"duration": "1h", "reason": "scans"},
            ("ban", "192.0.2.0/24", "for 1h, scans, ended 0 sessions"),
        ),
        ("unban", None, {"network": "192.0.2.1"}, ("unban", "192.0.2.1", "")),
        ("drain", {"sessions": 2}, {}, ("drain", "", "2 sessions left")),
        ("drain", {}, {"undo": True}, ("drain", "", "undone: sessions are accepted again")),
        (
            "quota",
            succeed({"user": "ann", "bytes": 5, "files": 1}),
            {"user": "ann", "recount": True},
            ("quota recount", "ann", "5 bytes, 1 file"),
        ),
        ("certificate", succeed({}), {"renew": True}, ("certificate renew", "", "")),
        ("retention-run", succeed({}), {}, ("retention run", "all accounts", "")),
    ],
)
def test_an_action_is_published_with_who_did_it(command, result, request_, facts):
    assert published(command, result, **request_) == [AdminAction(5.0, 0, "", "uid 1000", *facts)]


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        ("who", {}),
        ("drain", {"ask": True}),
        ("quota", {"user": "ann"}),
        ("certificate", {}),
        ("retention-run", {"dry_run": True}),
    ],
)
def test_a_question_is_not_published(command, request_):
    assert published(command, {"sessions": 1}, **request_) == []


def test_an_action_that_fails_is_not_published():
    def fails(_request):
        raise ZeroDivisionError

    events = []
    actions = publishing_actions({"kick": fails}, events.append, lambda: 5.0)
    with pytest.raises(ZeroDivisionError):
        actions["kick"]({"session": 1})
    assert events == []
