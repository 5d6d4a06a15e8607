"""Rate limits that several processes of a machine share.

Each process has a part of a rate, its *grant*, which it publishes in a shared table. A grant is
only raised by what the grants of all processes leave of the rate, so their sum never exceeds it. A
process looks at its limits some times a second, and right away when a transfer begins to wait:

- One that uses up its grant gets a part by the number of its waiting transfers.
- One that does not, because its clients are slow, keeps a little more than it uses.
- One without transfers has no grant, so a single process with transfers has the whole rate.
- Bytes that no process has used go into the table, and those with waiting transfers take them at
  their looks: what is beyond a grant that is enough, and what no grant has given meanwhile.

A grant that has to be lowered first, by the process that has it, is there at its next look.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableFull
from ftpservice.concurrency.table_section import LockedRecord, TableSection
from ftpservice.stream.rate_limit import BURST_SECONDS, RateLimiter, SharedRateLimiters

__all__ = ["LOOK_SECONDS", "RATES", "TableRateLimiter", "TableRateLimiters"]

USERS, GRANT, DEMAND = 0, 1, 2
RATE, SPARE, LOOKED = 0, 1, 2
"""The values: bytes per second, bytes that were not used, and the time of the last look."""
RATES = RecordLayout("rates", fields=3, values=3, slots=16384, oldest=RATE)
UNIT = 1_000_000
"""Of seconds in the table; times are one more, 0: none."""
LOOK_SECONDS = 0.1
"""Time between two looks at a limit that is in use."""
RETRY_SECONDS = 0.02
"""The same while another process has too large a grant."""
IDLE_SECONDS = 0.5
"""Time without a byte after which a grant is given back."""
MIN_MEASURED_SECONDS = 0.04
USED_UP = 0.8
"""The part of a grant whose use shows that more is wanted."""
SURPLUS = 1.5
"""What a process that wants no more keeps, as a multiple of what it uses."""
NO_RATE = 1e-3
"""Bytes per second without a grant; a rate is more than 0."""


class TableRateLimiter(RateLimiter):
    """The grant of one process; ``full_rate`` is that of all together.

    ``began_to_wait`` is called when a transfer waits though nobody looks at the limit.
    """

    def __init__(
        self,
        clock: IReactorTime,
        full_rate: float,
        began_to_wait: Callable[[TableRateLimiter], None],
    ) -> None:
        super().__init__(clock, NO_RATE)
        self.full_rate = full_rate
        self.users = 0
        self.is_watched = False
        """Whether it is looked at at intervals."""
        self._began_to_wait = began_to_wait
        self._income = self._saved_before = 0.0
        self._measured = self._last_use = clock.seconds()
        self._usage = 0.0
        self._unused = 0.0
        self._most_waiting = self._waited = 0

    def _earn(self) -> None:
        before, earned = self._saved, (self._clock.seconds() - self._since) * self._rate
        super()._earn()
        self._income += self._saved - before
        self._unused += max(0.0, before + earned - self._saved)

    def take_spare(self, spare: float, part: float) -> float:
        """Take a part of bytes that are spare, with those not used here; return the rest."""
        spare = min(spare + self._unused, BURST_SECONDS * self.full_rate)
        self._unused = 0.0
        taken = spare * part
        self._saved += taken
        self._income += taken
        return spare - taken

    def _set_timer(self) -> None:
        super()._set_timer()
        self._most_waiting = max(self._most_waiting, len(self._waiting))
        if self._waiting and not self.is_watched:
            self._began_to_wait(self)

    def measure(self) -> None:
        """Measure the bytes per second that were used since the last time."""
        self._earn()
        now = self._clock.seconds()
        passed = now - self._measured
        if passed < MIN_MEASURED_SECONDS:
            return
        used = self._saved_before + self._income - self._saved
        self._usage = (self._usage + max(0.0, used / passed)) / 2
        if used >= 1.0 or self._waiting:
            self._last_use = now
        self._waited, self._most_waiting = self._most_waiting, len(self._waiting)
        self._measured, self._income, self._saved_before = now, 0.0, self._saved

    @property
    def is_idle(self) -> bool:
        """Whether no transfer has used it for some time."""
        return not self._waiting and self._clock.seconds() - self._last_use >= IDLE_SECONDS

    @property
    def demand(self) -> int:
        """The number of transfers that want more; 0 if the grant is enough."""
        uses_up = not self.is_idle and self._usage >= USED_UP * self.rate
        return max(self._waited, len(self._waiting), 1) if self._waiting or uses_up else 0

    @property
    def needed(self) -> float:
        """What to keep of a grant that is enough."""
        return 0.0 if self.is_idle else self._usage * SURPLUS


class TableRateLimiters(SharedRateLimiters):
    """Rate limiters by key, shared by all users of a key in all processes."""

    def __init__(self, section: TableSection, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._section = section
        self._limiters: dict[Hashable, TableRateLimiter] = {}
        self._keys: dict[TableRateLimiter, bytes] = {}
        self._watched: dict[TableRateLimiter, None] = {}
        self._call: IDelayedCall | None = None

    @property
    def in_use(self) -> int:
        """The number of rate limiters."""
        return len(self._limiters)

    def join(self, key: Hashable, rate: float) -> RateLimiter:
        """Return the rate limiter of ``key``; its rate is ``rate`` from now on, everywhere."""
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = TableRateLimiter(self._clock, rate, self._watch)
            self._limiters[key], self._keys[limiter] = limiter, repr(key).encode()
        limiter.full_rate = rate
        limiter.users += 1
        try:
            with self._section.lock(self._keys[limiter]) as record:
                record.add(USERS, limiter.users - record.own(USERS))
                record.set_value(RATE, round(rate))
        except (TableBusy, TableFull):
            pass  # the next look counts them
        return limiter

    def leave(self, key: Hashable) -> None:
        """Undo one `join`."""
        limiter = self._limiters[key]
        limiter.users -= 1
        if limiter.users:
            self._section.give_back(self._keys[limiter], USERS)
            return
        del self._limiters[key]
        self._watched.pop(limiter, None)
        self._forget(self._keys.pop(limiter))

    def _forget(self, key: bytes) -> None:
        try:
            with self._section.lock(key) as record:
                for field in (USERS, GRANT, DEMAND):
                    record.add(field, -record.own(field))
                if not record.total(USERS):
                    record.set_values(0, 0, 0)
        except (TableBusy, TableFull):
            self._clock.callLater(LOOK_SECONDS, self._forget_unused, key)

    def _forget_unused(self, key: bytes) -> None:
        if key not in self._keys.values():
            self._forget(key)

    def _watch(self, limiter: TableRateLimiter) -> None:
        """Look at a limiter now and at intervals."""
        if limiter in self._keys:
            limiter.is_watched = True
            self._watched[limiter] = None
            self._schedule(RETRY_SECONDS if self._look(limiter) else LOOK_SECONDS)

    def _schedule(self, seconds: float) -> None:
        call = self._call
        if call is None or not call.active():
            self._call = self._clock.callLater(seconds, self._look_at_all)
        elif call.getTime() > self._clock.seconds() + seconds:
            call.reset(seconds)

    def _look_at_all(self) -> None:
        wants_more = False
        for limiter in tuple(self._watched):
            wants_more |= self._look(limiter)
            if limiter.is_idle:
                limiter.is_watched = False
                del self._watched[limiter]
        if self._watched:
            self._schedule(RETRY_SECONDS if wants_more else LOOK_SECONDS)

    def _look(self, limiter: TableRateLimiter) -> bool:
        """Adjust the grant; return whether another process is to lower its own first."""
        limiter.measure()
        try:
            with self._section.lock(self._keys[limiter]) as record:
                wanted, grant = self._adjust(limiter, record)
        except TableBusy:
            return True
        except TableFull:  # no process has it in the table
            wanted = grant = int(limiter.full_rate / self._section.columns)
        limiter.rate = grant or NO_RATE
        return grant < wanted * 0.9 or (not grant and not limiter.is_idle)

    def _adjust(self, limiter: TableRateLimiter, record: LockedRecord) -> tuple[float, int]:
        """Publish a new grant; returns what is wanted, and the grant."""
        limiter.full_rate = rate = record.value(RATE) or limiter.full_rate
        grants, demands = list(record.columns(GRANT)), list(record.columns(DEMAND))
        spare = record.value(SPARE) + max(0.0, rate - sum(grants)) * self._since_look(record)
        column, demand = self._section.column, limiter.demand
        if grants:
            grants[column] = demands[column] = 0
        others, hungry = sum(grants), sum(demands)
        enough = sum(grant for grant, other in zip(grants, demands, strict=True) if not other)
        if demand:
            wanted = max(0.0, rate - enough) * demand / (demand + hungry)
        elif limiter.is_idle:
            wanted = 0.0
        else:
            wanted = limiter.needed if hungry else max(limiter.needed, rate - others)
        grant = int(max(0.0, min(wanted, rate - others)))
        record.add(USERS, limiter.users - record.own(USERS))
        record.add(GRANT, grant - record.own(GRANT))
        record.add(DEMAND, demand - record.own(DEMAND))
        spare = limiter.take_spare(spare, demand / (demand + hungry) if demand else 0.0)
        now = round(self._clock.seconds() * UNIT) + 1
        record.set_values(round(rate), int(spare), now)
        return wanted, grant

    def _since_look(self, record: LockedRecord) -> float:
        """Return the seconds since a process has looked at a rate; 0 if none has."""
        looked = record.value(LOOKED)
        return max(0.0, self._clock.seconds() - (looked - 1) / UNIT) if looked else 0.0
