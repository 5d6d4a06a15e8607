"""Counters and histograms that events feed.

No label has a value that clients choose: names of users, paths and addresses would be a series
each, without a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from ftpservice import events
from ftpservice.events import Event, LoginRefusal, Outcome

__all__ = ["DIRECTIONS", "EventCounters"]

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
CHANGES = ("delete", "rename", "mkdir", "rmdir", "attributes", "drop partial")
OTHER = "other"


class EventCounters:
    """Counts events; `add` is called with many at a time, in one thread after another."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._make_session_counters()
        self._make_transfer_counters()
        self._make_change_counters()
        self.bytes_ended = {(up, protocol): 0 for up in (True, False) for protocol in PROTOCOLS}
        """Bytes of transfers that have ended, by upload and protocol."""
        self._begin_series()
        self._by_kind: dict[type[Event], Callable[[Any], object]] = self._handlers()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ftpservice_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, label: str, buckets: Any) -> Histogram:
        whole = f"ftpservice_{name}"
        return Histogram(whole, text, (label,), buckets=buckets, registry=self._registry)

    def _make_session_counters(self) -> None:
        self._opened = self._counter("sessions_opened", "Sessions that were greeted.", "protocol")
        self._session_seconds = self._histogram(
            "session_duration_seconds", "Duration of sessions.", "protocol", SESSION_BUCKETS
        )
        self._refused = self._counter(
            "sessions_refused", "Connections and sessions that were refused."
        )
        self._stalled = self._counter("sessions_stalled", "Sessions ended by the stall timeout.")
        self._handshakes = self._counter(
            "tls_handshake_failures", "Failed TLS handshakes of control connections."
        )
        self._logins = self._counter(
            "logins",
            "Attempts to log in, by their outcome: success, or why they were refused.",
            *("protocol", "outcome"),
        )

    def _make_transfer_counters(self) -> None:
        self._transfers = self._counter(
            "transfers", "Transfers that have ended.", "protocol", "direction", "outcome"
        )
        self._seconds = self._histogram(
            "transfer_duration_seconds", "Duration of transfers.", "direction", DURATION_BUCKETS
        )
        self._sizes = self._histogram(
            "transfer_size_bytes", "Bytes of complete transfers.", "direction", SIZE_BUCKETS
        )
        self._rates = self._histogram(
            "transfer_rate_bytes_per_second",
            "Rate of complete transfers of 64 KiB and more.",
            "direction",
            RATE_BUCKETS,
        )

    def _make_change_counters(self) -> None:
        self._uploads_refused = self._counter(
            "uploads_refused", "Uploads that were refused, before they began or at their end."
        )
        self._commands_refused = self._counter(
            "commands_refused", "Commands that were answered with an error, uploads excepted."
        )
        self._commands_failed = self._counter(
            "command_failures", "Commands that failed with an unexpected error."
        )
        self._changes = self._counter("file_changes", "Changes of files and directories.", "action")
        self._expired = self._counter("files_expired", "Files that retention has deleted.")
        self._bans = self._counter("bans", "Networks that were banned.")
        self._actions = self._counter("admin_actions", "Actions of administrators.")

    def _begin_series(self) -> None:
        """Make the series exist from the start, so that a first failure is an increase."""
        for protocol in PROTOCOLS:
            self._opened.labels(protocol)
            self._session_seconds.labels(protocol)
            for outcome in (SUCCESS, *LoginRefusal):
                self._logins.labels(protocol, str(outcome))
            for direction in DIRECTIONS.values():
                for ending in Outcome:
                    self._transfers.labels(protocol, direction, ending.value)
        for direction in DIRECTIONS.values():
            for histogram in (self._seconds, self._sizes, self._rates):
                histogram.labels(direction)
        for action in (*CHANGES, OTHER):
            self._changes.labels(action)

    def _handlers(self) -> dict[type[Event], Callable[[Any], object]]:
        return {
            events.SessionOpened: lambda event: self._opened.labels(event.protocol).inc(),
            events.SessionClosed: self._session_closed,
            events.Refused: lambda _event: self._refused.inc(),
            events.SessionStalled: lambda _event: self._stalled.inc(),
            events.HandshakeFailed: lambda _event: self._handshakes.inc(),
            events.LoggedIn: lambda event: self._login(event, SUCCESS),
            events.LoginFailed: lambda event: self._login(event, str(event.reason)),
            events.TransferEnded: self._transfer_ended,
            events.UploadRefused: lambda _event: self._uploads_refused.inc(),
            events.CommandRefused: lambda _event: self._commands_refused.inc(),
            events.CommandFailed: lambda _event: self._commands_failed.inc(),
            events.FileChanged: self._file_changed,
            events.FileExpired: lambda _event: self._expired.inc(),
            events.Banned: lambda _event: self._bans.inc(),
            events.AdminAction: lambda _event: self._actions.inc(),
        }

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

    def _login(self, event: Event, outcome: str) -> None:
        self._logins.labels(_protocol(event), outcome).inc()

    def _session_closed(self, event: events.SessionClosed) -> None:
        self._session_seconds.labels(_protocol(event)).observe(event.seconds)

    def _transfer_ended(self, event: events.TransferEnded) -> None:
        protocol, direction = _protocol(event), DIRECTIONS[event.upload]
        self._transfers.labels(protocol, direction, event.outcome.value).inc()
        self._seconds.labels(direction).observe(event.seconds)
        self.bytes_ended[event.upload, protocol] += event.size
        if event.outcome is Outcome.COMPLETE:
            self._sizes.labels(direction).observe(event.size)
            if event.size >= MIN_RATED_BYTES:
                self._rates.labels(direction).observe(event.rate)

    def _file_changed(self, event: events.FileChanged) -> None:
        self._changes.labels(event.action if event.action in CHANGES else OTHER).inc()


PROTOCOLS = ("ftp", "simple", "http")


def _protocol(event: Event) -> str:
    return event.info.protocol or PROTOCOLS[0]
