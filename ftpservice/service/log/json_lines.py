"""The log as JSON: one object a line, for events and for all other lines."""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from ftpservice.activity.event_log import LOGGED_EVENT
from ftpservice.activity.logs.event_fields import event_fields, time_field, visible_text

__all__ = ["json_line"]

OTHER_LINE = "log"
"""The ``event`` of a line that is about no event."""


def json_line(event: LogEvent) -> str | None:
    """Return a line of the log as a JSON object, with its line end; None for one without text.

    All characters but ASCII are escaped, and so are control characters.
    """
    logged = event.get(LOGGED_EVENT)
    failure = event.get("log_failure")
    message = formatEvent(event) if logged is None else event["line"]
    if not message and not isinstance(failure, Failure):
        return None
    level = event.get("log_level") or LogLevel.info
    fields: dict[str, Any] = {
        "time": time_field(event["log_time"]),
        "level": level.name,
        "message": visible_text(message),
    }
    if logged is not None:
        fields |= event_fields(logged)
    else:
        fields |= {"event": OTHER_LINE, "logger": event.get("log_namespace") or "-"}
    if isinstance(failure, Failure):
        fields["traceback"] = visible_text(failure.getTraceback())
    return json.dumps(fields).replace("\x7f", "\\u007f") + "\n"
