"""The settings of logs for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ftpservice.service.settings.parsers import enum_parser
from ftpservice.service.settings.setting import TEXT, setting

__all__ = ["LogFormat", "LogSettings"]


class LogFormat(Enum):
    """How the lines of the log are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True)
class LogSettings:
    """The format of the log, and the log of transfers."""

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

    @property
    def is_json_log(self) -> bool:
        """Whether the lines of the log are JSON objects."""
        return self.log_format is LogFormat.JSON
