"""The heads of answers, whole and in pieces, and what is none."""

import pytest

from ftpservice.backends.s3.api.answer_head import MAX_HEAD_BYTES, split_answer

STORED = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\nX-Empty:\r\n\r\n'


def test_an_answer_is_told_when_its_head_is_complete():
    assert all(split_answer(STORED[:end]) is None for end in range(len(STORED)))
    head, body = split_answer(STORED + b"more")
    assert (head.status, head.headers["etag"], head.headers["x-empty"]) == (200, '"e"', "")
    assert (head.body_size, body, head.keeps_connection) == (0, b"more", True)


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("200 OK\r\nContent-Length: 12", 12),
        ("204 No Content", 0),
        ("200 OK", None),
        ("200\r\nContent-Length: -1", None),
        ("200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked", None),
    ],
)
def test_the_size_of_the_body_is_told_only_if_it_is_certain(lines, size):
    head, _body = split_answer(f"HTTP/1.1 {lines}\r\n\r\n".encode())
    assert head.body_size == size


def test_the_server_says_that_it_closes_the_connection():
    head, _body = split_answer(b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n")
    assert not head.keeps_connection


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\ncontent-length: 5\r\n\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(ValueError, match=r"answer|header"):
        split_answer(data)
