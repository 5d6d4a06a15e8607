"""The records of accounts with running sessions, between two looks at their store."""

from twisted.internet.task import Clock

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.external import recent_accounts
from ftpservice.accounts.external.recent_accounts import WATCH_SECONDS, RecentAccounts

ANN, BEN = AccountRecord("ann", ""), AccountRecord("ben", "")
LOCKED = AccountRecord("ann", "", disabled=True)


class Store:
    def __init__(self, clock):
        self.records = {"ann": ANN, "ben": BEN}
        self.asked = []
        self.clock = clock
        self.takes = 0.0

    def look(self, names):
        self.asked.append(names)
        self.clock.advance(self.takes)
        return {name: self.records[name] for name in names if name in self.records}


def watched():
    clock = Clock()
    store = Store(clock)
    return clock, store, RecentAccounts(store.look, clock.seconds)


def test_the_store_is_asked_after_a_while():
    clock, store, recent = watched()
    assert recent.current({"ann", "gone"}) == {"ann": ANN}
    store.records["ann"] = LOCKED
    assert recent.current({"ann"}) == {"ann": ANN}
    clock.advance(WATCH_SECONDS)
    assert recent.current({"ann"}) == {"ann": LOCKED}
    assert store.asked == [["ann", "gone"], ["ann"]]


def test_a_login_between_two_looks_is_current():
    _clock, store, recent = watched()
    recent.current({"ann"})
    recent.remember(BEN)
    assert recent.current({"ann", "ben"}) == {"ann": ANN, "ben": BEN}
    assert len(store.asked) == 1


def test_a_name_that_was_never_seen_is_asked_for_at_once():
    _clock, store, recent = watched()
    recent.current({"ann"})
    assert recent.current({"ben"}) == {"ben": BEN}
    assert len(store.asked) == 2


def test_a_slow_store_is_asked_less_often():
    clock, store, recent = watched()
    store.takes = 1.0
    recent.current({"ann"})
    clock.advance(4.9)
    recent.current({"ann"})
    assert len(store.asked) == 1
    clock.advance(0.1)
    recent.current({"ann"})
    assert len(store.asked) == 2


def test_an_account_that_is_gone_is_forgotten():
    clock, store, recent = watched()
    recent.current({"ann"})
    del store.records["ann"]
    clock.advance(WATCH_SECONDS)
    assert recent.current({"ann"}) == {}


def test_without_names_nothing_is_asked():
    _clock, store, recent = watched()
    assert recent.current(()) == {}
    assert store.asked == []


def test_without_a_way_to_ask_logins_are_all_there_is(monkeypatch):
    monkeypatch.setattr(recent_accounts, "MAX_REMEMBERED", 1)
    recent = RecentAccounts(None)
    for record in (ANN, BEN, AccountRecord("cat", "")):
        recent.remember(record)
    assert recent.current({"ann"}) == {"ann": ANN}
    assert recent.current({"cat"}).keys() == {"cat"}
    assert recent.current({"ben"}) == {}  # the oldest without a session is forgotten
