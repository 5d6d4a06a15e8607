"""Errors of storages as replies."""

import pytest

from ftpservice.session.error_replies import reply_for
from ftpservice.storage.errors import IntoItself, NotInTrash
from ftpservice.wire.paths import VirtualPath
from tests.support.ftp_dialogue import FTPDialogue


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (IntoItself, (553, "It cannot be moved into itself.")),
        (NotInTrash, (550, "The trash has no such file.")),
    ],
)
def test_the_reply_says_what_is_wrong(error, shown):
    code, lines = reply_for(error(VirtualPath()))
    assert (code, *lines) == shown


def test_a_directory_is_not_moved_into_itself():
    talk = FTPDialogue().login()
    talk.say("MKD plans", "RNFR plans")
    assert talk.say("RNTO plans/old") == ["553 It cannot be moved into itself."]
