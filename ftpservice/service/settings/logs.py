"""The settings of logs, metrics and traces for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from ftpservice.accounts.defence.networks import Network, parse_network
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.parsers import enum_parser
from ftpservice.service.settings.setting import SWITCH, TEXT, TEXTS, setting

__all__ = ["LogFormat", "LogSettings"]

TRACES_PATH = "/v1/traces"


def parse_collector_url(text: str) -> str:
    """Return the URL to which spans are sent; raises `ValueError`."""
    try:
        url = urlsplit(text)
        is_usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f"{text!r} is not a URL such as http://127.0.0.1:4318")
    if "@" in url.netloc:
        raise ValueError("no password in the URL: set OTEL_EXPORTER_OTLP_HEADERS")
    if url.query or url.fragment or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} has more than a scheme, a host, a port and a path")
    path = url.path.rstrip("/")
    whole = path if path.endswith(TRACES_PATH) else path + TRACES_PATH
    return f"{url.scheme}://{url.netloc}{whole}"


class LogFormat(Enum):
    """How the lines of the log are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class LogSettings:
    """The format of the log, the log of transfers, metrics, and traces."""

    log_format: LogFormat = setting(
        TEXT,
        "text",
        "Format of the log: text, for people, or json, one object a line.",
        enum_parser(LogFormat),
    )
    xferlog: str | None = setting(
        TEXT,
        None,
        "File to append a line to for each transfer and deleted file, in the format of wu-ftpd; "
        "SIGUSR1 reopens it (default: none).",
    )

    metrics: bool = setting(
        SWITCH,
        "off",
        "Whether the HTTP server has metrics for Prometheus (/metrics), for programs of this "
        "machine and of metrics-from. Needs http or https.",
    )
    metrics_from: tuple[Network, ...] = setting(
        TEXTS,
        (),
        "Address or network of other machines that may read the metrics.",
        parse_network,
        example='["10.0.0.9"]',
    )

    otel_endpoint: str | None = setting(
        TEXT,
        None,
        "URL of an OpenTelemetry collector that gets a trace of each session (OTLP over HTTP); the "
        "standard variables OTEL_* say the rest (default: none).",
        parse_collector_url,
        example='"http://127.0.0.1:4318"',
    )

    def check_metrics(self, has_http: bool) -> None:
        """Raise `SettingsConflict` if metrics are asked for that nothing would serve."""
        if self.metrics and not has_http:
            raise SettingsConflict("--metrics on needs --http or --https")
        if self.metrics_from and not self.metrics:
            raise SettingsConflict("--metrics-from needs --metrics on")

    @property
    def is_json_log(self) -> bool:
        """Whether the lines of the log are JSON objects."""
        return self.log_format is LogFormat.JSON
