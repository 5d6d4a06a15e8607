"""What accounts no longer keep, shown and deleted by a running service."""

import json

import pytest
from click.testing import CliRunner

from ftpservice.admin.cli import ftpservice
from tests.support.retention_service import RetentionPlace, deleted_paths


@pytest.fixture
def place(tmp_path):
    made = RetentionPlace(tmp_path, "30d; /in: 7d; *.log: 90d; /archive: keep", ",quota=10k")
    made.put({"a": b"123", "b.log": b"1", "in/c.log": b"12", "archive/d": b"1"})
    return made


def test_a_dry_run_and_then_a_run(place):
    (place.files / "esc\x1b\udcff").write_bytes(b"")
    with place.serve() as program:
        program.port()
        status, output = place.command("run", "--dry-run")
        assert status == 0
        *rows, total = output.splitlines()
        assert rows[0].split() == ["ACCOUNT", "RULE", "UNCHANGED", "FOR", "SIZE", "FILE"]
        assert sorted(row.split()[-1] for row in rows[1:]) == ["/a", "/esc\\x1b\\xff", "/in/c.log"]
        assert rows[1].startswith("ann ")
        assert "40d 00:0" in rows[1]
        assert total == "would be deleted: 3 files, 5 B"
        assert len(place.contents()) == 5
        status, output = place.command("run", "--account", "ann", "--force")
        assert (status, output.splitlines()[-1]) == (0, "deleted: 3 files, 5 B")
        assert set(place.contents()) == {"b.log", "archive/d"}
        status, output = place.command("show", "ann")
        assert status == 0
        assert [" ".join(row.split()) for row in output.splitlines()[1:5]] == [
            "all files in all directories 30d",
            "all files in /in and below 7d",
            "*.log in all directories 90d",
            "all files in /archive and below ever",
        ]
        assert "\nnext run: 20" in output
        assert output.splitlines()[-1].endswith(", 3 files, 5 B")
        program.line(r"retention deleted 3 files \(5 bytes\)")
        program.line(r"ann@- \[0\] retention deleted /in/c.log: 2 bytes, .* rule '/in: 7d'")
        assert program.stopped() == 0
    assert sorted(deleted_paths(program.lines)) == ["/a", "/esc\\x1b\\xff", "/in/c.log"]
    state = json.loads((place.place / "var/retention.json").read_text())
    assert set(state) == {"looked_at", "steady_since", "booted_at", "boot"}


def test_the_quota_is_exact_after_a_run(place):
    socket = ["--socket", f"{place.place}/var/control.sock", "--json"]
    with place.serve() as program:
        program.port()

        def use():
            done = CliRunner().invoke(ftpservice, ["quota", "show", "ann", *socket])
            [state] = json.loads(done.stdout)
            return state["bytes"], state["files"]

        assert use() == (7, 6)
        place.run()
        assert use() == (2, 4)


def test_requests_that_are_refused(place):
    with place.serve() as program:
        program.port()
        status, output = place.command("run")
        assert status == 1
        assert "has to be watched for 23:59:" in output
        assert "--force" in output
        for words in (["show", "eve"], ["run", "--account", "eve", "--dry-run"]):
            assert place.command(*words) == (1, "ftpservice: there is no account 'eve'\n")
        assert len(place.contents()) == 4


def test_a_failure_is_a_status(place):
    place.files.joinpath("in/c.log").unlink()
    passwd = place.place / "passwd.db"
    ann = passwd.read_text()
    passwd.write_text(ann + ann.replace("ann", "bob", 1).replace("/ann", r"local\:/none"))
    with place.serve() as program:
        program.port()
        status, output = place.command("run", "--force")
        assert status == 1
        assert "ftpservice: 1 file or directories failed; see the log" in output
        program.line("retention of 'bob': /: the storage failed")
    assert set(place.contents()) == {"b.log", "archive/d"}


def test_an_account_without_retention(place):
    passwd = place.place / "passwd.db"
    passwd.write_text(passwd.read_text().partition(":retention")[0] + "\n")
    with place.serve() as program:
        program.port()
        status, output = place.command("show", "ann")
        assert (status, output) == (0, "the account 'ann' has no retention; its files are kept\n")
        status, output = place.command("show", "ann", "--json")
        assert json.loads(output)["rules"] == []


def test_a_service_that_does_not_run(tmp_path):
    place = RetentionPlace(tmp_path)
    status, output = place.command("run")
    assert status == 3
    assert "is the service running?" in output
