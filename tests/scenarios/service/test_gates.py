"""Gates of a real service: commands that hold uploads, deletions and logins."""

import json
import os
from pathlib import Path

import pytest

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.events import LoggedIn, LoginFailed, Outcome, TransferEnded, UploadRefused
from tests.support.process_groups import group_has_ended
from tests.support.raw_client import in_thread, starting
from tests.support.simple_client import SimpleWire

__all__ = ["starting"]

SIMPLE = ("--simple", "tcp:0:interface=127.0.0.1")
NO_BAD = "grep -q bad $FTPSERVICE_FILE && { echo it has a bad word; exit 1; }; exit 0"
GUARD = f"""
[[hook]]
name = "words"
on = ["upload"]
gate = true
paths = ["/in/**", "*.txt"]
command = ["/bin/sh", "-c", "{NO_BAD}"]
"""


class Gated:
    """A service with hooks, and its events."""

    def __init__(self, server, place: Path, hooks: str, *options: str) -> None:
        settings = place / "ftp.toml"
        settings.write_text(hooks)
        self.served = server("--config", str(settings), *SIMPLE, *options)
        (self.served.root / "in").mkdir()
        self.events: list = []
        self.served.factory.event_sink.events.subscribe(self.events.append)

    def of(self, kind: type) -> list:
        return [event for event in self.events if type(event) is kind]

    def files(self) -> dict[str, bytes]:
        root = self.served.root
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    def simple(self, name: str = "demo") -> SimpleWire:
        wire = SimpleWire(self.served, self.served.connected(("127.0.0.1", self.served.ports[-1])))
        wire.line()
        return wire.login(name)


@pytest.fixture
def gated(server, tmp_path):
    return lambda hooks=GUARD, *options: Gated(server, tmp_path, hooks, *options)


@in_thread
def test_a_refused_upload_gets_the_text_of_the_gate_and_nothing_is_left(gated) -> None:
    service = gated()
    wire = service.served.session()
    (service.served.root / "old.txt").write_bytes(b"old ")
    refused = [
        wire.upload("STOR in/a", b"a bad one"),
        wire.upload("STOR a.txt", b"bad" * 100_000),
        wire.upload("APPE old.txt", b"bad"),
        wire.upload("STOU in/b", b"bad"),
    ]
    assert [(one.code, one.text) for one in refused] == [(550, "it has a bad word")] * 4
    assert service.files() == {"old.txt": b"old "}
    gates = {(event.refused_by, event.text, event.code) for event in service.of(UploadRefused)}
    assert gates == {("words", "it has a bad word", 550)}
    assert all(event.outcome is Outcome.REFUSED for event in service.of(TransferEnded))
    assert wire.upload("STOR in/a", b"a good one").code == 226
    assert wire.upload("APPE old.txt", b"and new").code == 226
    assert wire.upload("STOR other", b"bad, but no gate").code == 226
    assert service.files() == {
        "in/a": b"a good one",
        "old.txt": b"old and new",
        "other": b"bad, but no gate",
    }


@in_thread
def test_there_is_no_way_around_a_gate(gated) -> None:
    service = gated()
    wire = service.served.session()
    assert wire.upload("STOR part", b"bad").code == 226
    assert wire.ask("RNFR part").code == 350
    assert wire.ask("RNTO in/part").code == 550
    assert wire.codes("MKD d", "RNFR part", "RNTO d/part", "RNFR d") == [257, 350, 250, 350]
    assert wire.ask("RNTO in/d").code == 550
    assert wire.ask("RNTO IN/d").code in (503, 550)
    assert wire.upload("STOR d/b.csv", b"fine").code == 226
    assert wire.codes("RNFR d/b.csv", "RNTO in/b.txt") == [350, 250]
    # An interrupted upload whose beginning has the bad word.
    assert wire.code("TYPE I") == 200
    assert wire.ask("ALLO 10").code == 200
    assert wire.upload("STOR in/c", b"bad").code == 426
    assert wire.ask("REST 3").code == 350
    assert wire.upload("STOR in/c", b" end").code == 550
    os.symlink("in", service.served.root / "link")
    assert wire.ask("PASV").code == 227
    assert wire.ask("STOR link/e").code == 550
    assert service.files() == {"d/part": b"bad", "in/b.txt": b"fine"}


