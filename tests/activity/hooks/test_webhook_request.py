"""Signed requests to real HTTP servers."""

import base64
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ftpservice.activity.hooks.webhook_request import (
    Answer,
    Verdict,
    WebhookClient,
    read_key,
    signature,
)
from ftpservice.activity.hooks.webhook_spool import Delivery

KEY = "a key of many letters"
DELIVERY = Delivery(1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1.0, b'{"test": 2432232314}')


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return str(path)


@contextmanager
def receiver(status):
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook?a=1", requests
        finally:
            thread.join(10.0)


def test_the_signature_is_that_of_standard_webhooks():
    # The example of the specification and of its libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(key, DELIVERY.id, 1614265330, DELIVERY.body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_request_is_signed(key):
    with receiver(200) as (url, requests):
        answer = WebhookClient(url, key, 10.0).post(DELIVERY, 5.9)
    assert answer.verdict is Verdict.DELIVERED
    ((path, headers, body),) = requests
    assert (path, body) == ("/hook?a=1", DELIVERY.body)
    assert headers["webhook-id"] == DELIVERY.id
    assert headers["webhook-timestamp"] == "5"
    assert headers["webhook-signature"] == signature(KEY.encode(), DELIVERY.id, 5, DELIVERY.body)
    assert headers["webhook-attempt"] == "1"


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (204, Verdict.DELIVERED),
        (302, Verdict.FAILED),
        (400, Verdict.REFUSED),
        (410, Verdict.REFUSED),
        (429, Verdict.FAILED),
        (503, Verdict.FAILED),
    ],
)
def test_what_is_not_accepted_is_refused_or_comes_again(key, status, verdict):
    with receiver(status) as (url, _requests):
        answer = WebhookClient(url, key, 10.0).post(DELIVERY, 5.0)
    assert answer.verdict is verdict
    assert answer.detail.startswith(f"status {status}")


@contextmanager
def silent():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening, f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_a_receiver_that_says_nothing_is_left_in_time(key):
    with silent() as (_listening, url):
        answer = WebhookClient(url, key, 0.2).post(DELIVERY, 5.0)
    assert answer == Answer(Verdict.FAILED, "no answer within 0.2 s")


def trickle(listening, is_over):
    end, _ = listening.accept()
    with end, suppress(OSError):
        end.settimeout(10.0)
        end.recv(65536)
        while not is_over.wait(0.05):
            end.sendall(b"H")


def test_a_receiver_that_trickles_is_left_in_time(key):
    with silent() as (listening, url):
        is_over = threading.Event()
        thread = threading.Thread(target=trickle, args=(listening, is_over))
        thread.start()
        answer = WebhookClient(url, key, 0.3).post(DELIVERY, 5.0)
        is_over.set()
        thread.join(10.0)
        assert answer == Answer(Verdict.FAILED, "no answer within 0.3 s")


def test_a_status_counts_although_the_body_does_not_come(key):
    def answer(listening):
        end, _ = listening.accept()
        with end:
            end.settimeout(10.0)
            end.recv(65536)
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")
            with suppress(OSError):
                end.recv(65536)

    with silent() as (listening, url):
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        found = WebhookClient(url, key, 0.3).post(DELIVERY, 5.0)
        thread.join(10.0)
    assert found.verdict is Verdict.DELIVERED


def test_an_address_that_accepts_nothing_is_left_in_time(key):
    """The queue of a listening socket is full, so that connecting hangs."""
    with socket.socket() as listening, ExitStack() as opened:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            end = opened.enter_context(socket.socket())
            end.setblocking(False)
            end.connect_ex(listening.getsockname())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        answer = WebhookClient(url, key, 0.2).post(DELIVERY, 5.0)
    assert answer == Answer(Verdict.FAILED, "no answer within 0.2 s")


def test_a_request_can_be_ended_from_another_thread(key):
    with silent() as (listening, url):
        client, answers = WebhookClient(url, key, 60.0), []
        thread = threading.Thread(target=lambda: answers.append(client.post(DELIVERY, 5.0)))
        thread.start()
        end, _ = listening.accept()
        with end:
            end.settimeout(10.0)
            end.recv(1)
            client.stop()
            thread.join(10.0)
        assert answers[0].verdict is Verdict.FAILED
        assert client.post(DELIVERY, 5.0).detail == "stopped"


def test_nobody_there_is_a_failure(key):
    with silent() as (listening, url):
        listening.close()
        assert WebhookClient(url, key, 5.0).post(DELIVERY, 5.0).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
            base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ),
        ("sixteen letters!", b"sixteen letters!"),
    ],
)
def test_a_key_is_text_or_base64(tmp_path, text, key):
    (tmp_path / "key").write_text(text)
    assert read_key(str(tmp_path / "key")) == key


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "is empty"), ("short", "fewer than 16 bytes"), ("whsec_!", "is not base64")],
)
def test_a_key_that_cannot_be_used_is_an_error(tmp_path, text, problem):
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_key(str(path))
    answer = WebhookClient("http://127.0.0.1:1/", str(path), 1.0).post(DELIVERY, 1.0)
    assert answer.verdict is Verdict.FAILED
    assert "secret-file" in answer.detail
