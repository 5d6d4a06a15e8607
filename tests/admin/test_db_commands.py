"""``ftpservice db``: the schema of a database of accounts."""

import json

import pytest
from click.testing import CliRunner

from ftpservice.accounts.sql.schema import ACCOUNTS_SCHEMA
from ftpservice.admin.cli import ftpservice
from tests.support.postgresql import PASSWORD


def run(*words):
    return CliRunner().invoke(ftpservice, ["db", *words])


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        return f"sql:sqlite:///{tmp_path}/a.db"
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    server = request.getfixturevalue("postgresql")
    return f"sql:{server.url(server.new_database(), None)}"


def test_a_schema_is_created_once_and_shown(store):
    done = run("upgrade", "--store", store)
    assert (done.exit_code, done.stdout) == (0, f"{store}, accounts: version 0002, before none\n")
    done = run("upgrade", "--store", store)
    assert (done.exit_code, done.stdout) == (0, f"{store}, accounts: version 0002 already\n")
    done = run("show", "--store", store)
    assert (done.exit_code, done.stdout) == (0, f"{store}, accounts: version 0002, needed 0002\n")
    done = run("upgrade", "--store", store, "--json")
    assert json.loads(done.stdout) == {
        "part": "accounts",
        "before": "0002",
        "version": "0002",
    }


def test_a_database_without_a_schema_has_status_1(postgresql, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    store = f"sql:{postgresql.url(postgresql.new_database(), None)}"
    done = run("show", "--store", store, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (
        1,
        {"part": "accounts", "version": None, "needed": "0002"},
    )


@pytest.mark.parametrize(
    ("store", "status", "text"),
    [
        ("passwd:passwd.db", 2, "is not a database; name one with --store sql:URL"),
        ("sql:sqlite:////none/a.db", 3, "/none/a.db: the directory /none does not exist"),
        ("sql:postgresql://ann@127.0.0.1:1/x", 3, "Connection refused"),
    ],
)
def test_what_is_refused_says_why(store, status, text):
    done = run("upgrade", "--store", store)
    assert (done.exit_code, text in done.stderr) == (status, True), done.output
    assert "Traceback" not in done.output


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    server = request.getfixturevalue("postgresql")
    return server.url(server.new_database(), None)


def test_the_schema_of_a_journal_is_created_once_and_shown(journal):
    place = journal if "://" in journal else f"sqlite:///{journal}"
    for what in ("before none", "journal: version 0002 already"):
        done = run("upgrade", "--journal", journal)
        assert (done.exit_code, what in done.stdout, place in done.stdout) == (0, True, True)
    done = run("show", "--journal", f"sql:{place}", "--json")
    assert json.loads(done.stdout) == {"part": "journal", "version": "0002", "needed": "0002"}


def test_the_settings_name_the_databases(tmp_path):
    config = tmp_path / "ftpservice.toml"
    url = f"sqlite:///{tmp_path}/a.db"
    config.write_text(f'journal = "{tmp_path}/j.db"\ndata-dir = "{tmp_path}"\nauth = "sql:{url}"\n')
    done = run("upgrade", "--config", str(config))
    assert done.exit_code == 0, done.output
    assert [line.rpartition("/")[2] for line in done.stdout.splitlines()] == [
        f"a.db, accounts: version {ACCOUNTS_SCHEMA.version}, before none",
        "j.db, journal: version 0002, before none",
    ]
    config.write_text(f'journal = "{url}"\ndata-dir = "{tmp_path}"\n')
    done = run("upgrade", "--config", str(config))  # both in one database
    assert done.stdout == f"sql:{url}, journal: version 0002, before none\n"


@pytest.mark.parametrize(
    ("journal", "text"),
    [
        ("mysql://x/y", "unsupported kind of database"),
        ("postgresql://ann:secret@host/x", "a password in a command line"),
        ("postgresql://host", "the database is missing"),
    ],
)
def test_a_journal_that_is_refused_says_why(journal, text):
    done = run("upgrade", "--journal", journal)
    assert (done.exit_code, text in done.stderr, "secret" in done.stderr) == (2, True, False)
