import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.wire.ls_options import LsOptions, parse_ls_options


@pytest.mark.parametrize(
    ("argument", "switches", "path"),
    [
        (None, LsOptions(), None),
        ("", LsOptions(), None),
        ("path", LsOptions(), "path"),
        ("a b  c ", LsOptions(), "a b  c "),
        ("-la", LsOptions(all=True, long=True), None),
        ("-la ", LsOptions(all=True, long=True), None),
        ("-a -l", LsOptions(all=True, long=True), None),
        ("-a *", LsOptions(all=True), "*"),
        ("-alR dir with spaces", LsOptions(all=True, long=True, recursive=True), "dir with spaces"),
        ("-a  leading", LsOptions(all=True), " leading"),
        ("-rtSd", LsOptions(reverse=True, by_time=True, by_size=True, directory=True), None),
        ("-1AFLghnoqscu x", LsOptions(), "x"),
        ("-l -- -a", LsOptions(long=True), "-a"),
        ("--", LsOptions(), None),
        ("-- ", LsOptions(), None),
        ("-", LsOptions(), "-"),
        ("- a", LsOptions(), "- a"),
        ("-l - ", LsOptions(long=True), "- "),
        ("-holiday.jpg", LsOptions(), "-holiday.jpg"),
        ("-a -holiday.jpg -l", LsOptions(all=True), "-holiday.jpg -l"),
        ("--time-style=iso", LsOptions(), "--time-style=iso"),
        ("path -l", LsOptions(), "path -l"),
        ("-é", LsOptions(), "-é"),
    ],
)
def test_switches_are_taken_off_the_path(argument, switches, path):
    assert parse_ls_options(argument) == (switches, path)


@given(path=st.text(max_size=30))
@settings(max_examples=100, deadline=None, database=None)
def test_any_path_is_whole_behind_two_dashes(path):
    assert parse_ls_options(f"-l -- {path}") == (LsOptions(long=True), path or None)


def test_a_long_row_of_switches_is_read():
    assert parse_ls_options("-l " * 1300 + "x") == (LsOptions(long=True), "x")
