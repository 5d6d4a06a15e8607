"""Counters and histograms that events feed.

No label has a value that clients choose: names of users, paths and addresses would be a series
each, without a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ftpservice import events
from ftpservice.activity.metrics.tallies import Family, HistogramTally
from ftpservice.events import Event, LoginRefusal, Outcome

__all__ = ["DIRECTIONS", "PROTOCOLS", "EventCounters"]

PROTOCOLS = ("ftp", "simple", "http")
OTHER = "other"
DIRECTIONS = {True: "upload", False: "download"}
DURATION_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 7200)
"""Seconds of a transfer: from a small file to a night's backup."""
SESSION_BUCKETS = (0.1, 1, 5, 30, 60, 300, 1800, 7200, 28800)
RATE_BUCKETS = tuple(1024 * 4**power for power in range(11))
"""Bytes per second, from 1 KiB to 1 GiB."""
SIZE_BUCKETS = tuple(1024 * 8**power for power in range(9))
"""Bytes, from 1 KiB to 16 GiB."""
MIN_RATED_BYTES = 64 * 1024
"""Smaller transfers have no rate worth the name: they last as long as the disk call."""
SUCCESS = "success"
CHANGES = ("delete", "rename", "restore", "mkdir", "rmdir", "attributes", "drop partial")
ENDINGS = {outcome: outcome.value for outcome in Outcome}
COMPLETE = Outcome.COMPLETE.value
PROTOCOL_LABELS = {"": PROTOCOLS[0], **{protocol: protocol for protocol in PROTOCOLS}}
CHANGE_LABELS = {action: action for action in CHANGES}
PLAIN_COUNTERS: dict[type[Event], tuple[str, str]] = {
    events.Refused: ("sessions_refused", "Connections and sessions that were refused."),
    events.SessionStalled: ("sessions_stalled", "Sessions ended by the stall timeout."),
    events.HandshakeFailed: (
        "tls_handshake_failures",
        "Failed TLS handshakes of control connections.",
    ),
    events.UploadRefused: (
        "uploads_refused",
        "Uploads that were refused, before they began or at their end.",
    ),
    events.CommandRefused: (
        "commands_refused",
        "Commands that were answered with an error, uploads excepted.",
    ),
    events.CommandFailed: (
        "command_failures",
        "Commands that failed with an unexpected error.",
    ),
    events.FileExpired: ("files_expired", "Files that retention has deleted."),
    events.Banned: ("bans", "Networks that were banned."),
    events.AdminAction: ("admin_actions", "Actions of administrators."),
    events.CertificateFailed: (
        "certificate_failures",
        "Attempts to get a certificate by ACME that have failed.",
    ),
}
"""Events that are counted without labels: the name of the metric and its text."""


