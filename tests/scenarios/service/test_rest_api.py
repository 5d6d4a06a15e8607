"""The REST API of a whole service: what programs of an operator do with it."""

from __future__ import annotations

import ftplib
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.command_service import SECRET, CommandService
from tests.support.service_process import PATIENCE, Program

STRONG = "correct horse battery staple 9"
HOSTILE = "<img src=x onerror=alert(1)>\u202e'\""


class Api:
    """A service with the account ``ann``, and requests with a token."""

    def __init__(self, service: CommandService, served: Program) -> None:
        self.service, self.served = service, served
        self.port = int(served.line(r" http://127\.0\.0\.1:(\d+)/")[1])
        self.token = self.new_token("all", "read", "steer", "accounts")
        self.reader = self.new_token("reader", "read")

    def new_token(self, name: str, *scopes: str) -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        place = ["--data-dir", str(self.service.place / "var")]
        done = CliRunner().invoke(ftpservice, ["token", "add", name, *words, *place])
        assert done.exit_code == 0, done.output
        return done.output.strip()

    def ask(self, method: str, path: str, given: Any = None, token: str | None = None) -> Any:
        """Return the status and the JSON value of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE)
        headers = {"Authorization": f"Bearer {token or self.token}"} if token != "" else {}
        body = None if given is None else json.dumps(given)
        connection.request(method, f"/api/v1{path}", body, headers)
        answer = connection.getresponse()
        value = json.loads(answer.read())
        connection.close()
        return answer.status, value

    def await_event(self, path: str, **facts: Any) -> Any:
        """Return the latest event with these facts; the journal is written after what happens."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for event in self.ask("GET", path)[1]["events"]:
                if all(event.get(name) == value for name, value in facts.items()):
                    return event
        raise AssertionError(f"no event {facts}")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    service = CommandService(tmp_path_factory.mktemp("api"))
    service.add()
    words = ["--http=tcp:0:interface=127.0.0.1", "--auth=passwd:passwd.db"]
    with service.serve(*words) as served:
        yield Api(service, served)
        assert served.stopped() == 0


def test_sessions_are_seen_and_ended_and_the_event_names_who_did_it(api: Api) -> None:
    client = api.service.client(api.served)
    _, (session,) = api.ask("GET", "/sessions?user=ann")
    assert (session["user"], session["address"], session["transfer"]) == ("ann", "127.0.0.1", None)
    assert api.ask("GET", f"/sessions/{session['session']}")[0] == 200
    assert api.ask("DELETE", f"/sessions/{session['session']}") == (200, [session["session"]])
    with pytest.raises(ftplib.error_temp, match="421"):
        client.voidcmd("NOOP")
    client.close()
    target = f"session {session['session']}"
    kick = api.await_event("/events?kind=admin&limit=50", action="kick", target=target)
    assert kick["user"] == "token all"
    for path in ("/sessions/999999", "/sessions/x", "/sessions/" + "9" * 40):
        assert api.ask("DELETE", path)[0] == 404


def test_a_running_transfer_has_progress(api: Api) -> None:
    client = api.service.client(api.served)
    data = client.transfercmd(f"STOR {HOSTILE.replace('/', '')}")
    data.sendall(b"x" * 100_000)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        _, found = api.ask("GET", "/transfers")
        if found and found[0]["transfer"]["moved"] == 100_000:
            break
    (row,) = found
    assert row["transfer"]["upload"] is True
    assert row["transfer"]["path"] == "/" + HOSTILE
    assert row["transfer"]["moved"] == 100_000
    assert api.ask("POST", "/sessions/end", {"user": "ann"})[1] == [row["session"]]
    data.close()
    client.close()
    told = api.await_event("/events?problems=yes&limit=10", kind="transfer", user="ann")
    assert (told["path"], told["session"]) == ("/" + HOSTILE, row["session"])
    assert api.ask("GET", "/report")[0] == 200


