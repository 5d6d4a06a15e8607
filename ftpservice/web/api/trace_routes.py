"""What the API does with traces of sessions and accounts."""

from __future__ import annotations

from typing import Any

from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import TRACE, array, body
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest
from ftpservice.wire.units import parse_duration

__all__ = ["routes"]

routes = RouteTable()

DEFAULT_DURATION = "15m"
MAX_SECONDS = 86_400
TRANSCRIPT_MEDIA = "application/jsonl"


@routes.add("GET", "/traces", Scope.READ, array(TRACE))
async def list_traces(parts: ApiParts, _call: ApiCall) -> Any:
    """List the traces that were started here, the latest first; those that ended, for an hour."""
    return parts.traces.rows()


@routes.add(
    "POST",
    "/traces",
    Scope.STEER,
    TRACE,
    body=body(
        ("target",), target="string", user="boolean", redact_names="boolean", duration="string"
    ),
    errors=(409,),
)
async def start_trace(parts: ApiParts, call: ApiCall) -> Any:
    """Trace a session (number, node:number or id) or an account, for such as 15m (the default)."""
    try:
        seconds = parse_duration(call.body.get("duration", DEFAULT_DURATION), needs_unit=True)
    except ValueError as error:
        raise Problem(400, str(error)) from None
    if not 0 < seconds <= MAX_SECONDS:
        raise Problem(400, "duration is more than 0 seconds and at most a day.")
    trace = await parts.traces.start(
        call.body["target"],
        call.caller.name,
        seconds,
        is_user=call.body.get("user", False),
        hides_names=call.body.get("redact_names", False),
    )
    parts.publish_action(call, "trace", trace.target)
    return trace.as_json()


@routes.add("POST", "/traces/{trace}/stop", Scope.STEER, TRACE)
async def stop_trace(parts: ApiParts, call: ApiCall) -> Any:
    """End a trace; its transcript is kept for an hour."""
    trace = parts.traces.end(call.path["trace"], call.caller.name)
    parts.publish_action(call, "trace stop", trace.target)
    return trace.as_json()


@routes.add("DELETE", "/traces/{trace}", Scope.STEER, TRACE)
async def remove_trace(parts: ApiParts, call: ApiCall) -> Any:
    """End a trace and drop its transcript."""
    trace = parts.traces.remove(call.path["trace"])
    parts.publish_action(call, "trace remove", trace.target)
    return trace.as_json()


@routes.add(
    "GET",
    "/traces/{trace}/transcript",
    Scope.STEER,
    {"type": "string"},
    media=TRANSCRIPT_MEDIA,
    is_streamed=True,
)
async def download_transcript(parts: ApiParts, call: ApiCall, request: WebRequest) -> None:
    """Return the transcript so far, as 'ftpservice trace' writes it: a JSON object a line."""
    trace = parts.traces.find(call.path["trace"])
    request.setHeader(b"Content-Disposition", b'attachment; filename="trace.jsonl"')
    request.send(200, b"".join(trace.lines), TRANSCRIPT_MEDIA.encode())
