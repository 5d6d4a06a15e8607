"""Our service, with a meter of the reactor thread's longest stall in its process.

SIGUSR1 writes the longest stall since the last one to the file BENCHMARK_METER, in seconds. A tick
that is due while the reactor is busy comes late by what the reactor was busy for.
"""

import json
import os
import signal
import time

from twisted.application import service
from twisted.internet import reactor

from ftpservice.service.tap import Options, makeService

TICK = 0.001


class Meter(service.Service):
    def startService(self):
        super().startService()
        self.longest = 0.0
        signal.signal(signal.SIGUSR1, self.tell)
        reactor.callWhenRunning(self.expect)

    def expect(self):
        self.due = time.monotonic() + TICK
        reactor.callLater(TICK, self.tick)

    def tick(self):
        self.longest = max(self.longest, time.monotonic() - self.due)
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