@in_thread
def test_the_simple_protocol_asks_as_well_for_single_uploads_and_batches(gated) -> None:
    service = gated()
    wire = service.simple()
    assert wire.upload("in/a", b"bad").startswith("ERR DENIED it has a bad word")
    wire.send("".join(f"UPLD 3+ in/{n}\n{text}" for n, text in enumerate(("bad", "yes", "bad"))))
    answers = [wire.line() for _ in range(3)]
    assert answers[0] == answers[2] == "ERR DENIED it has a bad word"
    assert answers[1].startswith("OK") or answers[1] == "3 in/1"
    assert service.files() == {"in/1": b"yes"}
    assert {event.refused_by for event in service.of(UploadRefused)} == {"words"}
    wire.close()


NEW_NAME = '{"name": "2026/%s", "unique": true}'
RENAMES = f"""
[[hook]]
name = "folders"
on = ["upload"]
gate = true
command = ["/usr/bin/printf", {json.dumps(NEW_NAME)}, "a"]
"""


@in_thread
def test_a_gate_changes_the_name_and_reply_and_events_tell_it(gated) -> None:
    service = gated(RENAMES)
    wire = service.served.session()
    answers = [wire.upload("STOR a", content) for content in (b"1", b"22")]
    assert [one.code for one in answers] == [226, 226]
    assert "/2026/a." in answers[0].text
    assert "/2026/a.1" in answers[1].text
    simple = service.simple()
    assert simple.upload("a", b"333").startswith("OK")
    assert service.files() == {"2026/a": b"1", "2026/a.1": b"22", "2026/a.2": b"333"}
    paths = [event.path for event in service.of(TransferEnded)]
    assert paths == ["/2026/a", "/2026/a.1", "/2026/a.2"]
    simple.close()


@in_thread
def test_while_a_gate_runs_the_control_connection_answers_and_an_abort_can_be_resumed(
    gated, tmp_path
) -> None:
    begun = tmp_path / "begun"
    script = f"echo $$ > {begun}; sleep 600 & wait"
    hook = f"""[[hook]]
name = "slow"
on = ["upload"]
gate = true
time-limit = "1h"
command = ["/bin/sh", "-c", "{script}"]
"""
    service = gated(hook)
    wire = service.served.session()
    end = wire.data()
    wire.send("STOR a\r\n")
    assert wire.reply().code == 150
    end.sendall(b"content")
    end.close()
    service.served.wait_for(lambda: begun.exists() and begun.read_text().strip())
    group = int(begun.read_text())
    assert wire.code("NOOP") == 200
    assert wire.ask("STAT").code == 211
    assert all(name.startswith(".ftpservice.") for name in service.files())  # hidden
    assert wire.ask("ABOR").code == 426
    assert wire.reply().code == 226
    assert all(name.startswith(".ftpservice.") for name in service.files())

    service.served.wait_for(lambda: group_has_ended(group))
    assert service.of(TransferEnded)[0].outcome is Outcome.ABORTED
    assert [wire.code(line) for line in ("TYPE I", "SIZE a", "REST 7")] == [200, 213, 350]
    begun.unlink()
    again = wire.data()
    wire.send("STOR a\r\n")
    assert wire.reply().code == 150
    again.close()
    service.served.wait_for(lambda: begun.exists() and begun.read_text().strip())
    wire.end.close()  # a cut of the control connection
    service.served.wait_for(lambda: group_has_ended(int(begun.read_text())))
    service.served.wait_for(lambda: len(service.of(TransferEnded)) == 2)
    other = service.served.session()
    assert [other.code(line) for line in ("TYPE I", "SIZE a")] == [200, 213]


@in_thread
@pytest.mark.parametrize("failure", ["sleep 600", "exit 3", "kill -9 $$"])
@pytest.mark.parametrize("accepts", [False, True])
def test_a_gate_that_hangs_or_fails_refuses_or_accepts(gated, failure, accepts) -> None:
    hook = f"""[[hook]]
name = "broken"
on = ["upload"]
gate = true
time-limit = 0.3
on-failure = "{"accept" if accepts else "refuse"}"
command = ["/bin/sh", "-c", "{failure}"]
"""
    service = gated(hook)
    answer = service.served.session().upload("STOR a", b"content")
    assert answer.code == (226 if accepts else 550)
    assert service.files() == ({"a": b"content"} if accepts else {})


