import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.replies import Reply, reply, verbatim_reply


def test_one_line():
    assert reply(200, "Done").to_bytes() == b"200 Done\r\n"
    assert reply(200, "").to_bytes() == b"200 \r\n"


def test_many_lines_are_marked_up_to_the_last():
    assert reply(211, "Features", " MDTM", " SIZE", "End").to_bytes() == (
        b"211-Features\r\n MDTM\r\n SIZE\r\n211 End\r\n"
    )


def test_text_that_looks_like_the_end_is_marked():
    assert reply(214, "a", "214 b", "c").to_bytes() == b"214-a\r\n214-214 b\r\n214 c\r\n"


def test_line_ends_in_a_text_become_spaces():
    assert reply(550, "a\r\n226 b\nc").lines == ("a  226 b c",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mx", "\\x1b[31mx"),
        ("a\x07b\tc", "a\\x07b\\x09c"),
        ("\x7f\x9b0m\x00", "\\x7f\\x9b0m\\x00"),
        ("é \udcff \u2028 \u3042", "é \udcff \u2028 \u3042"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert reply(500, "fine", text).lines == ("fine", shown)


def test_a_path_is_told_as_it_is():
    assert verbatim_reply(257, '"/\x1b[m" created.', "a\r\nb").lines == (
        '"/\x1b[m" created.',
        "a  b",
    )


def test_bytes_that_are_not_utf8_go_out_as_they_came():
    assert reply(257, "caf\udce9 é").to_bytes() == b"257 caf\xe9 \xc3\xa9\r\n"


@given(
    lines=st.lists(
        st.text(alphabet="a2 -\r\n\udcff\u00e4", max_size=8) | st.just("226 x"), min_size=1
    )
)
@settings(max_examples=150, deadline=None, database=None)
def test_a_client_finds_the_end_at_the_end(lines):
    sent = reply(226, *lines).to_bytes()
    assert sent.count(b"\r\n") == sent.count(b"\n") == len(lines)
    ends = [bool(re.match(rb"226 ", line)) for line in sent.split(b"\r\n")[:-1]]
    assert ends == [False] * (len(lines) - 1) + [True]


def test_replies_are_values():
    assert reply(200, "a") == Reply(200, ("a",))
    with pytest.raises(AttributeError):
        reply(200, "a").code = 500
