"""The journal of a service that is killed while files arrive: every event once."""

import sqlite3
from contextlib import closing, suppress

from tests.support.restartable_service import RestartableService, wait_until

FILES = 20


def rows(data, columns="path"):
    if not (data / "journal.db").exists():
        return []
    with closing(sqlite3.connect(data / "journal.db", timeout=10)) as database:
        if not database.execute("PRAGMA table_info(ftpservice_journal)").fetchall():
            return []  # the table is being created
        return database.execute(
            f"SELECT {columns} FROM ftpservice_journal WHERE kind = 'transfer'"
        ).fetchall()


def kept(data):
    """Return the paths in the database and in the spool."""
    found = {path for (path,) in rows(data)}
    for file in data.glob("journal-spool/*"):
        with suppress(FileNotFoundError):  # just delivered
            found |= {word for word in file.read_text().split('"') if word.startswith("/")}
    return found


def upload(wire, names):
    for name in names:
        end = wire.accepted()
        assert wire.code(f"STOR {name}") == 150
        end.close()
        assert wire.reply().code == 226


def test_events_of_a_killed_service_are_kept_once(tmp_path):
    service = RestartableService(tmp_path)
    data = tmp_path / "data"
    options = (f"--data-dir={data}", "--allow-root")
    safe, all_names = set(), set()
    for run in range(3):
        names = [f"/{run}-{number}" for number in range(FILES)]
        with service.open(*options):
            wire = service.session()
            upload(wire, names[: FILES // 2])
            safe.update(names[: FILES // 2])
            wait_until(lambda: safe <= kept(data), lambda: safe - kept(data))
            if run == 1:  # killed with rows in the database and in the spool
                wait_until(lambda: rows(data))
            upload(wire, names[FILES // 2 :])
            all_names |= set(names)
        # It was killed at the end of the block, while the last events were on their way.
    with service.open(*options):
        service.session()
        wait_until(lambda: safe <= {path for (path,) in rows(data)})
    found = rows(data, "path, id, outcome, storage_name")
    assert len({path for path, *_ in found}) == len({row[1] for row in found}) == len(found)
    assert safe <= {path for path, *_ in found} <= all_names
    assert {row[2] for row in found} == {"complete"}
    assert all(row[3] == f"{service.root}{row[0]}" for row in found)