@in_thread
def test_deletions_and_logins_are_asked_about(gated) -> None:
    hooks = """
[[hook]]
name = "keep"
on = ["delete"]
gate = true
paths = ["/in/**"]
command = ["/bin/sh", "-c", "echo It has to stay.; exit 1"]

[[hook]]
name = "members"
on = ["login"]
gate = true
accounts = ["other"]
command = ["/bin/sh", "-c", "read x; echo not $FTPSERVICE_USER from $FTPSERVICE_PEER; exit 1"]
"""
    service = gated(hooks)
    wire = service.served.session()
    assert wire.upload("STOR in/a", b"x").code == 226
    refused = wire.ask("DELE in/a")
    assert (refused.code, refused.text) == (550, "It has to stay.")
    simple = service.simple()
    assert simple.ask("DELF in/a") == "ERR DENIED It has to stay."
    simple.close()
    assert wire.upload("STOR b", b"x").code == 226
    assert wire.code("DELE b") == 250
    other = service.served.wire()
    assert other.code("USER other") == 331
    answer = other.ask("PASS demo")
    assert (answer.code, answer.text) == (530, "Login failed.")
    (event,) = service.of(LoginFailed)
    assert event.reason.value == "refused by a gate"
    assert event.detail == "members: not other from 127.0.0.1"
    assert {event.user for event in service.of(LoggedIn)} == {"demo"}


@in_thread
def test_an_upload_that_ends_while_the_service_stops_is_still_asked_about(gated, tmp_path) -> None:
    told = tmp_path / "told"
    hooks = f"""{GUARD}
[[hook]]
name = "tell"
on = ["upload"]
command = ["/bin/sh", "-c", "cat >> {told}"]
"""
    service = gated(hooks)
    wires = [service.served.session() for _ in range(2)]
    ends = []
    for number, wire in enumerate(wires):
        ends.append(wire.data())
        wire.send(f"STOR in/{number}\r\n")
        assert wire.reply().code == 150
    service.served.in_reactor(lambda: service.served.service.stopService() and None)
    for end, content in zip(ends, (b"bad", b"good"), strict=True):
        end.sendall(content)
        end.close()
    assert [wire.reply().code for wire in wires] == [550, 226]
    assert service.files() == {"in/1": b"good"}
    service.served.wait_for(lambda: told.exists() and told.read_text())
    assert json.loads(told.read_text())["path"] == "/in/1"


@in_thread
def test_gates_hold_in_mounts_and_with_quotas_and_what_is_refused_is_not_counted(
    server, tmp_path
) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    with (tmp_path / "passwd.db").open("a") as accounts:
        accounts.write(f"ann:{SHIPPED_HASH}:/:full:quota=100K,mount=/in=local\\:{mounted}\n")
        accounts.write(f"bob:{SHIPPED_HASH}:/:full:quota=100K\n")
    service = Gated(
        server, tmp_path, GUARD + RENAMES.replace('"upload"]', '"upload"]\npaths=["*.r"]')
    )
    for name, directory in (("ann", mounted), ("bob", service.served.root / "in")):
        wire = service.served.session(name)
        for _ in range(3):
            assert wire.upload("STOR in/a", b"bad" + b"x" * 60_000).code == 550
        assert list(directory.iterdir()) == []
        assert wire.upload("STOR in/a", b"x" * 60_000).code == 226
        assert wire.upload("APPE in/a", b"bad").code == 550
        assert wire.upload("STOR in/b", b"x" * 60_000).code == 552
        assert (directory / "a").stat().st_size == 60_000
        assert wire.upload("STOR in/b.r", b"x" * 20_000).code == 226  # renamed by a copy
        assert (directory / "2026/a").stat().st_size == 20_000
        assert [path.name for path in directory.iterdir() if path.is_file()] == ["a"]