def test_addresses_are_banned_and_bans_are_lifted(api: Api) -> None:
    status, ban = api.ask("POST", "/bans", {"network": "192.0.2.0/24", "duration": "2h"})
    assert (status, ban["network"], ban["ended"]) == (200, "192.0.2.0/24", [])
    assert [one["network"] for one in api.ask("GET", "/bans")[1]] == ["192.0.2.0/24"]
    assert api.ask("POST", "/bans/lift", {"network": "192.0.2.0/24"})[0] == 200
    assert api.ask("POST", "/bans/lift", {"network": "192.0.2.0/24"})[0] == 400
    assert api.ask("POST", "/bans", {"network": "nonsense"})[0] == 400
    assert api.ask("GET", "/bans") == (200, [])
    api.await_event("/events?kind=ban&limit=10", action="lift", target="192.0.2.0/24")
    api.await_event("/events?kind=ban&limit=10", action="ban", target="192.0.2.0/24")
    api.served.line(r"192\.0\.2\.0/24 is banned until")


def test_accounts_are_added_changed_locked_and_removed(api: Api) -> None:
    new = {"name": "bob", "password": STRONG, "root": "/bob", "rights": "read", "quota": "10M"}
    status, added = api.ask("POST", "/accounts", new)
    assert (status, added["quota_bytes"], added["rights"]) == (200, 10 * 1024**2, ["read"])
    assert "password" not in json.dumps(added)
    assert api.ask("POST", "/accounts", new)[0] == 409
    _, changed = api.ask("PATCH", "/accounts/bob", {"quota": "none", "from": ["10.0.0.0/8"]})
    assert (changed["quota_bytes"], changed["networks"]) == (None, ["10.0.0.0/8"])
    assert api.ask("POST", "/accounts/bob/lock")[1]["locked"] is True
    assert api.ask("POST", "/accounts/bob/unlock")[1]["locked"] is False
    status, weak = api.ask("POST", "/accounts/bob/password", {"password": "12345"})
    assert (status, "too weak" in weak["detail"]) == (400, True)
    assert api.ask("POST", "/accounts/bob/password", {"password": STRONG + "2"})[0] == 200
    assert {one["name"] for one in api.ask("GET", "/accounts")[1]["accounts"]} == {"ann", "bob"}
    assert api.ask("DELETE", "/accounts/bob")[0] == 200
    assert api.ask("GET", "/accounts/bob")[0] == 404


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/accounts", {"name": "a:b", "password": STRONG}),
        ("/accounts", {"name": "@staff", "password": STRONG}),
        ("/accounts", {"name": "x", "password": ""}),
        ("/accounts", {"name": "x", "password": STRONG + "\n"}),
        ("/accounts", {"name": "x", "password": STRONG, "rights": "everything"}),
        ("/accounts", {"name": "x", "password": STRONG, "disabled": "yes"}),
        ("/accounts", {"name": "x", "password": STRONG, "groups": "missing"}),
        ("/groups", {"name": "a b:c"}),
        ("/service/drain", {"undo": "yes"}),
        ("/sessions/end", {}),
    ],
)
def test_what_is_not_possible_is_refused_with_the_reason(api: Api, path: str, given: Any) -> None:
    status, problem = api.ask("POST", path, given)
    assert status == 400
    assert problem["detail"]


def test_groups_are_added_changed_and_removed(api: Api) -> None:
    assert api.ask("POST", "/groups", {"name": "staff", "quota": "1G"})[1]["name"] == "staff"
    assert api.ask("PATCH", "/groups/staff", {"quota": "2G"})[1]["quota_bytes"] == 2 * 1024**3
    assert [one["name"] for one in api.ask("GET", "/groups")[1]] == ["staff"]
    assert api.ask("DELETE", "/groups/staff") == (200, {"removed": "staff"})


def test_the_state_of_the_service_is_told(api: Api) -> None:
    state = api.ask("GET", "/service")[1]
    assert state["accepts"] is True
    assert state["caller"] == "token all"
    assert all(one["free"] > 0 for one in api.ask("GET", "/storage")[1])
    assert api.ask("GET", "/certificates")[1]["certificates"]
    assert api.ask("GET", "/quotas/ann")[1]["bytes"] >= 0
    assert api.ask("POST", "/quotas/ann/recount")[0] == 200
    assert api.ask("GET", "/quotas/nobody")[0] == 400
    assert api.ask("POST", "/certificates/renew", {})[0] == 400
    assert api.ask("POST", "/service/drain", {})[1]["accepts"] is False
    assert api.ask("POST", "/service/drain", {"undo": True})[1]["accepts"] is True


