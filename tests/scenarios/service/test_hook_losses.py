"""A service that is killed while its webhook's receiver is down: no event is lost."""

import io
import json
import sqlite3
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

from benchmarks.ports import free_port
from tests.support.command_service import CommandService
from tests.support.service_process import PATIENCE

FILES = [f"/{number}.txt" for number in range(5)]


def stored(spool):
    """Return the number of events in a spool that another process writes."""
    if not spool.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as database:
            return database.execute("select count(*) from delivery").fetchone()[0]
    except sqlite3.OperationalError:  # its table is being made
        return 0


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_survive_a_kill_and_arrive_in_their_order(tmp_path) -> None:
    service, port = CommandService(tmp_path), free_port()
    service.add()
    (tmp_path / "key").write_text("a key of many letters\n")
    (tmp_path / "ftp.toml").write_text(
        f"""[[hook]]
name = "tell"
on = ["upload"]
webhook = "http://127.0.0.1:{port}/"
secret-file = "key"
"""
    )
    options = ("--data-dir", "var", "--config", "ftp.toml")
    spool = tmp_path / "var/hooks/tell.spool"
    with service.serve(*options) as served:
        client = service.client(served)
        for name in FILES:
            client.storbinary(f"STOR {name}", io.BytesIO(b"x"))
        wait_for(lambda: stored(spool) == len(FILES))
        client.close()
        served.process.kill()
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words):
            pass

    with HTTPServer(("127.0.0.1", port), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.05,))
        thread.start()
        try:
            with service.serve(*options) as served:
                served.port()
                wait_for(lambda: len(received) >= len(FILES))
                wait_for(lambda: stored(spool) == 0)
                assert served.stopped() == 0
        finally:
            receiver.shutdown()
            thread.join(PATIENCE)
    assert [event["path"] for event in received] == FILES
    assert len({event["id"] for event in received}) == len(FILES)
