"""Account records as rows, and back."""

from datetime import date

import pytest

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import InvalidAccount
from ftpservice.accounts.passwd_line import OPTIONS, parse_line
from ftpservice.accounts.sql.account_rows import (
    OPTION_COLUMNS,
    is_storable,
    record_of,
    row_of,
)
from ftpservice.accounts.sql.schema import COLUMNS
from tests.accounts.doubles import SECRET

LINE = (
    f"ann:{SECRET}:local\\:/srv/a\\\\b:read,create:quota=10M,quota-files=7,from=fd00\\:\\:/8,"
    "expires=2027-01-31,max-sessions=2,hide=.git; *.tmp,tls=required,disabled"
)


def test_a_record_becomes_a_row_and_the_row_that_record():
    record = parse_line(LINE)
    row = row_of(record)
    assert set(row) == set(COLUMNS)
    assert row == {
        "name": "ann",
        "password_hash": SECRET,
        "root": "local:/srv/a\\b",
        "rights": "read,create",
        "disabled": True,
        "expires": "2027-01-31",
        "max_sessions": 2,
        "quota_bytes": 10 << 20,
        "quota_files": 7,
        "options": "from=fd00::/8,hide=.git; *.tmp,tls=required",
    }
    assert record_of(row) == record
    assert record_of(row | {"expires": date(2027, 1, 31)}) == record


def test_every_column_is_that_of_a_known_option():
    assert set(OPTION_COLUMNS) <= set(OPTIONS)
    assert set(OPTION_COLUMNS.values()) <= set(COLUMNS)


@pytest.mark.parametrize("key", OPTION_COLUMNS)
def test_an_option_with_a_column_is_refused_among_the_others(key):
    row = row_of(AccountRecord("ann", SECRET)) | {"options": f"tls=required, {key}=1"}
    with pytest.raises(ValueError, match=f"the option '{key}' belongs into the column"):
        record_of(row)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a:b"},
        {"password_hash": f"{SECRET}:/:full"},
        {"password_hash": None},
        {"disabled": "x"},
        {"expires": "tomorrow"},
        {"max_sessions": -1},
        {"max_sessions": "many"},
        {"rights": ""},
        {"root": "/a\0"},
        {"options": "unknown"},
    ],
)
def test_a_row_that_makes_no_sense_is_refused(values):
    with pytest.raises(ValueError, match=r".+"):
        record_of(row_of(AccountRecord("ann", SECRET)) | values)


@pytest.mark.parametrize("name", ["a:b", "\udcff", " a", "a\0"])
def test_a_record_that_no_row_can_hold_is_refused(name):
    with pytest.raises(InvalidAccount):
        row_of(AccountRecord(name, SECRET))


def test_what_a_database_can_store():
    assert is_storable("grün")
    assert not is_storable("a\0")
    assert not is_storable("\udcff")