class EventCounters(Collector):
    """Counts events; `add` and `collect` are called in one thread after another."""

    def __init__(self) -> None:
        self._families: list[Family] = []
        self.bytes_ended = {(up, protocol): 0 for up in (True, False) for protocol in PROTOCOLS}
        """Bytes of transfers that have ended, by upload and protocol."""
        self._opened = self._counters("sessions_opened", "Sessions that were greeted.", "protocol")
        self._logins = self._counters(
            "logins",
            "Attempts to log in, by their outcome: success, or why they were refused.",
            *("protocol", "outcome"),
        )
        self._transfers = self._counters(
            "transfers", "Transfers that have ended.", "protocol", "direction", "outcome"
        )
        self._changes = self._counters(
            "file_changes", "Changes of files and directories.", "action"
        )
        self._begin_series()
        self._make_histograms()
        self._by_kind: dict[type[Event], Callable[[Any], object]] = self._handlers()

    def _counters(self, name: str, text: str, *labels: str) -> dict[tuple[str, ...], int]:
        family = Family.of_counters(name, text, *labels)
        self._families.append(family)
        return family.counts

    def _histograms(
        self, name: str, text: str, label: str, values: Iterable[str], bounds: Sequence[float]
    ) -> dict[str, HistogramTally]:
        tallies = {value: HistogramTally(bounds) for value in values}
        series: dict[tuple[str, ...], HistogramTally] = {
            (value,): tally for value, tally in tallies.items()
        }
        self._families.append(Family(name, text, (label,), {}, series))
        return tallies

    def _make_histograms(self) -> None:
        self._session_seconds = self._histograms(
            "session_duration_seconds",
            "Duration of sessions.",
            "protocol",
            (*PROTOCOLS, OTHER),
            SESSION_BUCKETS,
        )
        by_direction = ("direction", DIRECTIONS.values())
        self._seconds = self._histograms(
            "transfer_duration_seconds", "Duration of transfers.", *by_direction, DURATION_BUCKETS
        )
        self._sizes = self._histograms(
            "transfer_size_bytes", "Bytes of complete transfers.", *by_direction, SIZE_BUCKETS
        )
        self._rates = self._histograms(
            "transfer_rate_bytes_per_second",
            "Rate of complete transfers of 64 KiB and more.",
            *by_direction,
            RATE_BUCKETS,
        )

    def _begin_series(self) -> None:
        """Make the series exist from the start, so that a first failure is an increase."""
        for protocol in PROTOCOLS:
            self._opened[protocol,] = 0
            for outcome in (SUCCESS, *LoginRefusal):
                self._logins[protocol, str(outcome)] = 0
            for direction in DIRECTIONS.values():
                for ending in ENDINGS.values():
                    self._transfers[protocol, direction, ending] = 0
        for action in (*CHANGES, OTHER):
            self._changes[action,] = 0

    def _handlers(self) -> dict[type[Event], Callable[[Any], object]]:
        plain = {kind: self._plain(*words) for kind, words in PLAIN_COUNTERS.items()}
        return {
            **plain,
            events.SessionOpened: lambda event: _add(self._opened, _label(event.protocol)),
            events.SessionClosed: self._session_closed,
            events.LoggedIn: lambda event: self._login(event, SUCCESS),
            events.LoginFailed: lambda event: self._login(event, event.reason.value),
            events.TransferEnded: self._transfer_ended,
            events.FileChanged: self._file_changed,
        }

    def _plain(self, name: str, text: str) -> Callable[[Event], object]:
        counts = self._counters(name, text)
        return lambda _event: _add(counts)

    @property
    def kinds(self) -> tuple[type[Event], ...]:
        """The kinds of event that are counted."""
        return tuple(self._by_kind)

    def add(self, happened: Iterable[Event]) -> None:
        """Count events."""
        by_kind = self._by_kind
        for event in happened:
            handler = by_kind.get(type(event))
            if handler is not None:
                handler(event)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for family in self._families:
            yield from family.collect()

    def _login(self, event: Event, outcome: str) -> None:
        _add(self._logins, _label(event.info.protocol), outcome)

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._session_seconds[_label(event.info.protocol)].observe(event.seconds)

    def _transfer_ended(self, event: events.TransferEnded) -> None:
        upload, outcome, size = event.upload, event.outcome, event.size
        protocol = _label(event.info.protocol)
        direction = "upload" if upload else "download"
        is_complete = outcome is Outcome.COMPLETE
        of_outcome = (protocol, direction, COMPLETE if is_complete else ENDINGS[outcome])
        self._transfers[of_outcome] = self._transfers.get(of_outcome, 0) + 1
        self._seconds[direction].observe(event.seconds)
        ended = (upload, protocol)
        self.bytes_ended[ended] = self.bytes_ended.get(ended, 0) + size
        if is_complete:
            self._sizes[direction].observe(size)
            if size >= MIN_RATED_BYTES:
                self._rates[direction].observe(event.rate)

    def _file_changed(self, event: events.FileChanged) -> None:
        _add(self._changes, CHANGE_LABELS.get(event.action, OTHER))


def _add(counts: dict[tuple[str, ...], int], *values: str) -> None:
    counts[values] = counts.get(values, 0) + 1


def _label(protocol: str) -> str:
    return PROTOCOL_LABELS.get(protocol, OTHER)
