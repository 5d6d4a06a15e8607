"""``ftpservice report`` reads the journal while no service runs."""

import csv
import io
import json
import os
import shutil
import time

import pytest
from click.testing import CliRunner

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.spool import Spool
from ftpservice.activity.journal.spool_lock import lock_spool
from ftpservice.admin.cli import ftpservice
from ftpservice.events import SessionInfo, SessionOpened
from tests.support.failing_disk import mounted, remount
from tests.support.journal_cases import HOSTILE, plan, records_of, transfer
from tests.support.unprivileged import as_user, needs_root


def run(*words):
    return CliRunner().invoke(ftpservice, ["report", *map(str, words)])


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data directory with a journal of a minute ago and of long ago."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "var"
    data.mkdir()
    database = JournalDatabase(plan(data).url)
    database.prepare()
    now = time.time()
    opened = SessionOpened(now, 1, "192.0.2.1", "", info=SessionInfo("s"))
    events = [opened, transfer(now), transfer(now, user=HOSTILE), transfer(1e9, user="long ago")]
    database.add(records_of(events))
    database.close()
    return data


def test_the_report_of_the_last_day(data):
    done = run("--data-dir", data, "--since", "1d")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Uploads    2 files, 200 B" in done.stdout.splitlines()
    assert "long ago" not in done.stdout
    assert "\x1b" not in done.stdout
    default = run("--since", "1d").stdout  # of var, and perhaps of the next second
    assert done.stdout.splitlines()[1:] == default.splitlines()[1:]


def test_the_report_of_an_account_and_a_time(data):
    done = run("--data-dir", data, "--since", "2001-09-08", "--until", "2001-09-09", "--json",
               "--user", "long ago")  # fmt: skip
    report = json.loads(done.stdout)
    assert report["totals"]["uploads"] == 1
    assert report["period"]["user"] == "long ago"
    assert report["sessions"] is None


def test_other_forms(data, tmp_path):
    shown = json.loads(run("--since", "1d", "--json").stdout)
    assert shown["users"][0]["bytes_up"] == 100
    rows = list(csv.reader(io.StringIO(run("--since", "1d", "--csv").stdout)))
    assert ["uploads", "2"] in rows
    done = run("--since", "1d", "--html", tmp_path / "report.html")
    assert (done.exit_code, done.output) == (0, "")
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_what_a_killed_service_has_left_is_in_the_report(data):
    (data / "journal-spool").mkdir()
    Spool(data / "journal-spool", 10**7).append(records_of([transfer(time.time())] * 3, "late"))
    for _ in range(2):
        done = run("--since", "1d")
        assert "Uploads    5 files, 500 B" in done.stdout.splitlines()
    assert (done.stderr, os.listdir(data / "journal-spool")) == ("", ["lock"])


def test_what_waits_in_a_service_that_runs_is_told(data):
    (data / "journal-spool").mkdir()
    descriptor = lock_spool(data / "journal-spool")
    told = []
    try:
        for run_id in ("one", "two"):
            late = records_of([transfer(time.time())], run_id)
            Spool(data / "journal-spool", 10**7).append(late)
            done = run("--since", "1d")
            assert "Uploads    2 files, 200 B" in done.stdout.splitlines()
            told.append("bytes of events wait in the spool" in done.stderr)
    finally:
        os.close(descriptor)
    assert told == [False, True]  # the last file may be delivered already


def test_damage_is_told(data):
    (data / "journal-spool").mkdir()
    (data / "journal-spool" / "000000000001.spool").write_bytes(b"damage\n")
    assert "warning: lost, because unreadable: 1 event" in run().stderr


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("--since", "nonsense"), 2, "is not a time"),
        (("--json", "--csv"), 2, "give one of --json, --csv and --html"),
        (("--html", "/none/x.html"), 3, "/none/x.html: No such file or directory"),
        (("--data-dir", "empty"), 3, "there is no journal yet"),
        (("--config", "none.toml"), 2, "none.toml"),
        (("--config", "off.toml", "--csv"), 2, "--csv needs a journal"),
        (("--config", "off.toml"), 3, "is the service running?"),
        (("--config", "memory.toml"), 2, "there is no journal and no control socket"),
        (("--socket", "none.sock"), 3, "is the service running?"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_is_refused_says_why(tmp_path, words, status, text):
    (tmp_path / "off.toml").write_text('journal = "off"\n')
    (tmp_path / "memory.toml").write_text('root = "memory:"\n')
    (tmp_path / "empty").mkdir()
    done = run(*words)
    assert (done.exit_code, text in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.output


def test_a_journal_on_a_server_is_read(data, tmp_path, postgresql, monkeypatch):
    from tests.support.postgresql import PASSWORD

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    url = postgresql.url(postgresql.new_database(), None)
    config = tmp_path / "server.toml"
    config.write_text(f'journal = "{url}"\ndata-dir = "{data}"\n')
    done = run("--config", config)
    assert (done.exit_code, "run: ftpservice db upgrade --journal" in done.stderr) == (3, True)
    assert CliRunner().invoke(ftpservice, ["db", "upgrade", "--journal", url]).exit_code == 0
    done = run("--config", config)
    assert (done.exit_code, "Sessions   0" in done.stdout) == (0, True)


@pytest.mark.parametrize("has_log", [False, True])
def test_a_journal_in_a_read_only_file_system_is_read(tmp_path, has_log):
    kept = tmp_path / "kept"
    kept.mkdir()
    database = JournalDatabase(plan(kept).url)
    database.prepare()
    database.add(records_of([transfer(time.time())]))
    if not has_log:
        database.close()
    with mounted(tmp_path / "var", 8 << 20) as is_mounted:
        if not is_mounted:
            pytest.skip("needs the right to mount")
        for path in kept.iterdir():
            shutil.copy(path, tmp_path / "var")
        assert (tmp_path / "var/journal.db-wal").exists() == has_log
        remount(tmp_path / "var", "ro")
        done = run("--data-dir", tmp_path / "var", "--since", "1d")
        assert (done.exit_code, done.stderr) == (0, "")
        assert "Uploads    1 file, 100 B" in done.stdout.splitlines()
    database.close()


@needs_root
def test_another_user_reads_a_journal_that_may_be_read_and_is_told_of_one_that_may_not(data):
    (data / "journal-spool").mkdir()
    for directory in data.parents:
        directory.chmod(directory.stat().st_mode | 0o011)
    data.chmod(0o755)
    (data / "journal.db").chmod(0o644)

    def read():
        done = run("--data-dir", data, "--since", "1d")
        assert (done.exit_code, done.stderr) == (0, "")
        assert "Uploads    2 files, 200 B" in done.stdout.splitlines()

    def refused():
        done = run("--data-dir", data, "--since", "1d")
        assert done.exit_code == 3
        advice = "Permission denied - run this as the user of the service, or as root"
        assert done.stderr == f"ftpservice: {data / 'journal-spool'}: {advice}\n"
        who = CliRunner().invoke(ftpservice, ["who", "--socket", f"{data}/control.sock"])
        assert (who.exit_code, who.stderr) == (3, f"ftpservice: {data}/control.sock: {advice}\n")

    as_user(read)
    data.chmod(0o700)
    as_user(refused)
