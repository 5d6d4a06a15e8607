"""What the page reads of a journal, whose file may be replaced under it."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_place import journal_database_url
from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.activity.reports.event_reader import read_events
from ftpservice.activity.reports.journal_reader import JournalReader
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.events import LoggedIn
from tests.support.journal_cases import records_of


def written(url, *users):
    database = JournalDatabase(url)
    database.prepare()
    database.add(records_of([LoggedIn(5.0, 1, "192.0.2.1", user, "") for user in users]))
    database.close()


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "journal.sqlite"
    url = journal_database_url(str(path))
    journal = SimpleNamespace(
        status=SimpleNamespace(problem=""),
        plan=SimpleNamespace(url=url),
        deliver=lambda: succeed(0),
    )
    reader = JournalReader(journal, Clock(), "test", 5.0)
    reader._pool = InlineRunner()

    def users():
        found = []
        reading = reader.read(lambda database: read_events(database, EventQuery(0, 10)))
        Deferred.fromCoroutine(reading).addCallback(found.extend)
        return [one["user"] for one in found]

    written(url, "ann")
    assert users() == ["ann"]
    path.rename(tmp_path / "old.sqlite")
    written(url, "bob")
    assert users() == ["bob"]
    Deferred.fromCoroutine(reader.finish())
