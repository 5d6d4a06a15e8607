"""What the service is at a moment: sessions, running transfers, certificates, bans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ftpservice.activity.metrics.event_counters import DIRECTIONS
from ftpservice.activity.metrics.metric_reading import Reading

__all__ = [
    "CertificateEnd",
    "ServiceState",
    "StateCollector",
]

SESSION_STATES = ("login", "idle", "transfer")
"""Not logged in, logged in, and with a running transfer."""


class CertificateEnd(NamedTuple):
    """A certificate in use, and the time of its expiry in seconds since the epoch."""

    name: str
    fingerprint: str
    not_after: float


@dataclass(frozen=True)
class ServiceState:
    """Taken in the reactor's thread, written as metrics in another."""

    sessions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By protocol and state."""
    running: Mapping[tuple[bool, str], int] = field(default_factory=dict)
    """Transfers by upload and protocol."""
    moved: Mapping[tuple[bool, str], int] = field(default_factory=dict)
    """Bytes of running transfers so far, by upload and protocol."""
    certificates: Sequence[CertificateEnd] = ()
    bans: int = 0
    accepts: bool = True
    """Whether new sessions are accepted."""
    readings: Sequence[Reading] = ()
    """What other parts tell."""


class StateCollector(Collector):
    """Writes ``state`` as metrics; ``ended`` are the bytes of transfers that have ended."""

    def __init__(self, ended: Mapping[tuple[bool, str], int]) -> None:
        self.state = ServiceState()
        self._ended = ended
        self._reported: dict[tuple[bool, str], int] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        state = self.state
        yield from self._sessions(state)
        not_after = GaugeMetricFamily(
            "ftpservice_certificate_not_after_timestamp_seconds",
            "When a certificate in use expires.",
            labels=("name", "fingerprint"),
        )
        for one in state.certificates:
            not_after.add_metric((one.name, one.fingerprint), one.not_after)
        yield not_after
        yield GaugeMetricFamily(
            "ftpservice_banned_networks", "Networks that are banned now.", value=state.bans
        )
        yield GaugeMetricFamily(
            "ftpservice_accepts_sessions",
            "Whether new sessions are accepted; 0 after drain.",
            value=int(state.accepts),
        )
        for reading in state.readings:
            yield _read(reading)

    def _sessions(self, state: ServiceState) -> Iterator[Metric]:
        sessions = GaugeMetricFamily(
            "ftpservice_sessions", "Sessions now, by their state.", labels=("protocol", "state")
        )
        running = GaugeMetricFamily(
            "ftpservice_transfers_running", "Transfers now.", labels=("protocol", "direction")
        )
        moved = CounterMetricFamily(
            "ftpservice_transfer_bytes",
            "Bytes transferred, also by incomplete and running transfers.",
            labels=("protocol", "direction"),
        )
        for key, ended in self._ended.items():
            upload, protocol = key
            labels = (protocol, DIRECTIONS[upload])
            running.add_metric(labels, state.running.get(key, 0))
            total = max(self._reported.get(key, 0), ended + state.moved.get(key, 0))
            self._reported[key] = total  # a counter never falls
            moved.add_metric(labels, total)
        for protocol in dict.fromkeys(protocol for _, protocol in self._ended):
            for name in SESSION_STATES:
                sessions.add_metric((protocol, name), state.sessions.get((protocol, name), 0))
        yield from (sessions, running, moved)


def _read(reading: Reading) -> Metric:
    kind = CounterMetricFamily if reading.is_counter else GaugeMetricFamily
    family = kind(f"ftpservice_{reading.name}", reading.text, labels=reading.labels)
    for key, value in reading.values.items():
        family.add_metric(key, value)
    return family
