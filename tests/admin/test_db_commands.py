"""``ftpservice db``: the schema of a database of accounts."""

import json

import pytest
from click.testing import CliRunner

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
    assert (done.exit_code, done.stdout) == (0, f"{store}: version 0002, before none\n")
    done = run("upgrade", "--store", store)
    assert (done.exit_code, done.stdout) == (0, f"{store}: version 0002 already\n")
    done = run("show", "--store", store)
    assert (done.exit_code, done.stdout) == (0, f"{store}: version 0002, needed 0002\n")
    done = run("upgrade", "--store", store, "--json")
    assert json.loads(done.stdout) == {"before": "0002", "version": "0002"}


def test_a_database_without_a_schema_has_status_1(postgresql, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    store = f"sql:{postgresql.url(postgresql.new_database(), None)}"
    done = run("show", "--store", store, "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"version": None, "needed": "0002"})


@pytest.mark.parametrize(
    ("store", "status", "text"),
    [
        ("passwd:passwd.db", 2, "is not a database; name one with --store sql:URL"),
        ("sql:sqlite:////none/a.db", 3, "No such file"),
        ("sql:postgresql://ann@127.0.0.1:1/x", 3, "Connection refused"),
    ],
)
def test_what_is_refused_says_why(store, status, text):
    done = run("upgrade", "--store", store)
    assert (done.exit_code, text in done.stderr) == (status, True), done.output
    assert "Traceback" not in done.output
