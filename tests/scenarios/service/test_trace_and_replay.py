"""Sessions are traced over the control socket and replayed against other services."""

import ftplib
import io
import json
import ssl
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpservice.admin.activity.trace_command import write_trace
from ftpservice.admin.cli import ftpservice
from tests.support.raw_client import RunningService, in_thread, started, starting
from tests.support.tls_endpoints import client_context

FIXTURES = (started, starting)
TRANSCRIPT = Path(__file__).parents[2] / "support/transcripts/upload_and_rename.jsonl"
PLAIN = "--allow-plaintext"


class Trace(threading.Thread):
    """A trace into a file, in a thread of its own."""

    def __init__(self, served: RunningService, socket: Path, number: int, **wanted) -> None:
        super().__init__()
        self.file = socket.with_name("session.jsonl")
        self.words = (str(socket), {"target": str(number), **wanted}, str(self.file))
        self.start()
        served.wait_for(
            lambda: any("write" in vars(one.outgoing) for one in served.factory.instances)
        )

    def run(self) -> None:
        write_trace(*self.words)

    def records(self) -> list[dict]:
        self.join(20)
        assert not self.is_alive()
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def replay(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(ftpservice, ["replay", *words, "--password-stdin"], input="demo\n")
    return done.exit_code, done.output


def url(served: RunningService) -> str:
    return f"ftp://demo@127.0.0.1:{served.port}"


def work(client: ftplib.FTP) -> None:
    """Use most kinds of commands."""
    client.mkd("plans")
    client.cwd("plans")
    client.storbinary("STOR old", io.BytesIO(b"x" * 300_000))
    client.set_pasv(False)
    client.storbinary("APPE old", io.BytesIO(b"y"))
    client.set_pasv(True)
    client.rename("old", "new")
    assert client.size("new") == 300_001
    client.retrlines("LIST", len)
    client.retrbinary("RETR new", len)
    with pytest.raises(ftplib.error_perm):
        client.delete("missing")
    client.voidcmd("SITE CHMOD 600 new")
    client.quit()


def traced_file(served: RunningService, place: Path, client: ftplib.FTP, **wanted) -> Trace:
    client.connect("127.0.0.1", served.port, 15)
    (session,) = served.factory.sessions
    trace = Trace(served, place / "control.sock", session, **wanted)
    if isinstance(client, ftplib.FTP_TLS):
        client.auth()
    client.login("demo", "demo")
    if isinstance(client, ftplib.FTP_TLS):
        client.prot_p()
    work(client)
    client.close()
    trace.records()
    return trace


@in_thread
def test_a_session_is_traced_and_replayed(server, tmp_path) -> None:
    served = server(PLAIN, "--control-socket", str(tmp_path / "control.sock"))
    trace = traced_file(served, tmp_path, ftplib.FTP())
    text = trace.file.read_text()
    assert trace.file.stat().st_mode & 0o777 == 0o600
    assert "xxx" not in text
    sizes = [(one["transfer"], one["size"]) for one in trace.records() if "transfer" in one]
    assert sizes == [("upload", 300_000), ("upload", 1), ("download", 300_001)]
    # The directory exists now: MKD differs, and only that.
    status, shown = replay(str(trace.file), url(served))
    assert status == 1
    assert "MKD plans\n- 257 " in shown
    assert "\n+ 550 " in shown
    assert shown.endswith(" replies compared, 1 differs\n")
    for file in (served.root / "plans").iterdir():
        file.unlink()
    (served.root / "plans").rmdir()
    status, shown = replay(str(trace.file), url(served), "--texts")
    assert (status, shown.endswith("none differs\n")) == (0, True), shown
    assert (served.root / "plans/new").stat().st_size == 300_001


@in_thread
def test_a_session_under_tls_with_hidden_names_is_replayed(server, tmp_path) -> None:
    served = server(
        "--control-socket", str(tmp_path / "control.sock"), "--data-dir", str(tmp_path / "data")
    )
    trace = traced_file(
        served,
        tmp_path,
        ftplib.FTP_TLS(context=client_context(ssl.TLSVersion.TLSv1_2)),
        redact_names=True,
    )
    assert "plans" not in trace.file.read_text()
    status, shown = replay(str(trace.file), url(served), "--insecure")
    assert (status, shown.endswith("none differs\n")) == (0, True), shown
    assert (served.root / "name-1/name-3").exists()
    status, shown = replay(str(trace.file), url(served))
    assert status == 1
    assert "CERTIFICATE_VERIFY_FAILED" in shown


@in_thread
def test_a_transcript_is_a_test(server) -> None:
    served = server(PLAIN)
    status, shown = replay(str(TRANSCRIPT), url(served), "--texts")
    assert (status, shown) == (0, "16 replies compared, none differs\n")


@in_thread
def test_what_cannot_be_played_is_told(server, tmp_path) -> None:
    served = server(PLAIN)
    missing, broken = tmp_path / "missing", tmp_path / "broken"
    broken.write_text("USER ann\n")
    assert replay(str(missing), url(served)) == (
        1,
        f"ftpservice: {missing}: No such file or directory\n",
    )
    assert "line 1 is no record of a trace" in replay(str(broken), url(served))[1]
    assert replay(str(TRANSCRIPT), url(served), "--session", "9")[0] == 1
    header, upload = '{"trace": 1}', {"session": 1, "at": 0.0, "transfer": "upload", "size": 10**12}
    steps = [{"session": 1, "at": 0.0, "reply": 220, "lines": []}]
    steps += [{"session": 1, "at": 0.0, "command": "STOR a"}, upload]
    broken.write_text("\n".join([header, *map(json.dumps, steps), ""]))
    assert "more than --max-upload (1073741824)" in replay(str(broken), url(served))[1]
    assert replay(str(broken), url(served), "--max-upload", "x")[0] == 2
    joined = {"session": 1, "at": 0.0, "joined": [], "login": True, "tls": False}
    broken.write_text('{"trace": 1}\n' + json.dumps(joined) + "\n")
    assert replay(str(broken), url(served)) == (0, "0 replies compared, none differs\n")
    assert replay(str(TRANSCRIPT), "http://127.0.0.1")[0] == 2
    unused = f"ftp://demo@127.0.0.1:{served.port}"
    served.in_reactor(lambda: served.service.ports[0].stopListening())
    status, shown = replay(str(TRANSCRIPT), unused)
    assert (status, "refused" in shown) == (3, True)


@in_thread
def test_a_session_that_was_logged_in_is_replayed_from_its_state(server, tmp_path) -> None:
    served = server(PLAIN, "--control-socket", str(tmp_path / "control.sock"))
    (served.root / "plans").mkdir()
    wire = served.session()
    assert [wire.code("CWD plans"), wire.code("TYPE I")] == [250, 200]
    trace = Trace(served, tmp_path / "control.sock", 1)
    assert wire.code("PWD") == 257
    assert wire.code("QUIT") == 221
    wire.end.close()
    assert trace.records()[1]["joined"] == ["TYPE I", "CWD /plans"]
    status, shown = replay(str(trace.file), url(served), "--texts")
    assert (status, shown) == (0, "2 replies compared, none differs\n")
    status, shown = replay(str(trace.file), f"ftp://127.0.0.1:{served.port}")
    assert (status, "give a user in the URL" in shown) == (1, True)
    done = CliRunner().invoke(ftpservice, ["replay", str(trace.file), url(served), "--json"])
    assert done.exit_code == 1
    (served.root / "plans").rmdir()
    status, shown = replay(str(trace.file), url(served))
    assert (status, "session 1 cannot begin: CWD: 550" in shown) == (1, True)


@in_thread
def test_a_server_that_ends_early_is_a_difference(server, tmp_path) -> None:
    served = server(PLAIN, "--max-sessions", "1")
    served.session()
    status, shown = replay(str(TRANSCRIPT), url(served))
    assert status == 1
    assert "command 0: the greeting\n- 220 ftpservice ready\n+ 421 " in shown
    assert "+ the server has closed the connection" in shown


@in_thread
def test_traces_that_cannot_begin_are_refused(server, tmp_path) -> None:
    socket = tmp_path / "control.sock"
    served = server(PLAIN, "--control-socket", str(socket))
    served.session()

    def trace(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(ftpservice, ["trace", *words, "--socket", str(socket)])
        return done.exit_code, done.output

    assert trace("99") == (1, "ftpservice: there is no session 99; --user if it is an account\n")
    status, shown = trace("demo", "-o", str(tmp_path / "passwd.db"))
    assert (status, "File exists" in shown) == (1, True)
    assert (tmp_path / "passwd.db").read_text().startswith("demo:")
    served.wait_for(
        lambda: not any("write" in vars(one.outgoing) for one in served.factory.instances)
    )
    served.in_reactor(served.service.stopService)
    assert trace("demo")[0] == 3
