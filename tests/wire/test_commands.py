import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.commands import Command, parse_command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP", Command("NOOP", None)),
        (b"noop ", Command("NOOP", None)),
        (b"", Command("", None)),
        (b" NOOP", Command("", "NOOP")),
        (b"retr a b  c ", Command("RETR", "a b  c ")),
        (b"RETR  a", Command("RETR", " a")),
        (b"User caf\xe9", Command("USER", "caf\udce9")),
        (b"CWD \xc3\xa9", Command("CWD", "é")),
        (b"\xff\xfe", Command("\udcff\udcfe", None)),
    ],
)
def test_verb_and_the_rest_of_the_line(line, command):
    assert parse_command(line) == command


@given(argument=st.binary(min_size=1, max_size=60))
@settings(max_examples=100, deadline=None, database=None)
def test_any_argument_comes_back_byte_for_byte(argument):
    command = parse_command(b"STOR " + argument)
    assert command.verb == "STOR"
    assert command.argument is not None
    assert command.argument.encode("utf-8", "surrogateescape") == argument
