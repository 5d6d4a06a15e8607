"""The realm of the service: which storages its accounts may have."""

import pytest
from twisted.internet.task import Clock
from twisted.protocols.ftp import IFTPShell
from zope.interface import implementer

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.account_record import AccountRecord, IAccountRecords
from ftpservice.service.sessions.session_assembly import realm_for
from ftpservice.service.settings.settings import settings_from
from ftpservice.storage.errors import Unavailable
from tests.accounts.doubles import Source
from tests.support.open_resources import LoggedErrors


@implementer(IAccountRecords)
class Records:
    """Any account, with a root in memory."""

    def lookup(self, name):
        return AccountRecord(name, "", "memory:")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_account_with_files_in_memory_is_refused_by_several_workers(workers, tmp_path):
    settings = settings_from({"workers": workers, "root": str(tmp_path)})
    realm = realm_for(settings, Source(), [Records()], Clock())
    results = []
    with LoggedErrors() as logged:
        realm.requestAvatar(b"ann", None, IAccount, IFTPShell).addBoth(results.append)
    if workers == 1:
        assert results[0][1].name == "ann"
        assert logged.lines == []
    else:
        results[0].trap(Unavailable)
        assert "--workers 2: files of memory: exist in one process only" in logged.lines[0]