def test_a_token_may_do_what_its_scopes_say(api: Api) -> None:
    assert api.ask("GET", "/sessions", token="")[0] == 401
    assert api.ask("GET", "/sessions", token="fts_wrong")[0] == 401
    connection = http.client.HTTPConnection("127.0.0.1", api.port, PATIENCE)
    assert api.ask("GET", "/sessions", token=api.reader)[0] == 200
    for method, path in (("DELETE", "/sessions/1"), ("GET", "/accounts"), ("POST", "/bans")):
        assert api.ask(method, path, token=api.reader)[0] == 403
    connection.request("GET", "/api/v1/openapi.json")
    assert json.loads(connection.getresponse().read())["openapi"] == "3.1.0"
    connection.close()


def test_what_does_not_exist_is_a_problem(api: Api) -> None:
    assert api.ask("GET", "/nothing")[0] == 404
    assert api.ask("PUT", "/sessions")[0] == 405
    assert api.ask("GET", "/sessions?other=1")[0] == 400
    assert api.ask("GET", "/events?limit=0")[0] == 400
    assert api.ask("GET", "/accounts/@staff")[0] == 404
    assert SECRET not in api.served.output


def test_a_trace_is_started_downloaded_stopped_and_removed(api: Api) -> None:
    def transcript(id: str) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, PATIENCE)
        headers = {"Authorization": f"Bearer {api.token}"}
        connection.request("GET", f"/api/v1/traces/{id}/transcript", headers=headers)
        answer = connection.getresponse()
        assert answer.headers["Content-Disposition"].startswith("attachment")
        lines = answer.read().splitlines()
        connection.close()
        return [json.loads(line) for line in lines]

    assert api.ask("GET", "/traces", token=api.reader) == (200, [])
    assert api.ask("POST", "/traces", {"target": "ann"}, token=api.reader)[0] == 403
    for given, text in (
        ({"target": ""}, "a session or an account"),
        ({"target": "4711"}, "no session 4711"),
        ({"target": "ann", "duration": "5"}, "has no unit"),
        ({"target": "ann", "duration": "2d"}, "at most a day"),
    ):
        status, problem = api.ask("POST", "/traces", given)
        assert (status, text in problem["detail"]) == (400, True)
    status, trace = api.ask("POST", "/traces", {"target": "ann", "duration": "10m"})
    assert (status, trace["target"], trace["by"], trace["ended"]) == (200, "ann", "token all", "")
    client = api.service.client(api.served)
    client.voidcmd("NOOP")
    records = transcript(trace["id"])
    assert records[0]["trace"] == 1
    commands = [one["command"] for one in records if "command" in one]
    assert commands == ["USER ann", "PASS ***", "NOOP"]
    status, stopped = api.ask("POST", f"/traces/{trace['id']}/stop")
    assert (status, stopped["ended"]) == (200, "stopped by token all")
    client.voidcmd("NOOP")
    assert transcript(trace["id"]) == records
    (row,) = api.ask("GET", "/sessions?user=ann")[1]
    number = str(row["session"])
    _, of_session = api.ask("POST", "/traces", {"target": number, "redact_names": True})
    client.quit()
    deadline = time.monotonic() + PATIENCE
    while not api.ask("GET", "/traces")[1][0]["ended"]:
        assert time.monotonic() < deadline
    assert api.ask("GET", "/traces")[1][0]["ended"] == "the session has ended"
    assert transcript(of_session["id"])[-1]["closed"] == "closed"
    for one in (trace, of_session):
        assert api.ask("DELETE", f"/traces/{one['id']}")[0] == 200
    assert api.ask("DELETE", f"/traces/{trace['id']}")[0] == 404
    assert api.ask("GET", "/traces") == (200, [])
    api.await_event("/events?kind=admin&limit=50", action="trace", target="ann")
