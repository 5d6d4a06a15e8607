"""The error of a refusal: one line that names its subject."""

import os

import pytest
from twisted.internet.error import ConnectBindError, ConnectionRefusedError, DNSLookupError

from ftpservice.session.error_replies import ERROR_REPLIES
from ftpservice.storage import errors
from ftpservice.wire.replies import Reply
from ftpservice_client import AlreadyExists, AuthenticationFailed, NotFound
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.sessions.factory import connect_error_text


@pytest.mark.parametrize(
    ("command", "said", "message"),
    [
        ("RETR nope", "No such file or directory.", "nope: No such file or directory."),
        ("RETR nope", "nope: No such file.", "nope: No such file."),
        ("RETR dir", "That is a directory.", "dir: That is a directory."),
        ("RETR a", "'a' is not found", "'a' is not found"),
        ("PASS secret", "Login incorrect.", "login failed: Login incorrect."),
        ("PASS secret", "Login failed.", "Login failed."),
    ],
)
def test_the_name_is_told_once(command, said, message):
    assert str(error_for_reply(Reply(550, (said,)), command)) == message


def test_kinds_are_told_apart():
    assert isinstance(error_for_reply(Reply(550, ("No such file",)), "RETR x"), NotFound)
    assert isinstance(error_for_reply(Reply(530, ("No.",)), "PASS x"), AuthenticationFailed)
    taken = ERROR_REPLIES[errors.Exists]
    assert isinstance(error_for_reply(Reply(taken[0], (taken[1],)), "MKD x"), AlreadyExists)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionRefusedError(111, "Connection refused"), os.strerror(111)),
        (ConnectBindError("no address"), "Couldn't bind: no address"),
        (DNSLookupError("no results for hostname lookup: x"), "unknown host"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_failed_connection_has_the_error_text_of_the_system(error, message):
    assert connect_error_text(error).startswith(message)
