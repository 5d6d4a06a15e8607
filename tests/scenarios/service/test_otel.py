"""Traces of real sessions, at a receiver that decodes them; and without one."""

from __future__ import annotations

import time

import pytest

from ftpservice.activity.otel import span_feed
from tests.support.otlp_receiver import OTLPReceiver, facts
from tests.support.raw_client import in_thread, starting

__all__ = ["starting"]

PATIENCE = 30
SECRET = "correct-horse"
HOOKS = """
[[hook]]
name = "tell"
on = ["upload"]
command = ["/bin/true"]

[[hook]]
name = "scan"
on = ["upload"]
gate = true
command = ["/bin/sh", "-c", "! grep -q BAD $FTPSERVICE_FILE"]
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    for name in ("FLUSH_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(span_feed, name, 0.05)


@pytest.fixture
def receiver():
    with OTLPReceiver() as made:
        yield made


def observed(server, tmp_path, url, *more):
    config = tmp_path / "ftpservice.toml"
    config.write_text(HOOKS)
    data = str(tmp_path / "data")
    return server("--otel-endpoint", url, "--config", str(config), "--data-dir", data, *more)


def feed_of(served):
    (found,) = [one for one in served.service if hasattr(one, "feed")]
    return found.feed


@in_thread
def test_a_session_is_a_trace(server, tmp_path, receiver, monkeypatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    served = observed(server, tmp_path, receiver.url)
    wire = served.wire()
    assert wire.codes(f"USER {SECRET}", f"PASS {SECRET}") == [331, 530]
    wire.login("demo")
    assert wire.upload("STOR ok", b"x" * 100_000).code == 226
    assert wire.upload("STOR no", b"BAD" * 10).code == 550
    assert wire.ask("DELE missing").code == 550
    assert wire.ask(SECRET).code == 500
    assert wire.ask("QUIT").code == 221
    feed = feed_of(served)
    served.wait_for(lambda: any(span.name == "session" for span in receiver.spans))
    served.wait_for(lambda: any(span.name == "hook tell" for span in receiver.spans))
    served.wait_for(lambda: not feed._is_due and feed.exported == len(receiver.spans))
    spans = receiver.spans
    assert len({span.trace_id for span in spans}) == 1
    (root,) = [span for span in spans if not span.parent_span_id]
    assert root.name == "session"
    ids = {span.span_id: span for span in spans}
    uploads = {facts(span.attributes)["file.path"]: span for span in spans if span.name == "upload"}
    assert set(uploads) == {"/ok", "/no"}
    assert facts(uploads["/ok"].attributes)["ftp.transfer.bytes"] == 100_000
    assert uploads["/no"].status.code == 2
    tree = {(span.name, ids[span.parent_span_id].name) for span in spans if span.parent_span_id}
    assert tree >= {
        ("login", "session"),
        ("upload", "session"),
        ("storage open_writing", "session"),
        ("storage commit", "upload"),
        ("gate scan", "upload"),
        ("hook tell", "upload"),
        ("refusal", "session"),
        ("storage remove_file", "session"),
    }
    for span in spans:
        assert root.start_time_unix_nano - 10**9 <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    (resource,) = {
        request.resource_spans[0].resource.SerializeToString() for request in receiver.requests
    }
    named = facts(receiver.requests[0].resource_spans[0].resource.attributes)
    assert named["service.name"] == "ftpservice"
    assert named["deployment.environment.name"] == "test"
    assert SECRET.encode() not in b"".join(one.SerializeToString() for one in receiver.requests)
    assert SECRET.encode() not in resource
    (headers,) = {(one["path"], one["authorization"]) for one in receiver.headers}
    assert headers == ("/v1/traces", "Bearer t")
    assert (feed.exported, feed.lost) == (len(spans), 0)


@in_thread
def test_the_last_spans_come_with_the_end_of_the_service(
    server, tmp_path, receiver, monkeypatch
) -> None:
    monkeypatch.setattr(span_feed, "FLUSH_SECONDS", 600.0)
    served = observed(server, tmp_path, receiver.url)
    wire = served.session()
    assert wire.upload("STOR ok", b"x").code == 226
    assert wire.ask("QUIT").code == 221
    served.in_reactor(served.service.stopService)
    assert {"session", "upload", "login", "hook tell"} <= {span.name for span in receiver.spans}
    assert feed_of(served).lost == 0


@pytest.mark.parametrize("how", ["refuses", "hangs", "is gone"])
@in_thread
def test_a_collector_in_trouble_delays_nothing(
    server, tmp_path, receiver, monkeypatch, how
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    url = receiver.url
    if how == "refuses":
        receiver.status = 400
    elif how == "hangs":
        receiver.held.set()
    else:
        url = "http://127.0.0.1:1"
    served = observed(server, tmp_path, url)
    feed = feed_of(served)
    wire = served.session()
    assert wire.upload("STOR a", b"x").code == 226
    if how == "hangs":
        assert receiver.asked.wait(PATIENCE)
    began = time.monotonic()
    assert wire.upload("STOR b", b"x").code == 226
    assert wire.ask("QUIT").code == 221
    assert time.monotonic() - began < 5
    served.wait_for(lambda: feed.lost >= 4)
    assert (feed.exported, receiver.spans) == (0, [])


@in_thread
def test_sessions_can_be_sampled(server, tmp_path, receiver, monkeypatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    served = observed(server, tmp_path, receiver.url)
    assert served.session().ask("QUIT").code == 221
    feed = feed_of(served)
    served.wait_for(lambda: not feed._queue and not feed._is_due)
    assert (receiver.spans, feed.exported, feed.lost) == ([], 0, 0)
