import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.ls_options import Switches, parse_switches


@pytest.mark.parametrize(
    ("argument", "switches", "path"),
    [
        (None, Switches(), None),
        ("", Switches(), None),
        ("path", Switches(), "path"),
        ("a b  c ", Switches(), "a b  c "),
        ("-la", Switches(all=True, long=True), None),
        ("-la ", Switches(all=True, long=True), None),
        ("-a -l", Switches(all=True, long=True), None),
        ("-a *", Switches(all=True), "*"),
        ("-alR dir with spaces", Switches(all=True, long=True, recursive=True), "dir with spaces"),
        ("-a  leading", Switches(all=True), " leading"),
        ("-rtSd", Switches(reverse=True, by_time=True, by_size=True, directory=True), None),
        ("-1AFLghnoqscu x", Switches(), "x"),
        ("-l -- -a", Switches(long=True), "-a"),
        ("--", Switches(), None),
        ("-- ", Switches(), None),
        ("-", Switches(), "-"),
        ("- a", Switches(), "- a"),
        ("-l - ", Switches(long=True), "- "),
        ("-holiday.jpg", Switches(), "-holiday.jpg"),
        ("-a -holiday.jpg -l", Switches(all=True), "-holiday.jpg -l"),
        ("--time-style=iso", Switches(), "--time-style=iso"),
        ("path -l", Switches(), "path -l"),
        ("-é", Switches(), "-é"),
    ],
)
def test_switches_are_taken_off_the_path(argument, switches, path):
    assert parse_switches(argument) == (switches, path)


@given(path=st.text(max_size=30))
@settings(max_examples=100, deadline=None, database=None)
def test_any_path_is_whole_behind_two_dashes(path):
    assert parse_switches(f"-l -- {path}") == (Switches(long=True), path or None)


def test_a_long_row_of_switches_is_read():
    assert parse_switches("-l " * 1300 + "x") == (Switches(long=True), "x")
