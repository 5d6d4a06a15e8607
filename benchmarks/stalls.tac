"""Our service, with a meter of the reactor thread's longest stall in its process.

SIGUSR1 writes the longest stall since the last one to the file BENCHMARK_METER, in seconds. A tick
that is due while the reactor is busy comes late by what the reactor was busy for; what the thread waited
for a processor that the load's own threads had (``schedstat``) is no stall of ours and taken off.
A tick meanwhile the hypervisor had a processor of this machine (``steal``) tells nothing of us and is
left out.
"""

import json
import os
import signal
import time

from twisted.application import service
from twisted.internet import reactor

from ftpservice.service.tap import (
    Options,
    reserve_descriptor_table,
    makeService,
    freeze_gc,
)

TICK = 0.001


class Meter(service.Service):
    def startService(self):
        super().startService()
        self.longest = 0.0
        signal.signal(signal.SIGUSR1, self.tell)
        self.statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self.processors = os.open("/proc/stat", os.O_RDONLY)
        reactor.callWhenRunning(self.expect)

    def waited(self):
        """Return the seconds that this thread was ready to run and did not."""
        return int(os.pread(self.statistics, 100, 0).split()[1]) / 1e9

    def stolen(self):
        """Return what the hypervisor took from all processors, in hundredths of a second."""
        return int(os.pread(self.processors, 200, 0).split(maxsplit=9)[8])

    def expect(self):
        self.taken, self.before = self.stolen(), self.waited()
        self.due = time.monotonic() + TICK
        reactor.callLater(TICK, self.tick)

    def tick(self):
        late = time.monotonic() - self.due - (self.waited() - self.before)
        if self.stolen() == self.taken:
            self.longest = max(self.longest, late)
        self.expect()

    def tell(self, *_):
        longest, self.longest = self.longest, 0.0
        path = os.environ["BENCHMARK_METER"]
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"longest": longest}, file)
        os.rename(path + ".new", path)


options = Options()
options.parseOptions(json.loads(os.environ["BENCHMARK_OPTIONS"]))
application = service.Application("ftpservice")
makeService(options).setServiceParent(application)
Meter().setServiceParent(application)
reactor.callWhenRunning(freeze_gc)
reactor.callWhenRunning(reserve_descriptor_table)
