"""Journals for the tests of what is read from them."""

import pytest

from ftpservice.accounts.sql.migration import upgrade
from ftpservice.activity.journal.journal_database import JournalDatabase
from tests.support.journal_cases import plan


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def journal(request, tmp_path_factory):
    """An empty journal in each kind of database."""
    place = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        place = server.url(server.new_database())
    made = JournalDatabase(plan(tmp_path_factory.mktemp("journal"), place).url)
    made.prepare()
    if place:
        upgrade(made.database)
    yield made
    made.close()
