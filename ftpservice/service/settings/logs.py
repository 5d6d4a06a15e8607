"""The settings of logs and metrics for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.parsers import enum_parser
from ftpservice.service.settings.setting import SWITCH, TEXT, setting

__all__ = ["LogFormat", "LogSettings"]


class LogFormat(Enum):
    """How the lines of the log are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class LogSettings:
    """The format of the log, the log of transfers, and metrics."""

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
        False,
        "Whether the HTTP server has metrics for Prometheus (/metrics), for programs of this "
        "machine. Needs http or https.",
    )

    def check_metrics(self, has_http: bool) -> None:
        """Raise `SettingsConflict` if nothing would serve the metrics."""
        if self.metrics and not has_http:
            raise SettingsConflict("--metrics on needs --http or --https")

    @property
    def is_json_log(self) -> bool:
        """Whether the lines of the log are JSON objects."""
        return self.log_format is LogFormat.JSON
